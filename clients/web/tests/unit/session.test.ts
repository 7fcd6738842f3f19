import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChatError } from "../../src/chat/chat";
import { Session } from "../../src/chat/session";
import { credentials, MemoryChat } from "./fakes";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const hour = 3600_000;
const until = (ms: number) => credentials({ expiresAt: new Date(Date.now() + ms).toISOString() });

function session(chat: MemoryChat, given = until(24 * hour)) {
  const renew = vi.fn(async () => until(24 * hour));
  const load = vi.fn(async () => chat);
  return { renew, load, s: new Session({ load, renew }, given) };
}

test("the credential that came with the ticket is used first", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  await s.retry();
  expect(s.state).toMatchObject({ phase: "open", connection: "online" });
  expect(renew).not.toHaveBeenCalled();
});

test("one that has ended is replaced before it is tried", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat, until(-1));
  await s.retry();
  expect(renew).toHaveBeenCalledTimes(1);
  expect(chat.logins).toHaveLength(1);
});

test("it is renewed before it ends", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  await s.retry();
  await vi.advanceTimersByTimeAsync(23 * hour);
  expect(renew).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(hour - 60_000);
  expect(renew).toHaveBeenCalledTimes(1);
  expect(chat.logins).toHaveLength(2);
});

test("the vendor says that it has ended: a new one, and on", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  await s.retry();
  chat.say("connection", "expired");
  await vi.advanceTimersByTimeAsync(0);
  expect(renew).toHaveBeenCalledTimes(1);
  expect(s.state).toMatchObject({ phase: "open", connection: "online" });
});

test("a refused one is replaced once, not for ever", async () => {
  const chat = new MemoryChat();
  chat.refuse = [new ChatError("refused", 70003), new ChatError("refused", 70003)];
  const { s, renew } = session(chat);
  await s.retry();
  expect(renew).toHaveBeenCalledTimes(1);
  expect(s.state).toMatchObject({ phase: "failed", error: { code: "refused" } });
});

test("code that does not load is tried again, by itself and on demand", async () => {
  const chat = new MemoryChat();
  const { s, load } = session(chat);
  load
    .mockRejectedValueOnce(new ChatError("blocked"))
    .mockRejectedValueOnce(new ChatError("blocked"));
  await s.retry();
  expect(s.state).toMatchObject({ phase: "failed", error: { code: "blocked" } });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(load).toHaveBeenCalledTimes(2);
  await s.retry();
  expect(s.state.phase).toBe("open");
});

test("a renewal that fails while the old one holds is no failure", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  renew.mockRejectedValueOnce(new ChatError("busy"));
  await s.retry();
  await vi.advanceTimersByTimeAsync(23.6 * hour);
  expect(s.state).toMatchObject({ phase: "open", connection: "online" });
  await vi.advanceTimersByTimeAsync(0.4 * hour);
  expect(renew.mock.calls.length).toBeGreaterThanOrEqual(2);
});

test("closing lets go of everything", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  await s.retry();
  await s.close();
  await vi.advanceTimersByTimeAsync(48 * hour);
  expect(chat.closed).toBe(true);
  expect(renew).not.toHaveBeenCalled();
});

test("a chat that comes after the end is closed", async () => {
  const chat = new MemoryChat();
  let come: (c: MemoryChat) => void = () => {};
  const load = () => new Promise<MemoryChat>((resolve) => (come = resolve));
  const s = new Session({ load, renew: async () => until(24 * hour) }, until(24 * hour));
  const started = s.retry();
  await s.close();
  come(chat);
  await started;
  expect(chat.closed).toBe(true);
  expect(chat.logins).toEqual([]);
});

test("a chat that was open is kept while no credential is to be had", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  await s.retry();
  renew.mockRejectedValueOnce(new ChatError("offline"));
  chat.say("connection", "expired");
  await vi.advanceTimersByTimeAsync(0);
  expect(s.state).toMatchObject({ phase: "failed", chat });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(s.state).toMatchObject({ phase: "open", chat, connection: "online" });
});

test("a renewal that comes after the close leaves everything closed", async () => {
  const chat = new MemoryChat();
  const { s, renew } = session(chat);
  await s.retry();
  let come = () => {};
  renew.mockImplementationOnce(
    () => new Promise((resolve) => (come = () => resolve(until(24 * hour)))),
  );
  await vi.advanceTimersByTimeAsync(23.5 * hour);
  await s.close();
  come();
  await vi.advanceTimersByTimeAsync(0);
  await s.take(until(24 * hour));
  expect(chat.logins).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("whoever was replaced by another tab stays so until they say otherwise", async () => {
  const chat = new MemoryChat();
  const { s } = session(chat);
  await s.retry();
  chat.say("connection", "kicked");
  await vi.advanceTimersByTimeAsync(23.6 * hour);
  await s.take(until(24 * hour));
  expect(chat.logins).toHaveLength(1);
  await s.retry();
  expect(chat.logins).toHaveLength(2);
  expect(s.state).toMatchObject({ phase: "open", connection: "online" });
});

test("a plan that allows no more is not asked again by itself", async () => {
  const chat = new MemoryChat();
  chat.refuse = [new ChatError("plan", 72000)];
  const { s } = session(chat);
  await s.retry();
  expect(s.state).toMatchObject({ phase: "failed", error: { code: "plan" } });
  await vi.advanceTimersByTimeAsync(600_000);
  expect(chat.logins).toHaveLength(1);
  await s.retry();
  expect(s.state.phase).toBe("open");
});
