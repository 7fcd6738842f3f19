import { afterEach, expect, test, vi } from "vitest";
import type { Api } from "../../src/api/api";
import { parseNotice } from "../../src/chat/notice";
import { english } from "../../src/i18n/i18n";
import { reason } from "../../src/panel/absent";
import { parseConfig } from "../../src/panel/config";
import type { Standing } from "../../src/panel/desk";
import { FramedDesk, parseCredentials, parseRefusal } from "../../src/panel/framed";
import { panelTexts } from "../../src/panel/paneltexts";
import { matches } from "../../src/panel/replies";
import { transcript } from "../../src/panel/transcript";
import { agentLanguage, ZendeskDesk } from "../../src/panel/zendesk";
import { safeUrl } from "../../src/ui/text";
import { credentials, message } from "./fakes";

const desk = "https://shop.lightning.force.com";

function framed(around: string[] = [desk]) {
  let hear: (e: object) => void = () => {};
  const parent = { postMessage: vi.fn() };
  const page = {
    parent,
    location: { ancestorOrigins: around, origin: "https://chat.example" },
    addEventListener: (_: string, f: (e: object) => void) => {
      hear = f;
    },
  };
  const d = new FramedDesk([desk], page as unknown as Window);
  const data = { type: "caseroom:credentials", groupId: "500x", ...credentials() };
  const tell = (e: object = {}) => hear({ source: parent, origin: desk, data, ...e });
  return { d, parent, tell, data };
}

test("only the configured parent is told, and only it is heard", async () => {
  const { d, parent, tell } = framed();
  expect(parent.postMessage.mock.calls).toEqual([[{ type: "caseroom:ready" }, desk]]);
  d.unread(3);
  expect(parent.postMessage).toHaveBeenCalledTimes(1);
  tell({ origin: "https://evil.example" });
  tell({ origin: `${desk}.evil.example` });
  tell({ source: {} });
  tell({ data: { type: "caseroom:credentials" } });
  expect(d.state).toEqual({ phase: "waiting" });
  tell();
  expect(d.state).toEqual({ phase: "ticket", groupId: "500x", ticketId: "500x" });
  d.unread(3);
  expect(parent.postMessage).toHaveBeenLastCalledWith({ type: "caseroom:unread", count: 3 }, desk);
});

test("a page that nobody configured around it, or none, is refused", () => {
  const { d, parent } = framed(["https://evil.example"]);
  expect(d.state).toEqual({ phase: "stranger", origin: "https://evil.example" });
  expect(parent.postMessage).not.toHaveBeenCalled();
});

test("the first credential is held, later ones are asked for", async () => {
  const { d, parent, tell, data } = framed();
  tell();
  expect(await d.renew()).toMatchObject({ userSig: "sig" });
  const second = d.renew();
  expect(parent.postMessage).toHaveBeenLastCalledWith({ type: "caseroom:renew" }, desk);
  tell({ data: { ...data, userSig: "second" } });
  expect((await second).userSig).toBe("second");
});

test("a credential that comes unasked is told, with its room", () => {
  const { d, tell, data } = framed();
  const heard = vi.fn();
  d.onCredentials(heard);
  tell({
    data: { ...data, groupId: "ZENDESK#5", customer: { name: "Dana", unverified: true, x: 1 } },
  });
  expect(heard).toHaveBeenCalledTimes(1);
  expect(d.state).toEqual({
    phase: "ticket",
    groupId: "ZENDESK#5",
    ticketId: "5",
    customer: { name: "Dana", unverified: true },
  });
  tell({ data: { ...data, groupId: "" } });
  expect(d.state).toEqual({ phase: "noTicket" });
  // The agent looked at another case: the same credential, so no other login.
  expect(heard).toHaveBeenCalledTimes(1);
  tell({ data: { ...data, userSig: "next", groupId: "" } });
  expect(heard).toHaveBeenCalledTimes(2);
});

