import { type Api, ApiError, asChatError, type CaseInfo, type Proof } from "../api/api";
import { ChatError, type Credentials } from "../chat/chat";
import { uuidv7 } from "../chat/ids";
import { isGuests, type OpenTicket, type Remembered } from "./memory";

export interface ModelOptions {
  api: Api;
  memory: Remembered;
  desk?: "zendesk" | "salesforce";
  /** The login token of who is signed in; empty or undefined when nobody is. */
  getToken?: () => string | undefined | Promise<string | undefined>;
  /** The API reads the login's cookie. */
  cookie?: boolean;
  /** Whether somebody who is not signed in may ask. */
  guests: boolean;
  /** The language of the page, which is the customer's; a BCP 47 tag. */
  language?: string;
  /** Has a guest pass the challenge that the API asks for, and resolves with its token. */
  challenge?: () => Promise<string>;
  newKey?: () => string;
  now?: () => number;
}

export type WidgetState =
  /** `about` is the request that was not solved. */
  | { view: "form"; problem?: Problem; draft?: CaseInfo; about?: OpenTicket }
  /** All requests of whoever this is. */
  | { view: "list" }
  /** The request is on its way; `retryAt` when it waits for its next try. */
  | { view: "creating"; problem?: Problem; retryAt?: number }
  | { view: "chat"; ticket: OpenTicket; credentials?: Credentials };

export type Problem =
  | { kind: "signIn" }
  | { kind: "offline" }
  | { kind: "busy" }
  | { kind: "room"; ticketId: string }
  | { kind: "invalid"; detail: string }
  | { kind: "failed" };

const waits = [1, 2, 5, 10, 30, 60];
const challengeTries = 3;

/**
 * WidgetModel takes a customer from a request to its room. A request keeps one
 * idempotency key from its first try until it has an answer, over reloads and
 * lost connections, so it never becomes two tickets.
 */
export class WidgetModel {
  state: WidgetState = { view: "form" };
  readonly #o: ModelOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  readonly #off: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #busy = false;
  #closed = false;

