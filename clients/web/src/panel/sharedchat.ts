import {
  type Chat,
  ChatError,
  type ChatErrorCode,
  type ChatEvents,
  type Connection,
  type Credentials,
  type Limits,
  type Member,
  type Message,
  type Page,
  type Room,
} from "../chat/chat";
import { Emitter } from "../chat/emitter";

/** What a page asks of the page that holds the login. */
const asked = ["login", "rooms", "room", "members", "history", "sendText", "sendFile"] as const;
type Asked = (typeof asked)[number];

type Wire =
  /** Who holds the login? The answer is "holding". */
  | { is: "hello" }
  | { is: "holding"; holder: string; connection: Connection }
  | { is: "leaving" }
  | { is: "ask"; id: string; what: Asked; args: unknown[] }
  | { is: "answer"; id: string; result: unknown }
  | { is: "refusal"; id: string; code: ChatErrorCode; vendorCode: number }
  /** An upload goes on: whoever waits for its answer waits longer. */
  | { is: "progress"; id: string; part: number }
  | { is: "tell"; what: "typing" | "read"; args: unknown[] }
  | { is: "event"; name: keyof ChatEvents; detail: unknown };

/** How long an answer of another page may take, in milliseconds: longer than any call of a chat. */
const deadline = 30_000;

const events = ["message", "recalled", "typing", "read", "room"] as const;

interface Login {
  connection: Connection;
  limits: Limits;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(err: ChatError): void;
  onProgress?: ((part: number) => void) | undefined;
  timer: ReturnType<typeof setTimeout>;
}

/** Whether pages of one origin can find each other in this browser. */
export function canShare(): boolean {
  return typeof BroadcastChannel !== "undefined" && navigator.locks !== undefined;
}

/**
 * SharedChat is one login for all pages of this origin that belong to the same person,
 * as an agent's tickets do: the chat ends the older of two logins. The page that has
 * the lock of that person holds the login and serves the others; when it goes, the
 * next one in the lock's queue logs in. Whoever leads without answering loses the
 * lock to the page that waited for it.
 */
export class SharedChat extends Emitter implements Chat {
  readonly #load: () => Promise<Chat>;
  readonly #gone = new AbortController();
  readonly #waiting = new Map<string, Waiting>();
  #name = "";
  #channel: BroadcastChannel | undefined;
  #credentials: Credentials | undefined;
  readonly #me = crypto.randomUUID();
  #holder = "";
  /** The chat itself, while this page holds the login. */
  #own: Promise<Chat> | undefined;
  #broken = false;
  #login: Promise<void> | undefined;
  #loggingIn = false;
  #release = () => {};
  #logged = false;
  /** Of the chat itself, once a page has logged in to it. */
  limits: Limits = { text: Number.POSITIVE_INFINITY, file: Number.POSITIVE_INFINITY };

  constructor(load: () => Promise<Chat>) {
    super();
    this.#load = load;
  }

  async login(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    await this.#enter(`caseroom:${credentials.sdkAppId}:${credentials.userId}`);
    const { connection, limits } = await this.#ask<Login>("login", [credentials]);
    this.limits = limits;
    this.#logged = true;
    this.became(connection);
  }

  rooms(): Promise<Room[]> {
    return this.#ask("rooms", []);
  }

  room(groupId: string): Promise<Room | undefined> {
    return this.#ask("room", [groupId]);
  }

  members(groupId: string): Promise<Member[]> {
    return this.#ask("members", [groupId]);
  }

  history(groupId: string, before?: number): Promise<Page> {
    return this.#ask("history", [groupId, before]);
  }

  sendText(groupId: string, text: string, clientId: string): Promise<Message> {
    return this.#ask("sendText", [groupId, text, clientId]);
  }

  sendFile(
    groupId: string,
    file: File,
    clientId: string,
    onProgress?: (part: number) => void,
  ): Promise<Message> {
    return this.#ask("sendFile", [groupId, file, clientId], onProgress);
  }

  typing(groupId: string): void {
    this.#tell("typing", [groupId]);
  }

  read(groupId: string, seq: number): void {
    this.#tell("read", [groupId, seq]);
  }