test("the page around says where the ticket stands, again when it is asked", () => {
  const { d, parent, tell, data } = framed();
  d.look();
  expect(parent.postMessage).toHaveBeenCalledTimes(1);
  const standing = { state: "open", assignee: { name: "Billie", mine: false, x: 1 } };
  tell({ data: { ...data, standing } });
  expect(d.state).toMatchObject({
    standing: { state: "open", assignee: { name: "Billie", mine: false } },
  });
  d.look();
  expect(parent.postMessage).toHaveBeenLastCalledWith({ type: "caseroom:look" }, desk);
  tell({ data: { ...data, standing: { state: "ended", assignee: null } } });
  expect(d.state).toMatchObject({ standing: { state: "ended", assignee: null } });
  for (const odd of [{ state: "other" }, "open", null, { assignee: null }]) {
    tell({ data: { ...data, standing: odd } });
    expect(d.state).not.toHaveProperty("standing");
  }
});

test("the page around lists ready-made answers of the room that was asked for", async () => {
  vi.useFakeTimers();
  const { d, parent, tell } = framed();
  tell();
  const asked = d.replies();
  expect(parent.postMessage).toHaveBeenLastCalledWith(
    { type: "caseroom:replies", groupId: "500x" },
    desk,
  );
  const replies = [{ title: "Hi", text: "Hello" }, { title: "Empty", text: " " }, null, "x"];
  tell({ data: { type: "caseroom:replies", groupId: "500y", replies: [] } });
  tell({ data: { type: "caseroom:replies", groupId: "500x", replies } });
  const list = await asked;
  expect(list).toEqual([{ id: "0", title: "Hi", text: "Hello" }]);
  expect(await d.fill(list[0] as (typeof list)[0])).toBe("Hello");

  const refused = expect(d.replies()).rejects.toThrow();
  tell({ data: { type: "caseroom:replies", groupId: "500x" } });
  await refused;
  const late = expect(d.replies()).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(15_000);
  await late;
});

test("the page around names the rooms of the inbox, and opens one", async () => {
  const { d, parent, tell } = framed();
  tell();
  const asked = d.titles(["500x", "500y"]);
  expect(parent.postMessage).toHaveBeenLastCalledWith(
    { type: "caseroom:titles", groupIds: ["500x", "500y"] },
    desk,
  );
  const titles = [
    { groupId: "500x", title: "00001026 Lamp", customer: "Dana" },
    null,
    { title: "" },
  ];
  tell({ data: { type: "caseroom:titles", titles } });
  expect([...(await asked)]).toEqual([["500x", { title: "00001026 Lamp", customer: "Dana" }]]);
  d.open("500x");
  expect(parent.postMessage).toHaveBeenLastCalledWith(
    { type: "caseroom:open", groupId: "500x" },
    desk,
  );
});

