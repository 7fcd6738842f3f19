import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Api, ApiError } from "../../src/api/api";
import { ChatError } from "../../src/chat/chat";
import { StoredDrafts } from "../../src/widget/drafts";
import { Remembered } from "../../src/widget/memory";
import { WidgetModel } from "../../src/widget/model";
import { StoredOutbox } from "../../src/widget/outbox";
import { credentials } from "./fakes";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const caseInfo = { subject: "Lamp", desc: "Dark" };
const ticket = {
  ...credentials({ userId: "guest_a" }),
  groupId: "ZENDESK#7",
  ticketId: "7",
  idempotencyKey: "k",
  guestToken: "guest-token",
};

function storage(): Storage {
  const map = new Map<string, string>();
  return {
    getItem: (k) => map.get(k) ?? null,
    setItem: (k, v) => void map.set(k, v),
    removeItem: (k) => void map.delete(k),
    clear: () => map.clear(),
    key: () => null,
    get length() {
      return map.size;
    },
  };
}

function world(o: Partial<ConstructorParameters<typeof WidgetModel>[0]> = {}, kept = storage()) {
  const api = new Api("https://api.example");
  const create = vi.spyOn(api, "createTicket");
  const sig = vi.spyOn(api, "userSig").mockResolvedValue(credentials({ userId: "guest_a" }));
  const memory = new Remembered("https://api.example", kept);
  let n = 0;
  const start = () =>
    new WidgetModel({ api, memory, guests: true, newKey: () => `key-${++n}`, ...o });
  return { create, sig, memory, start };
}

test("one key from the first try to the answer, over a reload", async () => {
  const w = world();
  w.create
    .mockRejectedValueOnce(new ApiError(0, "offline", "", 0))
    .mockRejectedValueOnce(new ApiError(503, "unavailable", "", 2, "7"))
    .mockResolvedValue(ticket);
  const first = w.start();
  await first.submit(caseInfo);
  expect(first.state).toMatchObject({ view: "creating", problem: { kind: "offline" } });
  first.close();
  const second = w.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(second.state).toMatchObject({ problem: { kind: "room", ticketId: "7" } });
  await vi.advanceTimersByTimeAsync(1_999);
  expect(w.create).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(second.state).toMatchObject({ view: "chat", ticket: { ticketId: "7" } });
  expect(new Set(w.create.mock.calls.map(([o]) => o.key))).toEqual(new Set(["key-1"]));
  expect(JSON.stringify(w.memory.get())).not.toContain("sig");
});

test("a guest comes back as the same guest, with another key", async () => {
  const w = world();
  w.create.mockResolvedValue(ticket);
  const m = w.start();
  await m.submit(caseInfo);
  m.another();
  await m.submit(caseInfo);
  expect(w.create.mock.calls[0]?.[0]).toMatchObject({ guest: true, proof: { nobody: true } });
  expect(w.create.mock.calls[1]?.[0]).toMatchObject({
    guest: true,
    proof: { bearer: "guest-token" },
    key: "key-2",
  });
});

test("a guest token that has run out is forgotten", async () => {
  const w = world();
  w.memory.set({ guestToken: "old" });
  w.create
    .mockRejectedValueOnce(new ApiError(401, "unauthorized", "", 0))
    .mockResolvedValue(ticket);
  const m = w.start();
  await m.submit(caseInfo);
  await vi.advanceTimersByTimeAsync(0);
  expect(w.create.mock.calls[1]?.[0].proof).toEqual({ nobody: true });
  expect(m.state.view).toBe("chat");
});

test("who is signed in asks with the login's token, or by cookie", async () => {
  const w = world({ getToken: async () => "login" });
  w.create.mockResolvedValue(ticket);
  await w.start().submit(caseInfo);
  expect(w.create.mock.calls[0]?.[0]).toMatchObject({ guest: false, proof: { bearer: "login" } });
  const c = world({ cookie: true });
  c.create.mockResolvedValue(ticket);
  await c.start().submit(caseInfo);
  expect(c.create.mock.calls[0]?.[0]).toMatchObject({ guest: false, proof: { cookie: true } });
});

