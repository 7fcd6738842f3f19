import { afterEach, expect, test, vi } from "vitest";
import type { Room } from "../../src/chat/chat";
import { InboxStore } from "../../src/panel/inbox";
import { ago } from "../../src/panel/inboxview";
import { MemoryChat, message } from "./fakes";

/** Rooms of an agent, each with what was said in it. */
class Rooms extends MemoryChat {
  said = new Map<string, ReturnType<typeof message>[]>();
  locked = new Set<string>();
  reads1: string[] = [];
  override async rooms(): Promise<Room[]> {
    return [...this.said.keys()].map((groupId) => ({
      groupId,
      name: "",
      muted: this.locked.has(groupId),
      memberCount: 2,
    }));
  }
  override async history(groupId: string) {
    this.reads1.push(groupId);
    return { messages: this.said.get(groupId) ?? [], complete: true };
  }
}

const me = "zd_1";
const theirs = (seq: number, time: number) => message(seq, { from: "dana", nick: "", time });
const mine = (seq: number, time: number) => message(seq, { from: me, mine: true, time });

function seen() {
  const at = new Map<string, number>();
  return {
    get: (id: string) => at.get(id) ?? 0,
    set: (id: string, seq: number) => at.set(id, seq),
  };
}

const stores: InboxStore[] = [];
afterEach(() => {
  for (const s of stores.splice(0)) s.close();
  vi.useRealTimers();
});

async function inbox(chat: Rooms, news = vi.fn(), kept = seen()) {
  const store = new InboxStore(chat, me, kept, news);
  stores.push(store);
  await store.read();
  return { store, news, kept };
}

test("who waits longest comes first, then who wrote last; ended tickets are out", async () => {
  const chat = new Rooms();
  chat.said.set("ZENDESK#1", [theirs(1, 100), mine(2, 900)]);
  chat.said.set("ZENDESK#2", [mine(1, 100), theirs(2, 500), theirs(3, 600)]);
  chat.said.set("ZENDESK#3", [message(1, { kind: "notice", from: "admin" }), theirs(2, 400)]);
  chat.said.set("ZENDESK#4", [mine(1, 950)]);
  chat.said.set("ZENDESK#5", [theirs(1, 1)]);
  chat.locked.add("ZENDESK#5");
  const { store } = await inbox(chat);
  expect(store.state.phase).toBe("ready");
  expect(store.state.rows.map((r) => [r.groupId, r.since, r.unread])).toEqual([
    ["ZENDESK#3", 400, 1],
    ["ZENDESK#2", 500, 2],
    ["ZENDESK#4", undefined, 0],
    ["ZENDESK#1", undefined, 0],
  ]);
  expect(store.state.unread).toBe(3);
});

test("an answer of any agent ends the wait, and what was read is not unread", async () => {
  const chat = new Rooms();
  chat.said.set("ZENDESK#1", [theirs(1, 100)]);
  const { store, kept } = await inbox(chat);
  chat.say("read", { groupId: "ZENDESK#1", userId: "zd_2", seq: 1 });
  expect(store.state.unread).toBe(1);
  chat.say("read", { groupId: "ZENDESK#1", userId: me, seq: 1 });
  expect(store.state.rows[0]).toMatchObject({ unread: 0, since: 100 });
  expect(kept.get("ZENDESK#1")).toBe(1);
  chat.say("message", { groupId: "ZENDESK#1", message: message(2, { from: "zd_2", time: 200 }) });
  expect(store.state.rows[0]).not.toHaveProperty("since");
});

test("a message is news, unless a conversation that is open shows it", async () => {
  vi.useFakeTimers();
  const chat = new Rooms();
  chat.said.set("ZENDESK#1", []);
  const { store, news } = await inbox(chat);
  chat.say("message", { groupId: "ZENDESK#1", message: theirs(1, 100) });
  chat.say("read", { groupId: "ZENDESK#1", userId: me, seq: 1 });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(news).not.toHaveBeenCalled();
  chat.say("message", { groupId: "ZENDESK#1", message: theirs(2, 200) });
  // The same message again, a notice and an agent's words are none.
  chat.say("message", { groupId: "ZENDESK#1", message: { ...theirs(2, 200), edited: true } });
  chat.say("message", { groupId: "ZENDESK#1", message: message(3, { kind: "notice" }) });
  chat.say("message", { groupId: "ZENDESK#1", message: message(4, { from: "zd_2" }) });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(news).toHaveBeenCalledTimes(1);
  expect(store.state.rows[0]?.last?.seq).toBe(4);
});

test("a new room comes by itself, one that is left goes, and a break is read over", async () => {
  const chat = new Rooms();
  chat.said.set("ZENDESK#1", [theirs(1, 100)]);
  const { store } = await inbox(chat);
  chat.said.set("ZENDESK#2", [theirs(1, 50)]);
  chat.say("room", { groupId: "ZENDESK#2" });
  await vi.waitFor(() => expect(store.state.rows.map((r) => r.groupId)[0]).toBe("ZENDESK#2"));
  chat.said.delete("ZENDESK#1");
  chat.say("room", { groupId: "ZENDESK#1" });
  await vi.waitFor(() => expect(store.state.rows).toHaveLength(1));
  expect(chat.reads1).toEqual(["ZENDESK#1", "ZENDESK#2"]);
  chat.said.set("ZENDESK#2", [theirs(1, 50), theirs(2, 60)]);
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await vi.waitFor(() => expect(store.state.unread).toBe(2));
});

test("a list that cannot be read is told, and read again", async () => {
  vi.useFakeTimers();
  const chat = new Rooms();
  chat.said.set("ZENDESK#1", [theirs(1, 100)]);
  const rooms = chat.rooms;
  chat.rooms = () => Promise.reject(new Error("busy"));
  const { store } = await inbox(chat);
  expect(store.state.phase).toBe("failed");
  chat.rooms = rooms;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(store.state).toMatchObject({ phase: "ready", unread: 1 });
});

test.each([
  [0, "this minute"],
  [90_000, "2 minutes ago"],
  [3 * 3_600_000, "3 hours ago"],
  [5 * 86_400_000, "5 days ago"],
])("%j ms ago", (ms, says) => {
  expect(ago(1_000, 1_000 + ms, "en-GB")).toBe(says);
});