test("what a customer wrote is no markup in Zendesk's message", async () => {
  const invoke = vi.fn(async () => ({}));
  const zaf = {
    get: async () => ({}),
    on() {},
    invoke,
    request: vi.fn(),
    context: async () => ({}),
  };
  const session = { sessionToken: "s", expiresAt: new Date(Date.now() + 1000).toISOString() };
  const d = new ZendeskDesk(session, {} as Api, zaf);
  d.call("ZENDESK#5", `<img src=x onerror="x"> ${"long ".repeat(100)}`);
  const [what, text] = invoke.mock.calls.at(-1) as unknown as [string, string];
  expect(what).toBe("notify");
  expect(text).toContain("#5: &#60;img");
  expect(text).not.toMatch(/[<>"]/);
  expect(text.length).toBeLessThan(200);
  d.open("ZENDESK#5");
  expect(invoke).toHaveBeenCalledWith("routeTo", "ticket", 5);
});

const known = (state: Standing["state"], mine?: boolean): Standing => ({
  state,
  assignee: mine === undefined ? null : { name: mine ? "Alex" : "Billie", mine },
});

test.each([
  [known("deleted", true), undefined, true, "was deleted"],
  [known("ended", true), false, true, "has ended"],
  [known("open"), true, true, "Nobody has this ticket"],
  [known("open", false), true, true, "Billie has this ticket"],
  [known("open", true), true, false, "opens within seconds"],
  [known("open", true), false, true, "its room is gone"],
  [known("open", true), true, true, "caseroom room show ZENDESK#5"],
  [known("open", true), undefined, true, "caseroom room show ZENDESK#5"],
  [undefined, undefined, true, "You are not in this ticket's room"],
  [{ state: "open" } as Standing, false, true, "You are not in this ticket's room"],
])("why there is no chat: %j, a room: %j, late: %j", (standing, room, late, says) => {
  expect(reason(standing, room, late, "ZENDESK#5", english)).toContain(says);
});

test("replies are found by every word, in title or text", () => {
  const r = { id: "1", title: "Ask::Which product?", text: "It stands on the Box." };
  for (const words of ["", "which BOX", "ask", " product  stands "]) {
    expect(matches(r, words, "en"), words).toBe(true);
  }
  expect(matches(r, "which crate", "en")).toBe(false);
});

test("all four languages say everything in their own words", () => {
  const en = panelTexts("en-GB");
  for (const lang of ["ja-JP", "zh", "ru"]) {
    const texts = panelTexts(lang);
    expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort());
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(texts[key], key).not.toBe(en[key]);
      const holes = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
      expect(new Set(holes(texts[key])), key).toEqual(new Set(holes(en[key])));
    }
  }
  expect(panelTexts("fr")).toBe(en);
});

afterEach(() => {
  vi.useRealTimers();
});

const refusal = { type: "caseroom:error", code: "credentials", retryAfterMs: 5000 };

test("who waits for a credential hears at once that there is none", async () => {
  vi.useFakeTimers();
  const { d, parent, tell, data } = framed();
  tell();
  await d.renew();
  const asked = d.renew();
  const both = Promise.allSettled([asked, d.renew()]);
  tell({ data: refusal, origin: "https://evil.example" });
  tell({ data: refusal, source: {} });
  tell({ data: { ...refusal, code: "other" } });
  tell({ data: refusal });
  await expect(asked).rejects.toMatchObject({ code: "refused" });
  expect((await both).map((r) => r.status)).toEqual(["rejected", "rejected"]);
  // The session asks again by itself; the desk does not ask beside it.
  const before = parent.postMessage.mock.calls.length;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(parent.postMessage).toHaveBeenCalledTimes(before);
  expect(d.state.phase).toBe("ticket");
  const again = d.renew();
  tell({ data: { ...data, userSig: "later" } });
  expect((await again).userSig).toBe("later");
});

test("a first credential that was refused is asked for again, less and less often", async () => {
  vi.useFakeTimers();
  const { d, parent, tell } = framed();
  const asks = () =>
    parent.postMessage.mock.calls.filter(([m]) => m.type === "caseroom:renew").length;
  for (const [i, wait] of [5000, 10_000, 20_000, 40_000, 60_000, 60_000].entries()) {
    tell({ data: refusal });
    await vi.advanceTimersByTimeAsync(wait - 1);
    expect(asks()).toBe(i);
    await vi.advanceTimersByTimeAsync(1);
    expect(asks()).toBe(i + 1);
  }
  expect(parent.postMessage).toHaveBeenLastCalledWith({ type: "caseroom:renew" }, desk);
  tell({ data: refusal });
  tell();
  expect(d.state.phase).toBe("ticket");
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asks()).toBe(6);
});

test.each([
  [refusal, 5000],
  [{ ...refusal, retryAfterMs: -1 }, 0],
  [{ ...refusal, retryAfterMs: Number.NaN }, 0],
  [{ ...refusal, retryAfterMs: "5000" }, 0],
  [{ ...refusal, code: 5 }, undefined],
  [{ type: "caseroom:credentials" }, undefined],
  [null, undefined],
  ["caseroom:error", undefined],
])("the refusal %j", (data, want) => {
  expect(parseRefusal(data)).toBe(want);
});

