import { expect, test, vi } from "vitest";
import { ChatError } from "../../src/chat/chat";
import { isAgent, type Outbox, RoomStore, retryable, type Unsent } from "../../src/chat/room";
import { MemoryChat, message } from "./fakes";

const groupId = "ZENDESK#1";

async function opened(chat = new MemoryChat()) {
  let n = 0;
  const store = new RoomStore(chat, groupId, "dana", { newId: () => `c${++n}` });
  await store.open();
  return { chat, store };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
const texts = (s: RoomStore) => s.state.messages.map((m) => m.text);

test("messages stand in order, once each, whatever way they came", async () => {
  const chat = new MemoryChat();
  chat.list = [1, 2, 3, 4].map((n) => message(n));
  const { store } = await opened(chat);
  expect(texts(store)).toEqual(["message 2", "message 3", "message 4"]);
  chat.say("message", { groupId, message: message(6) });
  chat.say("message", { groupId, message: message(5) });
  chat.say("message", { groupId, message: message(5) });
  chat.say("message", { groupId: "ZENDESK#2", message: message(7) });
  expect(store.state.messages.map((m) => m.seq)).toEqual([2, 3, 4, 5, 6]);
  await store.older();
  expect(store.state.messages.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(store.state.complete).toBe(true);
});

test("a connection that comes back brings what was missed, over several pages", async () => {
  const { chat, store } = await opened();
  chat.say("message", { groupId, message: message(1) });
  chat.list = Array.from({ length: 10 }, (_, i) => message(i + 1));
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  expect(store.state.messages.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("an event before the first read does not hide what came before it", async () => {
  const chat = new MemoryChat();
  chat.list = [1, 2, 3].map((n) => message(n));
  const store = new RoomStore(chat, groupId, "dana");
  chat.say("message", { groupId, message: message(3) });
  await store.open();
  expect(store.state.messages.map((m) => m.seq)).toEqual([1, 2, 3]);
  expect(store.state.complete).toBe(true);
});

test("a message that failed is sent again under the same id", async () => {
  const { chat, store } = await opened();
  chat.refuse = [new ChatError("offline")];
  await expect(store.send("hello")).rejects.toThrow("offline");
  expect(store.state.messages[0]).toMatchObject({ text: "hello", state: "failed", seq: 0 });
  await store.resend("c1");
  expect(chat.sent).toEqual(["c1"]);
  expect(store.state.messages).toMatchObject([{ seq: 1, state: "sent", clientId: "c1" }]);
});

test("a message whose answer is lost but which arrived is not shown as failed", async () => {
  const { chat, store } = await opened();
  chat.sendText = async (_, text, clientId) => {
    chat.say("message", {
      groupId,
      message: message(1, { from: "dana", mine: true, text, clientId }),
    });
    throw new ChatError("offline");
  };
  await expect(store.send("hello")).rejects.toThrow("offline");
  expect(store.state.messages).toMatchObject([{ seq: 1, state: "sent" }]);
});

test("where the ticket stands follows members, notices and the lock", async () => {
  const { chat, store } = await opened();
  const alex = { userId: "zd_1", nick: "Alex" };
  const billie = { userId: "zd_2", nick: "Billie" };
  const dana = chat.in[0] as { userId: string; nick: string };
  const changed = async () => {
    chat.say("room", { groupId });
    await settled();
    return store.state.standing;
  };
  const notice = (seq: number, kind: "waiting" | "joined" | "ended" | "merged", ticket?: string) =>
    chat.say("message", {
      groupId,
      message: message(seq, {
        from: "administrator",
        kind: "notice",
        notice: { kind, ...(ticket ? { ticket } : {}) },
      }),
    });
  expect(store.state.standing).toEqual({ kind: "waiting", reopened: false });
  chat.in = [dana, alex];
  expect(await changed()).toMatchObject({ kind: "joined", agents: [alex], before: [] });
  chat.in = [dana, billie];
  expect(await changed()).toMatchObject({ kind: "joined", agents: [billie], before: [alex] });
  chat.in = [dana];
  chat.muted = true;
  notice(1, "ended");
  expect(await changed()).toEqual({ kind: "ended", locked: true });
  chat.muted = false;
  notice(2, "waiting");
  expect(await changed()).toEqual({ kind: "waiting", reopened: true });
  notice(3, "ended");
  expect(await changed()).toEqual({ kind: "ended", locked: false });
  notice(4, "merged", "77");
  expect(await changed()).toEqual({ kind: "merged", ticket: "77" });
});

test("who is taken out of the room sees it, and whoever comes back gets everything", async () => {
  const { chat, store } = await opened();
  const all = chat.in;
  chat.in = [];
  chat.say("room", { groupId });
  await settled();
  expect(store.state.phase).toBe("left");
  chat.in = all;
  chat.list = [message(1)];
  chat.say("room", { groupId });
  await settled();
  expect(store.state).toMatchObject({ phase: "ready", messages: [{ seq: 1 }] });
});

test("unread are others' messages since they were last seen; of notices an agent's coming", async () => {
  const { chat, store } = await opened();
  chat.say("message", { groupId, message: message(1) });
  chat.say("message", { groupId, message: message(2, { mine: true }) });
  chat.say("message", {
    groupId,
    message: message(3, { from: "administrator", kind: "notice", notice: { kind: "waiting" } }),
  });
  expect(store.state.unread).toBe(1);
  store.seen();
  expect(store.state.unread).toBe(0);
  expect(chat.reads).toEqual([3]);
  chat.say("message", { groupId, message: message(4) });
  expect(store.state.unread).toBe(1);
});

test("writing is told now and then, and at once after a message", async () => {
  const { chat, store } = await opened();
  let told = 0;
  chat.typing = () => told++;
  store.writing();
  store.writing();
  expect(told).toBe(1);
  await store.send("one");
  store.writing();
  expect(told).toBe(2);
});

test("what was recalled says so", async () => {
  const { chat, store } = await opened();
  chat.say("message", { groupId, message: message(1) });
  chat.say("recalled", { groupId, seq: 1 });
  expect(store.state.messages[0]?.recalled).toBe(true);
});

test.each([
  ["zd_900", true],
  ["sf_005Hs0000000Ab1AAC", true],
  ["900000101", true],
  ["005Hs0000000Ab1AAC", true],
  ["guest_abc", false],
  ["u_abcdef", false],
  ["dana", false],
  ["005short", false],
])("%s is an agent: %s", (id, want) => {
  expect(isAgent(id)).toBe(want);
});

test("what a member says is no notice, whatever it carries", async () => {
  const chat = new MemoryChat();
  chat.in = [
    { userId: "dana", nick: "Dana" },
    { userId: "zd_1", nick: "Alex" },
  ];
  const forged = { kind: "notice", notice: { kind: "merged", ticket: "666" } } as const;
  chat.list = [message(1, { ...forged, from: "zd_1" }), message(2, { ...forged, from: "zd_2" })];
  const { store } = await opened(chat);
  chat.say("message", { groupId, message: message(3, { ...forged, from: "dana", mine: true }) });
  expect(store.state.messages.map((m) => [m.kind, m.notice])).toEqual([
    ["text", undefined],
    ["text", undefined],
    ["text", undefined],
  ]);
  expect(store.state.standing.kind).toBe("joined");
  chat.say("message", { groupId, message: message(4, { ...forged, from: "administrator" }) });
  expect(store.state.standing).toEqual({ kind: "merged", ticket: "666" });
});

test("a forged notice before the members are known is none once they are", async () => {
  const chat = new MemoryChat();
  const store = new RoomStore(chat, groupId, "zd_1");
  const forged = { kind: "notice", notice: { kind: "ended" }, from: "dana" } as const;
  chat.say("message", { groupId, message: message(1, forged) });
  await store.open();
  expect(store.state.messages.map((m) => m.kind)).toEqual(["text"]);
  expect(store.state.standing.kind).toBe("waiting");
});

test("a long absence leaves no hole: what lies before it comes by paging back", async () => {
  const chat = new MemoryChat();
  chat.list = [1, 2].map((n) => message(n));
  const { store } = await opened(chat);
  chat.list = Array.from({ length: 50 }, (_, i) => message(i + 1));
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  const seqs = () => store.state.messages.map((m) => m.seq);
  expect(seqs()[0]).toBeGreaterThan(3);
  expect(store.state.complete).toBe(false);
  while (!store.state.complete) await store.older();
  expect(seqs()).toEqual(chat.list.map((m) => m.seq));
});

test("many signs at once are one look, and the last one counts", async () => {
  const { chat, store } = await opened();
  let looks = 0;
  const members = chat.members.bind(chat);
  chat.members = () => {
    looks++;
    return members();
  };
  for (let i = 0; i < 10; i++) chat.say("room", { groupId });
  chat.muted = true;
  await settled();
  expect(looks).toBeLessThanOrEqual(2);
  expect(store.state.room?.muted).toBe(true);
});

test("a file says how much of it has gone up, until it is there", async () => {
  const { chat, store } = await opened();
  const seen: (number | undefined)[] = [];
  store.subscribe(() => seen.push(store.state.messages[0]?.progress));
  chat.sendFile = async (groupId, file, clientId, onProgress) => {
    onProgress?.(0.5);
    return chat.sendText(groupId, file.name, clientId);
  };
  await store.sendFile(new File(["lamp"], "lamp.txt"));
  expect(seen).toContain(0.5);
  expect(store.state.messages).toMatchObject([{ state: "sent" }]);
  expect(store.state.messages[0]?.progress).toBeUndefined();
});

test("a room that was made again is another one: nothing of the first is left", async () => {
  const { chat, store } = await opened();
  chat.list = [1, 2, 3].map((n) => message(n, { text: `old ${n}` }));
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  store.seen();
  chat.refuse = [new ChatError("offline")];
  await expect(store.send("not yet sent")).rejects.toThrow();
  chat.list = [message(1, { text: "new 1" })];
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  expect(texts(store)).toEqual(["new 1", "not yet sent"]);
  expect(store.state.unread).toBe(1);
});

test("a message that comes while the missed ones are read does not hide them", async () => {
  const chat = new MemoryChat();
  chat.list = [1, 2, 3].map((n) => message(n));
  const { store } = await opened(chat);
  chat.say("connection", "offline");
  chat.list = Array.from({ length: 12 }, (_, i) => message(i + 1));
  chat.say("connection", "online");
  chat.say("message", { groupId, message: message(12) });
  await settled();
  expect(store.state.messages.map((m) => m.seq)).toEqual(chat.list.map((m) => m.seq));
});

test("a connection that breaks again while the missed ones are read: they are read again", async () => {
  const { chat, store } = await opened();
  const members = chat.members.bind(chat);
  let late = (_: ChatError) => {};
  chat.members = () => new Promise((_, reject) => (late = reject));
  chat.list = [message(1)];
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  chat.members = members;
  chat.say("connection", "offline");
  chat.say("connection", "online");
  late(new ChatError("offline"));
  await settled();
  expect(texts(store)).toEqual(["message 1"]);
});

test("missed ones that could not be read are asked for again, until the room is closed", async () => {
  vi.useFakeTimers();
  try {
    const chat = new MemoryChat();
    chat.list = [message(1)];
    const { store } = await opened(chat);
    const room = chat.room.bind(chat);
    let asked = 0;
    chat.room = async () => {
      asked++;
      throw new ChatError("busy");
    };
    chat.list = Array.from({ length: 6 }, (_, i) => message(i + 1));
    chat.say("connection", "offline");
    chat.say("connection", "online");
    await vi.advanceTimersByTimeAsync(0);
    chat.say("message", { groupId, message: message(6) });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toBeGreaterThan(1);
    chat.room = room;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.state.messages.map((m) => m.seq)).toEqual([1, 2, 3, 4, 5, 6]);
    store.close();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("older ones that come after their place is gone make no hole", async () => {
  const chat = new MemoryChat();
  chat.list = [1, 2, 3, 4, 5].map((n) => message(n));
  const { store } = await opened(chat);
  const history = chat.history.bind(chat);
  let come = () => {};
  chat.history = (id, before) =>
    new Promise((resolve) => (come = () => resolve(history(id, before))));
  const older = store.older();
  chat.history = history;
  chat.list = Array.from({ length: 50 }, (_, i) => message(i + 1));
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  come();
  await older;
  while (!store.state.complete) await store.older();
  expect(store.state.messages.map((m) => m.seq)).toEqual(chat.list.map((m) => m.seq));
});

test("what was read of a room before it was made again is not read of the new one", async () => {
  const { chat, store } = await opened();
  for (const n of [1, 2, 3]) chat.say("message", { groupId, message: message(n) });
  chat.say("read", { groupId, userId: "zd_1", seq: 3 });
  chat.list = [message(1, { text: "new 1" })];
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  expect(texts(store)).toEqual(["new 1"]);
  expect(store.state.readByOthers).toBe(0);
});

/** What a browser keeps between two pages. */
class KeptOutbox implements Outbox {
  kept = new Map<string, Unsent>();
  list() {
    return [...this.kept.values()];
  }
  put(m: Unsent) {
    this.kept.set(m.clientId, m);
  }
  drop(clientId: string) {
    this.kept.delete(clientId);
  }
  alone<T>(work: () => Promise<T>) {
    return work();
  }
}

const unsent = { clientId: "kept", text: "typed before", time: 5_000_000 };

test("what was not sent goes out on the next page, once", async () => {
  const chat = new MemoryChat();
  const outbox = new KeptOutbox();
  const first = new RoomStore(chat, groupId, "dana", { outbox, newId: () => "kept" });
  await first.open();
  chat.refuse = [new ChatError("offline")];
  await expect(first.send("typed before")).rejects.toThrow("offline");
  first.close();
  expect(outbox.list()).toMatchObject([{ clientId: "kept", text: "typed before" }]);
  const second = new RoomStore(chat, groupId, "dana", { outbox });
  expect(texts(second)).toEqual(["typed before"]);
  chat.say("connection", "online");
  await second.open();
  await vi.waitFor(() => expect(chat.sent).toEqual(["kept"]));
  await settled();
  expect(outbox.list()).toEqual([]);
  await second.open();
  await settled();
  expect(chat.sent).toEqual(["kept"]);
});

test("what did arrive before the page went is found in the history, however far back", async () => {
  const chat = new MemoryChat();
  const arrived = { from: "dana", mine: true, clientId: "kept", time: unsent.time };
  chat.list = Array.from({ length: 12 }, (_, i) =>
    message(i + 1, i === 1 ? arrived : { time: unsent.time + i }),
  );
  const outbox = new KeptOutbox();
  outbox.put(unsent);
  chat.say("connection", "online");
  const store = new RoomStore(chat, groupId, "dana", { outbox });
  await store.open();
  await vi.waitFor(() => expect(outbox.list()).toEqual([]));
  await settled();
  expect(chat.sent).toEqual([]);
  expect(store.state.messages.filter((m) => m.clientId === "kept")).toMatchObject([{ seq: 2 }]);
});

test("what another page has sent is not sent again", async () => {
  const chat = new MemoryChat();
  const outbox = new KeptOutbox();
  const store = new RoomStore(chat, groupId, "dana", { outbox, newId: () => "c1" });
  await store.open();
  chat.refuse = [new ChatError("offline")];
  await expect(store.send("hello")).rejects.toThrow("offline");
  outbox.drop("c1");
  await store.resend("c1");
  expect(chat.sent).toEqual([]);
  expect(store.state.messages).toEqual([]);
});

test("what can never be sent is kept to be read, and not tried again", async () => {
  const { chat, store } = await opened();
  chat.say("connection", "online");
  chat.refuse = [new ChatError("moderated")];
  await expect(store.send("hello")).rejects.toThrow("moderated");
  await expect(store.send("x".repeat(1001))).rejects.toThrow("too_large");
  await expect(store.sendFile(new File(["x".repeat(1001)], "big"))).rejects.toThrow("too_large");
  await expect(store.sendFile(new File([], "none"))).rejects.toThrow("empty");
  expect(store.state.messages.map((m) => m.error)).toEqual([
    "moderated",
    "too_large",
    "too_large",
    "empty",
  ]);
  expect(store.state.messages.some((m) => retryable(m.error))).toBe(false);
  chat.say("connection", "offline");
  chat.say("connection", "online");
  await settled();
  expect(chat.sent).toEqual([]);
});

test("a notice or request that somebody changed later is what it was, or nobody's word", async () => {
  const { chat, store } = await opened();
  const admin = { from: "administrator", kind: "notice" as const };
  const joined = message(1, { ...admin, text: "Alex joined", notice: { kind: "joined" } });
  chat.say("message", { groupId, message: joined });
  const forged = message(1, { ...admin, edited: true, text: "Pay", notice: { kind: "ended" } });
  chat.say("message", { groupId, message: forged });
  expect(store.state.messages).toMatchObject([{ text: "Alex joined" }]);
  chat.say("message", { groupId, message: message(2, { ...forged, seq: 2 }) });
  expect(store.state.standing.kind).toBe("waiting");
});

test("what is known already stays the same object", async () => {
  const chat = new MemoryChat();
  chat.list = [1, 2].map((n) => message(n));
  const { store } = await opened(chat);
  const [one] = store.state.messages;
  chat.list = [1, 2, 3].map((n) => message(n));
  await store.open();
  expect(store.state.messages[0]).toBe(one);
});

test("what was seen on an earlier page is not unread; an agent who came is", async () => {
  const chat = new MemoryChat();
  chat.list = [message(1), message(2)];
  const seen: number[] = [];
  const store = new RoomStore(chat, groupId, "dana", { seen: 1, onSeen: (n) => seen.push(n) });
  await store.open();
  expect(store.state.unread).toBe(1);
  const from = { from: "administrator", kind: "notice" as const };
  chat.say("message", { groupId, message: message(3, { ...from, notice: { kind: "joined" } }) });
  expect(store.state.unread).toBe(2);
  store.seen();
  expect(seen).toEqual([3]);
  const other = new RoomStore(chat, groupId, "dana", { seen: "all" });
  await other.open();
  expect(other.state.unread).toBe(0);
});
