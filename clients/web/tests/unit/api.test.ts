import { afterEach, expect, test, vi } from "vitest";
import { Api, ApiError } from "../../src/api/api";
import { uuidv7 } from "../../src/chat/ids";

afterEach(() => {
  vi.unstubAllGlobals();
});

function answers(status: number, body: string, headers: Record<string, string> = {}) {
  const fetch = vi.fn(
    async (_url: string, _init: RequestInit) => new Response(body, { status, headers }),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

const o = { guest: true, proof: { nobody: true } as const, key: "k" };

test("a ticket at a desk, as a guest", async () => {
  const fetch = answers(200, '{"GroupId":"ZENDESK#1","ticketId":"1"}');
  const t = await new Api("https://api.example/v1/").createTicket(
    { ...o, desk: "salesforce" },
    { subject: "s", desc: "d" },
  );
  expect(t.groupId).toBe("ZENDESK#1");
  const [url, init] = fetch.mock.calls[0] as [string, RequestInit];
  expect(url).toBe("https://api.example/v1/guest/createticket?desk=salesforce");
  expect(init.headers).toMatchObject({ "Idempotency-Key": "k" });
  expect(init.credentials).toBe("omit");
});

test("what takes no parameters has no body", async () => {
  const fetch = answers(200, '{"state":"none"}');
  const api = new Api("https://api.example");
  expect(await api.ask("GET", "/calendar", { bearer: "s" })).toEqual({ state: "none" });
  const [url, init] = fetch.mock.calls[0] as [string, RequestInit];
  expect(url).toBe("https://api.example/calendar");
  expect(init).toMatchObject({ method: "GET", headers: { Authorization: "Bearer s" } });
  expect(init.body).toBeUndefined();
});

test.each([
  [400, '{"code":"invalid","detail":"x"}', { code: "invalid", detail: "x", temporary: false }],
  [429, '{"message":"Too Many Requests"}', { code: "rate_limited", temporary: true }],
  [503, '{"code":"unavailable","ticketId":"9"}', { ticketId: "9", retryAfter: 7, temporary: true }],
  [502, "<html>", { code: "internal", temporary: true }],
  [401, "null", { code: "unauthorized", temporary: false }],
])("%i %s", async (status, body, want) => {
  answers(status, body, { "Retry-After": "7" });
  const err = await new Api("https://api.example")
    .createTicket(o, { subject: "s", desc: "d" })
    .catch((e) => e);
  expect(err).toBeInstanceOf(ApiError);
  expect(err).toMatchObject(want);
});

test("no answer is temporary, and the error holds no token", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("Failed to fetch https://api.example?token=secret");
  });
  const err = await new Api("https://api.example").userSig({ bearer: "secret" }).catch((e) => e);
  expect(err).toMatchObject({ status: 0, code: "offline", temporary: true });
  expect(String(err.stack)).not.toContain("secret");
});

test("a version 7 UUID, by RFC 9562's own example of the time", () => {
  // https://www.rfc-editor.org/rfc/rfc9562#appendix-A.6
  const random = new Uint8Array([0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
  expect(uuidv7(0x017f22e279b0, random)).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  expect(uuidv7(1)).not.toBe(uuidv7(1));
});