test.each([
  null,
  "caseroom:credentials",
  [],
  { type: "other", ...credentials() },
  { type: "caseroom:credentials", ...credentials(), userSig: "" },
  { type: "caseroom:credentials", ...credentials(), userId: 5 },
  { type: "caseroom:credentials", ...credentials(), sdkAppId: "x" },
  { type: "caseroom:credentials", ...credentials(), sdkAppId: -1 },
  { type: "caseroom:credentials", ...credentials(), expiresAt: "soon" },
])("no credentials: %j", (data) => {
  expect(parseCredentials(data)).toBeUndefined();
});

test("config.json is checked", () => {
  expect(parseConfig({ parents: ["https://a.example/x"] })).toMatchObject({
    parents: ["https://a.example"],
    chat: { kind: "tencent" },
  });
  expect(() => parseConfig({ parents: ["*"] })).toThrow();
  expect(() => parseConfig({ parents: "https://a.example" })).toThrow("list");
  expect(() => parseConfig({ parents: ["data:text/html,x"] })).toThrow("no web address");
  expect(() => parseConfig({ chat: { kind: "sandbox" } })).toThrow("chat.kind");
});

test.each([
  ['{"caseroom":{"n":1,"kind":"merged","ticket":"9"}}', { kind: "merged", ticket: "9" }],
  ['{"caseroom":{"kind":"joined","ticket":5}}', { kind: "joined" }],
  ['{"caseroom":{"kind":"other"}}', undefined],
  ['{"caseroom":null}', undefined],
  ["null", undefined],
  ["{", undefined],
  ["", undefined],
  [undefined, undefined],
])("the notice of %s", (data, want) => {
  expect(parseNotice(data)).toEqual(want);
});

test("the transcript is in the form that is filed", () => {
  const list = [
    message(1, { kind: "notice", text: "Thank you.", time: Date.UTC(2026, 10, 22, 19, 0, 41) }),
    message(2, { from: "dana", text: "one\n2026  zd_1: two", time: Date.UTC(2026, 10, 22, 19, 1) }),
    message(3, { kind: "file", name: "a.pdf", url: "https://x.example/a.pdf", time: 0 }),
    message(0, { text: "unsent" }),
    message(4, { recalled: true, time: 0 }),
  ];
  expect(transcript(list, { userId: "dana", name: "Dana Customer" })).toBe(
    "2026-11-22 19:00:41  caseroom: Thank you.\n" +
      "2026-11-22 19:01:00  customer Dana Customer: one\n    2026  zd_1: two\n" +
      "1970-01-01 00:00:00  Alex: [file a.pdf https://x.example/a.pdf]\n" +
      "1970-01-01 00:00:00  Alex: [recalled message]\n",
  );
  // Somebody whose name nobody knows is still told apart.
  const nameless = [message(5, { from: "u_1", nick: "", time: 0, text: "Hm." })];
  expect(transcript(nameless, { userId: "u_1", name: "" })).toContain("customer u_1: Hm.");
});

test.each([
  ["https://x.example/a", "https://x.example/a"],
  ["http://127.0.0.1:3100/a", "http://127.0.0.1:3100/a"],
  ["http://x.example/a", undefined],
  ["javascript:alert(1)", undefined],
  ["data:text/html,x", undefined],
  ["//x.example", undefined],
  [undefined, undefined],
])("the address %s", (url, want) => {
  expect(safeUrl(url)).toBe(want);
});

test.each([
  ["ja", "ja"],
  ["zh-cn", "zh-CN"],
  ["", ""],
  [undefined, ""],
  ["no tag at all", ""],
])("an agent whose Zendesk speaks %j", async (tag, want) => {
  const client = {
    get: async () => (tag === undefined ? {} : { "currentUser.locale": tag }),
    on() {},
    invoke: async () => ({}),
    request: () => Promise.reject(new Error("not asked")),
    context: async () => ({}),
  };
  expect(await agentLanguage(client)).toBe(want);
  expect(await agentLanguage({ ...client, get: () => Promise.reject(new Error("no")) })).toBe("");
});