  constructor(o: ModelOptions) {
    this.#o = o;
    this.#now = o.now ?? Date.now;
    this.#off = o.memory.onOther(() => {
      if (this.state.view !== "list") this.#resume();
    });
    globalThis.addEventListener?.("online", this.#nudge);
    this.#resume();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Opens a ticket. */
  async submit(given: CaseInfo): Promise<void> {
    const key = (this.#o.newKey ?? uuidv7)();
    const locale = this.#o.language;
    const caseInfo = locale ? { ...given, locale } : given;
    this.#o.memory.set({ pending: { key, caseInfo } });
    this.#tries = 0;
    await this.retry();
  }

  /** Tries again now what waits. */
  async retry(): Promise<void> {
    if (this.#busy || this.#closed) return;
    clearTimeout(this.#timer);
    const pending = this.#o.memory.get().pending;
    if (!pending) {
      this.#resume(); // another tab had its answer
      return;
    }
    this.#busy = true;
    this.#set({ view: "creating" });
    try {
      await this.#create(pending.key, pending.caseInfo);
    } finally {
      this.#busy = false;
    }
  }

  /** A credential for the chat, for as long as it is needed. */
  renew = async (): Promise<Credentials> => {
    try {
      const { ticket } = this.#o.memory.get();
      const proof = await this.#proof(ticket && isGuests(ticket));
      if ("nobody" in proof) throw new ChatError("refused");
      const credentials = await this.#o.api.userSig(proof);
      this.#me = credentials.userId;
      if (ticket && ticket.userId !== credentials.userId) {
        // Somebody else is signed in now: this ticket is not theirs.
        this.another();
        throw new ChatError("not_member");
      }
      return credentials;
    } catch (err) {
      throw asChatError(err);
    }
  };

  /** Whether somebody is signed in, as far as the page says. */
  async signedIn(): Promise<boolean> {
    return this.#o.cookie === true || Boolean(await this.#o.getToken?.());
  }

  /** Whether somebody who is not signed in may ask. */
  get guests(): boolean {
    return this.#o.guests;
  }

  /** Leaves the ticket for a new request; `about` says that it was not solved. */
  another(about?: OpenTicket): void {
    clearTimeout(this.#timer);
    this.#o.memory.set({ pending: undefined });
    this.#o.memory.open(undefined);
    this.#set({ view: "form", ...(about ? { about } : {}) });
  }

  /** Shows all requests. */
  list(): void {
    if (this.state.view !== "creating") this.#set({ view: "list" });
  }

  /** Goes back from the list, or from a form, to what is open. */
  back(): void {
    this.#set({ view: "form" });
    this.#resume();
  }

  /** Opens one of the requests of whoever this is. */
  choose(groupId: string, ticketId: string): void {
    const known = this.earlier().find((t) => t.groupId === groupId);
    const userId = known?.userId ?? this.#me;
    this.#o.memory.open({ groupId, ticketId, userId });
    this.#resume();
  }

  /** The requests that this browser remembers of whoever this is, the open one first. */
  earlier(): OpenTicket[] {
    const { ticket, others = [], guestToken } = this.#o.memory.get();
    const all = [...(ticket ? [ticket] : []), ...others];
    const mine = (t: OpenTicket) =>
      t.userId === this.#me || t === ticket || (isGuests(t) && Boolean(guestToken));
    return all.filter(mine);
  }

  /** Whether the chat about the open ticket is a guest's. */
  get asGuest(): boolean {
    const { ticket, guestToken } = this.#o.memory.get();
    return ticket ? isGuests(ticket) : Boolean(guestToken);
  }

  /** Keeps what became known of a ticket. */
  note(groupId: string, more: Partial<OpenTicket>): void {
    this.#o.memory.note(groupId, more);
    const { state } = this;
    if (more.subject && state.view === "chat" && state.ticket.groupId === groupId) {
      this.#set({ ...state, ticket: { ...state.ticket, ...more } });
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#off();
    globalThis.removeEventListener?.("online", this.#nudge);
  }

  /** Follows what the browser remembers, also when another tab changed it. */
  #resume(): void {
    const { ticket, pending } = this.#o.memory.get();
    if (ticket) {
      if (this.state.view === "chat" && this.state.ticket.groupId === ticket.groupId) return;
      clearTimeout(this.#timer);
      this.#set({ view: "chat", ticket });
    } else if (pending) {
      if (this.state.view !== "creating") void this.retry();
    } else if (this.state.view !== "form" && !this.#busy) {
      this.#set({ view: "form" });
    }
  }

  async #create(key: string, caseInfo: CaseInfo): Promise<void> {
    try {
      const proof = await this.#proof();
      const guest = !("cookie" in proof) && !this.#login(proof);
      if (guest && !this.#o.guests) {
        this.#set({ view: "form", problem: { kind: "signIn" }, draft: caseInfo });
        this.#o.memory.set({ pending: undefined });
        return;
      }
      const desk = this.#o.desk;
      const challenge = "nobody" in proof ? await this.#challenge() : "";
      const t = await this.#o.api.createTicket(
        { guest, proof, key, ...(desk ? { desk } : {}), ...(challenge ? { challenge } : {}) },
        caseInfo,
      );
      const { subject, desc: text } = caseInfo;
      const ticket = {
        groupId: t.groupId,
        ticketId: t.ticketId,
        userId: t.userId,
        subject,
        text: text.slice(0, 8_000),
        time: this.#now(),
        seen: 0,
      };
      this.#me = t.userId;
      this.#o.memory.set({
        pending: undefined,
        ...(t.guestToken ? { guestToken: t.guestToken } : {}),
      });
      this.#o.memory.open(ticket);
      const { userId, userSig, sdkAppId, expiresAt } = t;
      this.#set({ view: "chat", ticket, credentials: { userId, userSig, sdkAppId, expiresAt } });
    } catch (err) {
      this.#failed(err instanceof ApiError ? err : new ApiError(500, "internal", "", 0), caseInfo);
    }
  }

  async #challenge(): Promise<string> {
    try {
      return (await this.#o.challenge?.()) ?? "";
    } catch {
      throw new ApiError(0, "offline", "", 0);
    }
  }

  #failed(err: ApiError, caseInfo: CaseInfo): void {
    const { guestToken } = this.#o.memory.get();
    if (err.status === 401 && guestToken) {
      // It ran out, or guests were switched off and on: a new guest, then.
      this.#o.memory.set({ guestToken: undefined });
      this.#wait({ kind: "busy" }, 0);
      return;
    }
    // A token is good once: the try before may have used it up.
    const stale = err.code === "challenge" && this.#o.challenge && this.#tries < challengeTries;
    if (err.temporary || stale) {
      const problem: Problem = err.ticketId
        ? { kind: "room", ticketId: err.ticketId }
        : { kind: err.status === 0 ? "offline" : "busy" };
      const wait = waits[Math.min(this.#tries++, waits.length - 1)] as number;
      this.#wait(problem, Math.min(Math.max(err.retryAfter, wait), 300));
      return;
    }
    this.#o.memory.set({ pending: undefined });
    const problem: Problem =
      err.status === 401 || (err.status === 403 && err.code !== "challenge")
        ? { kind: "signIn" }
        : err.status === 404 || err.status === 409
          ? { kind: "failed" }
          : { kind: "invalid", detail: err.detail };
    this.#set({ view: "form", problem, draft: caseInfo });
  }

  #wait(problem: Problem, seconds: number): void {
    if (this.#closed) return; // the request is kept for the next page
    this.#set({ view: "creating", problem, retryAt: this.#now() + seconds * 1000 });
    this.#timer = setTimeout(() => void this.retry(), seconds * 1000);
  }

  #token = "";
  /** Who this is, once it is known. */
  #me = "";

  /** How the caller proves who they are; a guest's ticket is a guest's also after a login. */
  async #proof(asGuest = false): Promise<Proof> {
    const token = asGuest && this.#o.memory.get().guestToken;
    if (token) return { bearer: token };
    if (this.#o.cookie) return { cookie: true };
    this.#token = (await this.#o.getToken?.()) ?? "";
    if (this.#token) return { bearer: this.#token };
    const { guestToken } = this.#o.memory.get();
    return guestToken ? { bearer: guestToken } : { nobody: true };
  }

  #login(proof: Proof): boolean {
    return "bearer" in proof && proof.bearer === this.#token;
  }

  #nudge = (): void => {
    if (this.state.view === "creating") void this.retry();
  };

  #set(state: WidgetState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}