  async close(): Promise<void> {
    this.#gone.abort();
    this.#giveUp();
    const own = this.#own;
    this.#stopLeading();
    this.#channel?.close();
    // The next page logs in when this login is over, not while it still is there.
    await (await own?.catch(() => undefined))?.close();
    this.#release();
  }

  /** Finds out who holds the login: this page, if nobody does. */
  async #enter(name: string): Promise<void> {
    if (this.#name === name) return;
    if (this.#name) throw new ChatError("refused"); // A page stays one person's.
    this.#name = name;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data as Wire);
    const first = await new Promise<boolean>((known) => {
      void this.#lead({ ifAvailable: true }, known);
    });
    if (!first) {
      void this.#lead({});
      this.#post({ is: "hello" });
    }
  }

  /** Holds the login from the moment that the lock is this page's until it closes. */
  async #lead(how: LockOptions, known: (mine: boolean) => void = () => {}): Promise<void> {
    const signal = how.ifAvailable || how.steal ? {} : { signal: this.#gone.signal };
    try {
      await navigator.locks.request(this.#name, { ...how, ...signal }, async (lock) => {
        if (lock === null || this.#gone.signal.aborted) {
          known(false);
          return;
        }
        const over = new Promise<void>((resolve) => {
          this.#release = resolve;
        });
        this.#startLeading();
        known(true);
        await over;
      });
    } catch {
      // Closed while it waited, or another page took the lock away.
      known(false);
      if (this.#gone.signal.aborted) return;
      const own = this.#own;
      this.#stopLeading();
      void own?.then((chat) => chat.close()).catch(() => {});
      void this.#lead({});
      this.#post({ is: "hello" });
    }
  }

  #startLeading(): void {
    this.#giveUp();
    this.#broken = false;
    this.#login = undefined;
    const own = this.#load().then((chat) => {
      const relay = <E extends keyof ChatEvents>(name: E) =>
        chat.on(name, (detail) => this.#happened(name, detail));
      for (const name of events) relay(name);
      chat.on("connection", () => {
        if (this.#own === own) this.#say(chat);
      });
      return chat;
    });
    own.catch(() => {
      this.#broken = true;
    });
    this.#own = own;
    // Whoever was logged in through another page goes on through this one.
    if (this.#logged && this.#credentials) {
      this.became("connecting");
      void this.#takeOver(this.#credentials);
    }
  }

