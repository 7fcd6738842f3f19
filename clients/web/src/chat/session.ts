import { type Chat, ChatError, type Connection, type Credentials } from "./chat";

export interface SessionOptions {
  /** Loads the chat's code for an app. */
  load(sdkAppId: number): Promise<Chat>;
  /** Asks for a new credential of the same person. It may reject with {@link ChatError}. */
  renew(): Promise<Credentials>;
  /**
   * Whether a page that people look at again takes the login back from another one of
   * the same person; without it only {@link Session.retry} does.
   */
  takeBack?: boolean;
  /** Milliseconds since 1970. */
  now?(): number;
}

export type SessionState =
  | { phase: "starting" }
  /**
   * It will try again by itself at `retryAt`, if there is one, and on {@link Session.retry}.
   * `chat` is the one that was open before: what it showed need not go.
   */
  | { phase: "failed"; error: ChatError; retryAt?: number; chat?: Chat }
  | { phase: "open"; chat: Chat; connection: Connection };

/** Credentials are renewed this long before they end, or at half of a shorter life. */
const early = 30 * 60_000;
const longestTimer = 2 ** 31 - 1;
const waits = [1_000, 2_000, 5_000, 15_000, 30_000];

/**
 * Session keeps one person logged in: it loads the chat when asked, renews the
 * credential before it ends, logs in again when it was refused, and keeps trying
 * while the network or the chat's code is not there.
 */
export class Session {
  state: SessionState = { phase: "starting" };
  readonly #o: SessionOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #credentials: Credentials | undefined;
  #chat: Chat | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #running = false;
  #opened = false;
  #closed = false;

  constructor(o: SessionOptions, credentials?: Credentials) {
    this.#o = o;
    this.#now = o.now ?? Date.now;
    this.#credentials = credentials;
    globalThis.addEventListener?.("online", this.#nudge);
    if (!o.takeBack) return;
    globalThis.addEventListener?.("focus", this.#looked);
    globalThis.document?.addEventListener("visibilitychange", this.#looked);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Who this is; empty until the first credential is there. */
  get userId(): string {
    return this.#credentials?.userId ?? "";
  }

  /** Logs in, and again after a failure or in place of another tab's login. */
  async retry(): Promise<void> {
    if (this.#running || this.#closed) return;
    this.#running = true;
    clearTimeout(this.#timer);
    try {
      if (!this.#credentials || this.#ended(this.#credentials)) {
        this.#credentials = await this.#o.renew();
      }
      if (this.#closed) return;
      const chat = this.#chat ?? (await this.#open(this.#credentials.sdkAppId));
      if (!this.#closed) await this.#login(chat);
      if (this.#closed) {
        await chat.close(); // close came while there was nothing to close yet
        return;
      }
      this.#opened = true;
      this.#failures = 0;
      this.#set({ phase: "open", chat, connection: chat.connection });
      this.#plan();
    } catch (err) {
      this.#failed(err instanceof ChatError ? err : new ChatError("unknown"));
    } finally {
      this.#running = false;
    }
  }

  /** Takes a credential that came unasked, as from the page around this one. */
  async take(credentials: Credentials): Promise<void> {
    if (this.state.phase === "open") {
      await this.#use(credentials).catch(() => {});
      this.#plan();
    } else {
      this.#credentials = credentials;
      await this.retry();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#renewal);
    globalThis.removeEventListener?.("online", this.#nudge);
    globalThis.removeEventListener?.("focus", this.#looked);
    globalThis.document?.removeEventListener("visibilitychange", this.#looked);
    await this.#chat?.close();
  }

  async #open(sdkAppId: number): Promise<Chat> {
    const chat = await this.#o.load(sdkAppId);
    this.#chat = chat;
    chat.on("connection", (connection) => {
      if (connection === "expired") void this.#refresh();
      else if (this.state.phase === "open") this.#set({ phase: "open", chat, connection });
    });
    return chat;
  }

  async #login(chat: Chat): Promise<void> {
    try {
      await chat.login(this.#credentials as Credentials);
    } catch (err) {
      // A clock may be wrong, or the key was changed: once more with a new one.
      const code = err instanceof ChatError ? err.code : "";
      if (code !== "expired" && code !== "refused") throw err;
      this.#credentials = await this.#o.renew();
      await chat.login(this.#credentials);
    }
  }

  async #refresh(): Promise<void> {
    this.#credentials = undefined;
    if (this.state.phase === "open") {
      this.#set({ ...this.state, connection: "connecting" });
    }
    await this.retry();
  }

  #plan(): void {
    clearTimeout(this.#renewal);
    if (this.#closed) return;
    const left = Date.parse(this.#credentials?.expiresAt ?? "") - this.#now();
    // Once it has ended, the chat says so and a new one is asked for.
    if (!(left > 0)) return;
    const wait = Math.max(left > 2 * early ? left - early : left / 2, 1_000);
    this.#renewal = setTimeout(() => void this.#renewEarly(), Math.min(wait, longestTimer));
  }

  async #renewEarly(): Promise<void> {
    try {
      await this.#use(await this.#o.renew());
    } catch {
      // The old one still works; there is time to try again.
    }
    this.#plan();
  }

  /** Goes on with a new credential; only a person takes the login back from another tab. */
  async #use(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    if (this.#closed || this.#gone()) return;
    await this.#chat?.login(credentials);
  }

  #gone(): boolean {
    return this.#chat?.connection === "kicked" || this.#chat?.connection === "ended";
  }

  #ended(c: Credentials): boolean {
    return Date.parse(c.expiresAt) <= this.#now();
  }

  #failed(error: ChatError): void {
    if (this.#closed) return;
    const chat = this.#opened ? this.#chat : undefined;
    const failed = { phase: "failed" as const, error, ...(chat ? { chat } : {}) };
    if (error.code === "plan") {
      this.#set(failed); // every further try would be refused, and counted
      return;
    }
    const wait = waits[Math.min(this.#failures++, waits.length - 1)] as number;
    this.#set({ ...failed, retryAt: this.#now() + wait });
    this.#timer = setTimeout(() => void this.retry(), wait);
  }

  #nudge = (): void => {
    if (this.state.phase === "failed" && this.state.error.code !== "plan") void this.retry();
  };

  #looked = (): void => {
    if (document.visibilityState !== "visible" || !document.hasFocus()) return;
    if (this.state.phase === "open" && this.state.connection === "kicked") void this.retry();
  };

  #set(state: SessionState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}
