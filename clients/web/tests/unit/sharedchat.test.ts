import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChatError, type ChatEvents } from "../../src/chat/chat";
import { SharedChat } from "../../src/panel/sharedchat";
import { credentials, MemoryChat, message } from "./fakes";

/** The browser's locks as far as they are used. */
class Locks {
  readonly #locks = new Map<string, Lock>();
  request(name: string, o: LockOptions, work: (lock: object | null) => Promise<unknown>) {
    const lock = this.#locks.get(name) ?? new Lock();
    this.#locks.set(name, lock);
    return lock.request(o, work);
  }
}

class Lock {
  #queue: { grant: () => void; signal?: AbortSignal | undefined }[] = [];
  #held: { lose: (why: Error) => void } | undefined;

  async request(o: LockOptions, work: (lock: object | null) => Promise<unknown>): Promise<unknown> {
    if (this.#held && o.ifAvailable) return work(null);
    if (this.#held && o.steal) this.#held.lose(new DOMException("stolen", "AbortError"));
    else if (this.#held) {
      await new Promise<void>((grant, refuse) => {
        this.#queue.push({ grant, signal: o.signal });
        o.signal?.addEventListener("abort", () => refuse(o.signal?.reason));
      });
    }
    const held = { lose: (_: Error) => {} };
    this.#held = held;
    try {
      return await Promise.race([
        work({}),
        new Promise((_, lose) => {
          held.lose = lose;
        }),
      ]);
    } finally {
      if (this.#held === held) {
        this.#held = undefined;
        let next = this.#queue.shift();
        while (next?.signal?.aborted) next = this.#queue.shift();
        next?.grant();
      }
    }
  }
}

beforeEach(() => {
  vi.stubGlobal("navigator", { locks: new Locks() });
});
const open: SharedChat[] = [];
afterEach(async () => {
  for (const p of open.splice(0).reverse()) await p.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const agent = (more = {}) => credentials({ userId: "zd_1", ...more });

/** A page of the agent's, and the chat that it makes when it holds the login. */
function page() {
  const inner = new MemoryChat();
  let fail: ChatError | undefined;
  const load = vi.fn(async () => {
    if (fail) throw fail;
    return inner;
  });
  const chat = new SharedChat(load);
  open.push(chat);
  const heard: ChatEvents["message"][] = [];
  chat.on("message", (m) => heard.push(m));
  const states: string[] = [];
  chat.on("connection", (c) => states.push(c));
  return { chat, inner, load, heard, states, breaks: (err?: ChatError) => (fail = err) };
}

test("two pages of one person are one login, and both hear and send", async () => {
  const [a, b] = [page(), page()];
  await a.chat.login(agent());
  await b.chat.login(agent({ userSig: "another" }));
  expect(b.load).not.toHaveBeenCalled();
  expect(a.inner.logins.map((c) => c.userSig)).toEqual(["sig"]);
  expect([a.chat.connection, b.chat.connection]).toEqual(["online", "online"]);

  a.inner.say("message", { groupId: "ZENDESK#1", message: message(7) });
  await vi.waitFor(() => expect(b.heard).toHaveLength(1));
  expect((await b.chat.rooms())[0]?.groupId).toBe("ZENDESK#1");
  expect((await b.chat.history("ZENDESK#1")).complete).toBe(true);

  // What one page sends, the other shows: the chat tells it to neither.
  await b.chat.sendText("ZENDESK#1", "Hello", "c1");
  expect(a.inner.sent).toEqual(["c1"]);
  await vi.waitFor(() => expect(b.heard.at(-1)?.message.clientId).toBe("c1"));
  expect(a.heard.at(-1)?.message.clientId).toBe("c1");
  b.chat.read("ZENDESK#1", 3);
  await vi.waitFor(() => expect(a.inner.reads).toEqual([3]));
});

test("an error keeps its code on the way", async () => {
  const [a, b] = [page(), page()];
  await a.chat.login(agent());
  await b.chat.login(agent());
  a.inner.muted = true;
  await expect(b.chat.sendText("ZENDESK#1", "Hello", "c1")).rejects.toMatchObject({
    code: "muted",
    vendorCode: 10017,
  });
});

test("when the page that holds the login goes, the next one logs in by itself", async () => {
  const [a, b, c] = [page(), page(), page()];
  for (const p of [a, b, c]) await p.chat.login(agent());
  await a.chat.close();
  expect(a.inner.closed).toBe(true);
  await vi.waitFor(() => expect(b.inner.logins).toHaveLength(1));
  await vi.waitFor(() => expect(c.states).toEqual(["online", "connecting", "online"]));
  expect(b.states).toEqual(["online", "connecting", "online"]);
  expect(c.load).not.toHaveBeenCalled();
  b.inner.say("message", { groupId: "ZENDESK#1", message: message(8) });
  await vi.waitFor(() => expect(c.heard).toHaveLength(1));
});

test("a login that another browser ended comes back from any page", async () => {
  const [a, b] = [page(), page()];
  await a.chat.login(agent());
  await b.chat.login(agent());
  a.inner.say("connection", "kicked");
  await vi.waitFor(() => expect(b.chat.connection).toBe("kicked"));
  await Promise.all([b.chat.login(agent({ userSig: "new" })), a.chat.login(agent())]);
  expect([a.chat.connection, b.chat.connection]).toEqual(["online", "online"]);
  expect(a.inner.logins).toHaveLength(2);
});

test("a login that fails is made again, and so is a load", async () => {
  const [a, b] = [page(), page()];
  a.breaks(new ChatError("blocked"));
  await expect(a.chat.login(agent())).rejects.toMatchObject({ code: "blocked" });
  a.breaks();
  a.inner.refuse.push(new ChatError("refused", 70013));
  await expect(b.chat.login(agent())).rejects.toMatchObject({ code: "refused" });
  await b.chat.login(agent());
  expect(b.chat.connection).toBe("online");
  await a.chat.login(agent());
  expect(a.inner.logins).toHaveLength(2);
});

test("a page that does not answer loses the login to the one that waited", async () => {
  const [a, b] = [page(), page()];
  await a.chat.login(agent());
  await b.chat.login(agent());
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  a.inner.rooms = () => new Promise(() => {});
  const asked = expect(b.chat.rooms()).rejects.toMatchObject({ code: "offline" });
  await vi.advanceTimersByTimeAsync(30_000);
  await asked;
  vi.useRealTimers();
  await vi.waitFor(() => expect(b.inner.logins).toHaveLength(1));
  await vi.waitFor(() => expect(a.inner.closed).toBe(true));
  // The one that lost it is served like any other.
  expect((await a.chat.rooms())[0]?.groupId).toBe("ZENDESK#1");
});

test("nobody else's page is served", async () => {
  const [a, b] = [page(), page()];
  await a.chat.login(agent());
  await b.chat.login(credentials({ userId: "zd_2" }));
  expect(b.inner.logins).toHaveLength(1);
  await expect(b.chat.login(agent())).rejects.toMatchObject({ code: "refused" });
});