  async #takeOver(credentials: Credentials): Promise<void> {
    try {
      await this.#loginHere(credentials);
    } catch (err) {
      // What a session does about an ended credential, it does about this one.
      const code = err instanceof ChatError ? err.code : "unknown";
      this.became(code === "expired" || code === "refused" ? "expired" : "offline");
    }
  }

  #stopLeading(): void {
    if (!this.#own) return;
    this.#own = undefined;
    this.#post({ is: "leaving" });
  }

  async #chat(): Promise<Chat> {
    if (this.#broken) this.#startLeading();
    const chat = await this.#own;
    if (!chat) throw new ChatError("offline"); // The lock was lost meanwhile.
    return chat;
  }

  /** One login serves all: it is made again only when the chat says that it is over. */
  async #loginHere(credentials: Credentials): Promise<Login> {
    const chat = await this.#chat();
    const over = ["expired", "kicked", "ended"].includes(chat.connection);
    if (!this.#login || (over && !this.#loggingIn)) {
      this.#loggingIn = true;
      const login = chat.login(credentials).finally(() => {
        this.#loggingIn = false;
      });
      login.catch(() => {
        if (this.#login === login) this.#login = undefined;
      });
      this.#login = login;
    }
    await this.#login;
    this.#say(chat);
    return { connection: chat.connection, limits: { ...chat.limits } };
  }

  #say(chat: Chat): void {
    if (this.#logged) this.became(chat.connection);
    this.#post({ is: "holding", holder: this.#me, connection: chat.connection });
  }

  #happened<E extends keyof ChatEvents>(name: E, detail: ChatEvents[E]): void {
    this.emit(name, detail);
    this.#post({ is: "event", name, detail });
  }

  async #ask<T>(what: Asked, args: unknown[], onProgress?: (part: number) => void): Promise<T> {
    if (this.#own) return (await this.#here(what, args, onProgress)) as T;
    const id = crypto.randomUUID();
    return new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => this.#unanswered(id), deadline);
      this.#waiting.set(id, { resolve, reject, onProgress, timer });
      this.#post({ is: "ask", id, what, args });
    }) as Promise<T>;
  }

  async #here(what: Asked, args: unknown[], onProgress?: (part: number) => void): Promise<unknown> {
    if (what === "login") return this.#loginHere(args[0] as Credentials);
    const chat = await this.#chat();
    const call = chat[what] as (...a: unknown[]) => Promise<unknown>;
    const result = await call.apply(chat, what === "sendFile" ? [...args, onProgress] : args);
    // The chat does not tell a sender's own pages what they sent.
    if (what === "sendText" || what === "sendFile") {
      this.#happened("message", { groupId: args[0] as string, message: result as Message });
    }
    return result;
  }

  #tell(what: "typing" | "read", args: unknown[]): void {
    if (!this.#own) {
      this.#post({ is: "tell", what, args });
      return;
    }
    void this.#own.then((chat) => told(chat, what, args)).catch(() => {});
    // The agent's other pages count what is unread, too.
    const userId = this.#credentials?.userId;
    const [groupId, seq] = args as [string, number];
    if (what === "read" && userId) this.#happened("read", { groupId, userId, seq });
  }

  /** The page that holds the login does not answer: this one takes it. */
  #unanswered(id: string): void {
    this.#settle(id)?.reject(new ChatError("offline"));
    if (!this.#own && !this.#gone.signal.aborted) void this.#lead({ steal: true });
  }

  /** Nobody answers these any more. Whether they were done is not known here. */
  #giveUp(): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(new ChatError("offline"));
  }

  #settle(id: string): Waiting | undefined {
    const w = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (w) clearTimeout(w.timer);
    return w;
  }

  #hear(m: Wire): void {
    if (this.#own) this.#heardAsHolder(m);
    else this.#heardAsGuest(m);
  }

  #heardAsHolder(m: Wire): void {
    switch (m.is) {
      case "hello":
        this.#post({ is: "holding", holder: this.#me, connection: this.connection });
        break;
      case "ask":
        void this.#serve(m.id, m.what, m.args);
        break;
      case "tell":
        this.#tell(m.what, m.args);
        break;
      default:
    }
  }

  #heardAsGuest(m: Wire): void {
    switch (m.is) {
      case "holding":
        if (this.#holder && this.#holder !== m.holder) this.#giveUp();
        this.#holder = m.holder;
        if (this.#logged) this.became(m.connection);
        break;
      case "leaving":
        this.#giveUp();
        if (this.#logged) this.became("connecting");
        break;
      case "answer":
        this.#settle(m.id)?.resolve(m.result);
        break;
      case "refusal":
        this.#settle(m.id)?.reject(new ChatError(m.code, m.vendorCode));
        break;
      case "progress": {
        const w = this.#waiting.get(m.id);
        if (!w) break;
        clearTimeout(w.timer);
        w.timer = setTimeout(() => this.#unanswered(m.id), deadline);
        w.onProgress?.(m.part);
        break;
      }
      case "event":
        this.emit(m.name, m.detail as never);
        break;
      default:
    }
  }

  async #serve(id: string, what: Asked, args: unknown[]): Promise<void> {
    if (!asked.includes(what)) return;
    try {
      const result = await this.#here(what, args, (part) =>
        this.#post({ is: "progress", id, part }),
      );
      this.#post({ is: "answer", id, result });
    } catch (err) {
      const { code, vendorCode } = err instanceof ChatError ? err : new ChatError("unknown");
      this.#post({ is: "refusal", id, code, vendorCode });
    }
  }

  #post(m: Wire): void {
    if (!this.#gone.signal.aborted || m.is === "leaving") this.#channel?.postMessage(m);
  }
}

function told(chat: Chat, what: "typing" | "read", args: unknown[]): void {
  if (what === "typing") chat.typing(args[0] as string);
  else chat.read(args[0] as string, args[1] as number);
}