test("without guests, nobody is asked to sign in", async () => {
  const w = world({ guests: false, getToken: () => "" });
  const m = w.start();
  await m.submit(caseInfo);
  expect(m.state).toMatchObject({ view: "form", problem: { kind: "signIn" }, draft: caseInfo });
  expect(w.create).not.toHaveBeenCalled();
});

test("a refused request can be mended, under a new key", async () => {
  const w = world();
  w.create
    .mockRejectedValueOnce(new ApiError(400, "invalid", "too long", 0))
    .mockResolvedValue(ticket);
  const m = w.start();
  await m.submit(caseInfo);
  expect(m.state).toMatchObject({ view: "form", problem: { kind: "invalid", detail: "too long" } });
  await m.submit(caseInfo);
  expect(w.create.mock.calls.map(([o]) => o.key)).toEqual(["key-1", "key-2"]);
});

test("another person who signs in does not get the last one's ticket", async () => {
  const w = world();
  w.memory.set({
    ticket: { groupId: "ZENDESK#7", ticketId: "7", userId: "somebody" },
    guestToken: "t",
  });
  const m = w.start();
  expect(m.state.view).toBe("chat");
  await expect(m.renew()).rejects.toMatchObject(new ChatError("not_member"));
  expect(m.state.view).toBe("form");
  expect(w.memory.get().ticket).toBeUndefined();
});

test("a browser without storage still works", async () => {
  const broken = new Proxy({} as Storage, {
    get: () => () => {
      throw new DOMException("denied", "SecurityError");
    },
  });
  const w = world({}, broken);
  w.create.mockRejectedValueOnce(new ApiError(0, "offline", "", 0)).mockResolvedValue(ticket);
  const m = w.start();
  await m.submit(caseInfo);
  await m.retry();
  expect(m.state.view).toBe("chat");
});

test("what another tab gave up is not waited for here", async () => {
  const kept = storage();
  const w = world({}, kept);
  w.create.mockRejectedValue(new ApiError(503, "unavailable", "", 0));
  const m = w.start();
  await m.submit(caseInfo);
  expect(m.state.view).toBe("creating");
  new Remembered("https://api.example", kept).set({ pending: undefined });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(m.state).toEqual({ view: "form" });
  expect(w.create).toHaveBeenCalledTimes(1);
});

test("a guest who signs in keeps the open request, as the guest they were", async () => {
  const w = world({ getToken: () => "login" });
  w.memory.set({
    ticket: { groupId: "ZENDESK#7", ticketId: "7", userId: "guest_a" },
    guestToken: "guest-token",
  });
  const m = w.start();
  await m.renew();
  expect(w.sig).toHaveBeenCalledWith({ bearer: "guest-token" });
  expect(m.state).toMatchObject({ view: "chat", ticket: { ticketId: "7" } });
  w.sig.mockResolvedValue(credentials({ userId: "dana" }));
  w.create.mockResolvedValue({ ...ticket, userId: "dana", groupId: "ZENDESK#8", ticketId: "8" });
  m.another();
  await m.submit(caseInfo);
  await m.renew();
  expect(w.sig).toHaveBeenLastCalledWith({ bearer: "login" });
  expect(m.earlier().map((t) => t.ticketId)).toEqual(["8", "7"]);
  m.choose("ZENDESK#7", "7");
  expect(m.state).toMatchObject({ view: "chat", ticket: { ticketId: "7", userId: "guest_a" } });
});

test("what another person asked is not in one's list", async () => {
  const w = world({ getToken: () => "login" });
  w.sig.mockResolvedValue(credentials({ userId: "robin" }));
  w.memory.set({ ticket: { groupId: "ZENDESK#7", ticketId: "7", userId: "dana" } });
  const m = w.start();
  await expect(m.renew()).rejects.toMatchObject(new ChatError("not_member"));
  expect(m.earlier()).toEqual([]);
  w.sig.mockResolvedValue(credentials({ userId: "dana" }));
  await m.renew();
  expect(m.earlier()).toMatchObject([{ ticketId: "7" }]);
});

test("a room that only the chat knows is opened as one's own", async () => {
  const w = world({ getToken: () => "login" });
  w.sig.mockResolvedValue(credentials({ userId: "dana" }));
  const m = w.start();
  m.list();
  expect(m.state).toEqual({ view: "list" });
  await m.renew();
  m.choose("ZENDESK#9", "9");
  expect(m.state).toMatchObject({ view: "chat", ticket: { groupId: "ZENDESK#9", userId: "dana" } });
});

test("the page's language goes with the request, and what was asked is remembered", async () => {
  const w = world({ language: "ja-JP" });
  w.create.mockResolvedValue(ticket);
  const m = w.start();
  await m.submit(caseInfo);
  expect(w.create.mock.calls[0]?.[1]).toEqual({ ...caseInfo, locale: "ja-JP" });
  expect(w.memory.get().ticket).toMatchObject({ subject: "Lamp", text: "Dark", seen: 0 });
  m.note("ZENDESK#7", { seen: 4 });
  m.another();
  expect(w.memory.get()).toMatchObject({ others: [{ ticketId: "7", seen: 4 }] });
});

test("an outbox is one for all pages, and does without storage", async () => {
  const kept = storage();
  const one = new StoredOutbox("https://api.example", "ZENDESK#7", kept);
  const two = new StoredOutbox("https://api.example", "ZENDESK#7", kept);
  one.put({ clientId: "a", text: "x", time: 1 });
  expect(two.list()).toEqual([{ clientId: "a", text: "x", time: 1 }]);
  two.drop("a");
  expect(one.list()).toEqual([]);
  expect(kept.getItem("caseroom-unsent:https://api.example:ZENDESK#7")).toBeNull();
  const none = new StoredOutbox("https://api.example", "ZENDESK#7", undefined);
  none.put({ clientId: "b", text: "y", time: 2 });
  expect(none.list()).toHaveLength(1);
  const order: number[] = [];
  await Promise.all([
    none.alone(async () => void order.push(await Promise.resolve(1))),
    none.alone(async () => void order.push(2)),
  ]);
  expect(order).toEqual([1, 2]);
});

test("what was begun is the tab's own, and outlives a reload", () => {
  const kept = storage();
  const drafts = new StoredDrafts("https://api.example", kept);
  drafts.form = { subject: "La" };
  drafts.set("ZENDESK#7", "Half a sen");
  const after = new StoredDrafts("https://api.example", kept);
  expect(after.form).toEqual({ subject: "La" });
  expect(after.get("ZENDESK#7")).toBe("Half a sen");
  after.delete("ZENDESK#7");
  after.form = undefined;
  expect(new StoredDrafts("https://api.example", kept).get("ZENDESK#7")).toBeUndefined();
});

test("a guest passes the challenge once for each try, and never with a token", async () => {
  let n = 0;
  const challenge = vi.fn(async () => `passed-${++n}`);
  const w = world({ challenge });
  w.create
    .mockRejectedValueOnce(new ApiError(403, "challenge", "used", 0))
    .mockResolvedValue(ticket);
  const m = w.start();
  await m.submit(caseInfo);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(w.create.mock.calls.map(([o]) => [o.key, o.challenge])).toEqual([
    ["key-1", "passed-1"],
    ["key-1", "passed-2"],
  ]);
  expect(m.state.view).toBe("chat");
  m.another();
  await m.submit(caseInfo);
  expect(w.create.mock.calls[2]?.[0]).not.toHaveProperty("challenge");
  expect(challenge).toHaveBeenCalledTimes(2);
});

test("a challenge that nobody passes gives the form back, and one that does not load waits", async () => {
  const never = world({ challenge: async () => "no" });
  never.create.mockRejectedValue(new ApiError(403, "challenge", "Pass it again.", 0));
  const m = never.start();
  await m.submit(caseInfo);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(never.create.mock.calls.length).toBe(4);
  expect(m.state).toMatchObject({ view: "form", problem: { kind: "invalid" }, draft: caseInfo });

  const blocked = world({ challenge: () => Promise.reject(new Error("blocked")) });
  const b = blocked.start();
  await b.submit(caseInfo);
  expect(b.state).toMatchObject({ view: "creating", problem: { kind: "offline" } });
  expect(blocked.create).not.toHaveBeenCalled();
});
