import {
  type Chat,
  ChatError,
  type ChatErrorCode,
  type Member,
  type Message,
  type Room,
} from "./chat";
import { uuidv7 } from "./ids";

/** Where a ticket's conversation stands, as its room shows it. */
export type Standing =
  /** Nobody has the ticket yet. */
  | { kind: "waiting"; reopened: boolean }
  /** `before` are the agents whom these ones replaced. */
  | { kind: "joined"; agents: Member[]; before: Member[]; reopened: boolean }
  /** Solved; `locked` unless the customer may go on writing. */
  | { kind: "ended"; locked: boolean }
  /** Nobody may write although the ticket has not ended. */
  | { kind: "locked" }
  | { kind: "merged"; ticket?: string };

export interface RoomState {
  /** "left": this person is no longer a member. */
  phase: "loading" | "ready" | "left" | "failed";
  error?: ChatError;
  room?: Room;
  members: Member[];
  messages: Message[];
  /** Whether nothing older is left. */
  complete: boolean;
  loadingMore: boolean;
  /** Who is writing now. */
  typing: Member[];
  /** Messages of others since {@link RoomStore.seen}. */
  unread: number;
  /** The last message that somebody else is known to have read. */
  readByOthers: number;
  standing: Standing;
}

/** A text that was written and is not known to be sent. */
export interface Unsent {
  clientId: string;
  text: string;
  /** Milliseconds since 1970. */
  time: number;
}

/** Where one room's unsent texts outlive the page. */
export interface Outbox {
  list(): Unsent[];
  put(m: Unsent): void;
  drop(clientId: string): void;
  /** Runs work while no other page of this browser sends to the room. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

export interface RoomOptions {
  newId?: () => string;
  outbox?: Outbox;
  /** Up to which message all has been seen before; "all" counts from now on. Default none. */
  seen?: number | "all";
  onSeen?: (seq: number) => void;
}

/** What may succeed later without another word from the person who wrote it. */
const passing: ReadonlySet<ChatErrorCode> = new Set(["offline", "blocked", "expired", "busy"]);

/** Whether trying to send it again can help. */
export function retryable(code: ChatErrorCode | undefined): boolean {
  return code === undefined || code === "unknown" || passing.has(code);
}

/** Ids of agents: caseroom's prefixes, or the desks' bare ids. */
const agentId = /^(zd_|sf_|\d+$|005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$)/;

export function isAgent(userId: string): boolean {
  return agentId.test(userId);
}

/** How long "is writing" holds without another sign, in milliseconds. */
const typingHolds = 5_000;
/** Pages read after a lost connection before the gap is given up. */
const gapPages = 10;
/** By how much this device's clock and the vendor's may differ, in milliseconds. */
const clockSkew = 10 * 60_000;
/** How long until missed messages that could not be read are asked for again, in milliseconds. */
const readAgain = 5_000;

/** RoomStore is one room as a person sees it: messages in order, once each, and who is there. */
export class RoomStore {
  state: RoomState = {
    phase: "loading",
    members: [],
    messages: [],
    complete: false,
    loadingMore: false,
    typing: [],
    unread: 0,
    readByOthers: 0,
    standing: { kind: "waiting", reopened: false },
  };
  readonly #listeners = new Set<() => void>();
  readonly #off: (() => void)[];
  readonly #files = new Map<string, File>();
  readonly #typing = new Map<string, ReturnType<typeof setTimeout>>();
  #agents: Member[] = [];
  #before: Member[] = [];
  readonly #newId: () => string;
  readonly #outbox: Outbox | undefined;
  readonly #onSeen: (seq: number) => void;
  /** Texts of an earlier page: whether they arrived stands in the history alone. */
  readonly #inherited = new Set<string>();
  #flushing = false;
  #seen: number;
  /** Up to here nothing is missing; 0 until the first read. */
  #upTo = 0;
  /** Since the last read the connection has held: nothing is missing at all. */
  #whole = false;
  #breaks = 0;
  #opening = false;
  #again = false;
  #later: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #looking = false;
  #lookAgain = false;
  #lastTyping = 0;

  constructor(
    readonly chat: Chat,
    readonly groupId: string,
    readonly me: string,
    o: RoomOptions = {},
  ) {
    this.#newId = o.newId ?? (() => uuidv7());
    this.#outbox = o.outbox;
    this.#seen = o.seen === "all" ? Number.POSITIVE_INFINITY : (o.seen ?? 0);
    this.#onSeen = o.onSeen ?? (() => {});
    for (const m of o.outbox?.list() ?? []) this.#inherit(m);
    this.#off = [
      chat.on("message", ({ groupId, message }) => {
        if (groupId !== this.groupId) return;
        this.#stopTyping(message.from);
        this.#merge([message]);
        if (message.notice) void this.#look();
      }),
      chat.on("recalled", ({ groupId, seq }) => {
        if (groupId === this.groupId) this.#recall(seq);
      }),
      chat.on("typing", ({ groupId, userId }) => {
        if (groupId === this.groupId && userId !== this.me) this.#types(userId);
      }),
      chat.on("read", ({ groupId, userId, seq }) => {
        if (groupId !== this.groupId || userId === this.me) return;
        this.#set({ readByOthers: Math.max(this.state.readByOthers, seq) });
      }),
      chat.on("room", ({ groupId }) => {
        if (groupId === this.groupId) void this.#look();
      }),
      chat.on("connection", (connection) => {
        if (connection === "online") void this.open();
        else this.#broke();
      }),
    ];
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the room, or what was missed since. */
  async open(): Promise<void> {
    if (this.#opening) {
      this.#again = true;
      return;
    }
    this.#opening = true;
    clearTimeout(this.#later);
    try {
      do {
        this.#again = false;
        await this.#read().catch((err: unknown) => this.#notRead(err));
      } while (this.#again);
    } finally {
      this.#opening = false;
    }
    void this.#flush();
  }

  #notRead(err: unknown): void {
    if (this.#again || this.#closed) return;
    const error = err instanceof ChatError ? err : new ChatError("unknown");
    if (error.code === "not_member" || error.code === "gone") this.#leave();
    else if (this.state.phase !== "ready") this.#set({ phase: "failed", error });
    else if (this.chat.connection === "online") {
      this.#later = setTimeout(() => void this.open(), readAgain);
    }
  }

  /** What comes by itself from now on says nothing of what was sent before it. */
  #broke(): void {
    if (this.#whole) this.#upTo = this.#newest();
    this.#whole = false;
    this.#breaks++;
  }

  async #read(): Promise<void> {
    const breaks = this.#breaks;
    const room = await this.chat.room(this.groupId);
    if (!room) {
      this.#leave();
      return;
    }
    const [members, first] = await Promise.all([
      this.chat.members(this.groupId),
      this.chat.history(this.groupId),
    ]);
    const latest = first.messages.at(-1)?.seq ?? 0;
    // A room that was made again counts from the beginning: it is another one.
    if (latest < this.#upTo) this.#forget();
    if (this.#seen === Number.POSITIVE_INFINITY) this.#saw(latest);
    else if (latest < this.#seen) this.#saw(0);
    const newest = this.#whole ? this.#newest() : this.#upTo;
    let page = first;
    const read = [...page.messages];
    for (let i = 1; newest && i < gapPages; i++) {
      const oldest = page.messages[0]?.seq;
      if (page.complete || oldest === undefined || oldest <= newest + 1) break;
      page = await this.chat.history(this.groupId, oldest);
      read.unshift(...page.messages);
    }
    this.#upTo = latest;
    this.#whole = breaks === this.#breaks;
    this.#met(members);
    const oldest = page.messages[0]?.seq;
    const gap = !page.complete && oldest !== undefined && oldest > newest + 1;
    this.#set({
      phase: "ready",
      room,
      members,
      ...(newest && !gap ? {} : { complete: page.complete }),
      // What lies before a gap comes again by paging back: there is no hole in a history.
      ...(newest && gap
        ? { messages: this.state.messages.filter((m) => m.seq === 0 || m.seq >= oldest) }
        : {}),
    });
    this.#merge(read);
  }

  /** The room, or this person's place in it, is gone; there may be another under its id. */
  #leave(): void {
    this.#forget();
    this.#set({ phase: "left" });
  }

  /** Keeps only what is not sent yet. */
  #forget(): void {
    this.#upTo = 0;
    this.#whole = false;
    this.#set({
      messages: this.state.messages.filter((m) => m.seq === 0),
      complete: false,
      unread: 0,
      readByOthers: 0,
    });
  }

  /** Reads whether the room is locked and who is in, once for many signs. */
  async #look(): Promise<void> {
    if (this.state.phase === "loading") return;
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    try {
      do {
        this.#lookAgain = false;
        await this.#lookOnce();
      } while (this.#lookAgain);
    } finally {
      this.#looking = false;
    }
  }

  async #lookOnce(): Promise<void> {
    try {
      const room = await this.chat.room(this.groupId);
      if (!room) {
        this.#leave();
        return;
      }
      const members = await this.chat.members(this.groupId);
      this.#met(members);
      const back = this.state.phase !== "ready";
      this.#set({ phase: "ready", room, members });
      if (back) void this.open();
    } catch {
      // The next sign, or the next connection, reads it again.
    }
  }

  async older(): Promise<void> {
    const oldest = this.#oldest();
    if (this.state.complete || this.state.loadingMore || oldest === undefined) return;
    this.#set({ loadingMore: true });
    try {
      const page = await this.chat.history(this.groupId, oldest);
      if (this.#oldest() !== oldest) return; // they lie before something else by now
      this.#merge(page.messages);
      this.#set({ complete: page.complete });
    } catch {
      // Whoever scrolls again asks again.
    } finally {
      this.#set({ loadingMore: false });
    }
  }

  async send(text: string): Promise<void> {
    const m = { ...this.#draft(), kind: "text" as const, text };
    this.#outbox?.put({ clientId: m.clientId, text, time: m.time });
    await this.#send(m);
  }

  async sendFile(file: File): Promise<void> {
    const draft = this.#draft();
    const m = { ...draft, kind: "file" as const, name: file.name, size: file.size };
    const wrong: ChatErrorCode | undefined =
      file.size === 0 ? "empty" : file.size > this.chat.limits.file ? "too_large" : undefined;
    if (wrong) {
      this.#put({ ...m, state: "failed", error: wrong });
      throw new ChatError(wrong);
    }
    this.#files.set(draft.clientId, file);
    await this.#send(m);
  }

  /** Sends again what failed, under the same client id. */
  async resend(clientId: string): Promise<void> {
    const m = this.state.messages.find((x) => x.clientId === clientId && x.state === "failed");
    if (!m) return;
    const { progress: _, error: __, ...again } = m;
    await this.#send({ ...again, clientId, state: "sending" });
  }

  discard(clientId: string): void {
    this.#files.delete(clientId);
    this.#outbox?.drop(clientId);
    this.#set({
      messages: this.state.messages.filter((m) => m.clientId !== clientId || m.seq > 0),
    });
  }

  /** Tells the others, at most every few seconds, that this person is writing. */
  writing(): void {
    const now = Date.now();
    if (now - this.#lastTyping < typingHolds / 2 || this.state.room?.muted) return;
    this.#lastTyping = now;
    this.chat.typing(this.groupId);
  }

  /** All that is there has been seen. */
  seen(): void {
    const newest = this.#newest();
    if (newest <= this.#seen) return;
    this.#saw(newest);
    this.chat.read(this.groupId, newest);
    this.#set({ unread: 0 });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#later);
    for (const off of this.#off) off();
    for (const timer of this.#typing.values()) clearTimeout(timer);
    this.#listeners.clear();
  }

  #draft() {
    return {
      seq: 0,
      clientId: this.#newId(),
      time: Date.now(),
      from: this.me,
      nick: "",
      mine: true,
      state: "sending" as const,
    };
  }

  #saw(seq: number): void {
    this.#seen = seq;
    this.#onSeen(seq);
  }

  #inherit(m: Unsent): void {
    this.#inherited.add(m.clientId);
    const draft = { ...this.#draft(), ...m, kind: "text" as const };
    this.#put({ ...draft, state: "failed", error: "offline" });
  }

  async #send(m: Message & { clientId: string }): Promise<void> {
    this.#put(m);
    this.#lastTyping = 0; // what is written next is news again
    try {
      await this.#deliver(m);
    } catch (err) {
      const error = err instanceof ChatError ? err : new ChatError("unknown");
      // It may have arrived although its answer did not.
      if (!this.#arrived(m.clientId)) this.#put({ ...m, state: "failed", error: error.code });
      if (!retryable(error.code) && error.code !== "muted") this.#outbox?.drop(m.clientId);
      if (error.code === "muted" || error.code === "not_member") void this.#look();
      throw error;
    }
  }

  async #deliver(m: Message & { clientId: string }): Promise<void> {
    const file = this.#files.get(m.clientId);
    if (file) {
      const sent = await this.chat.sendFile(this.groupId, file, m.clientId, (part) =>
        this.#progress(m.clientId, part),
      );
      this.#files.delete(m.clientId);
      this.#merge([sent]);
      return;
    }
    const text = m.text ?? "";
    if (new TextEncoder().encode(text).length > this.chat.limits.text) {
      throw new ChatError("too_large");
    }
    const outbox = this.#outbox;
    const send = () => this.chat.sendText(this.groupId, text, m.clientId);
    if (!outbox) {
      this.#merge([await send()]);
      return;
    }
    await outbox.alone(async () => {
      const waits = outbox.list().some((x) => x.clientId === m.clientId);
      // Another page has sent it, or it arrived when its answer did not.
      if (waits && !this.#arrived(m.clientId)) this.#merge([await send()]);
      else if (!waits) this.#drop(m.clientId);
      outbox.drop(m.clientId);
    });
  }

  #arrived(clientId: string): boolean {
    return this.state.messages.some((m) => m.clientId === clientId && m.seq > 0);
  }

  #drop(clientId: string): void {
    this.#set({
      messages: this.state.messages.filter((m) => m.clientId !== clientId || m.seq > 0),
    });
  }

  /** Sends what waits for a connection, oldest first. */
  async #flush(): Promise<void> {
    const ready = () =>
      !this.#closed &&
      this.state.phase === "ready" &&
      !this.state.room?.muted &&
      this.chat.connection === "online";
    if (this.#flushing || !ready()) return;
    this.#flushing = true;
    try {
      for (const m of this.#outbox?.list() ?? []) {
        if (!this.state.messages.some((x) => x.clientId === m.clientId)) this.#inherit(m);
      }
      await this.#lookFor(this.#inherited);
      for (const m of this.state.messages) {
        if (!ready()) return;
        if (m.state !== "failed" || !m.clientId || !m.error || !passing.has(m.error)) continue;
        await this.resend(m.clientId);
      }
    } catch {
      // The next connection tries again; what is "busy" has no other sign.
      clearTimeout(this.#later);
      this.#later = setTimeout(() => void this.#flush(), readAgain);
    } finally {
      this.#flushing = false;
    }
  }

  /** Reads back to where texts of an earlier page would stand if they had arrived. */
  async #lookFor(clientIds: Set<string>): Promise<void> {
    for (let i = 0; i < gapPages; i++) {
      const times = this.state.messages.flatMap((m) =>
        m.seq === 0 && clientIds.has(m.clientId ?? "") ? [m.time] : [],
      );
      const oldest = this.state.messages.find((m) => m.seq > 0);
      if (times.length === 0 || this.state.complete || !oldest) break;
      if (oldest.time < Math.min(...times) - clockSkew) break;
      const page = await this.chat.history(this.groupId, oldest.seq);
      this.#merge(page.messages);
      this.#set({ complete: page.complete });
    }
    clientIds.clear();
  }

  #progress(clientId: string, part: number): void {
    this.#set({
      messages: this.state.messages.map((m) =>
        m.clientId === clientId && m.state === "sending" ? { ...m, progress: part } : m,
      ),
    });
  }

  #put(m: Message & { clientId: string }): void {
    const rest = this.state.messages.filter((x) => x.clientId !== m.clientId);
    this.#set({ messages: sorted([...rest, m]) });
  }

  #merge(incoming: Message[]): void {
    const bySeq = new Map<number, Message>();
    const unsent: Message[] = [];
    const done = new Set<string>();
    for (const m of [...this.state.messages, ...incoming]) {
      if (m.seq === 0) unsent.push(m);
      else {
        const had = bySeq.get(m.seq);
        bySeq.set(m.seq, had ? merged(had, m) : m);
        if (m.clientId) done.add(m.clientId);
      }
    }
    const left = unsent.filter((m) => !m.clientId || !done.has(m.clientId));
    for (const m of incoming) if (m.mine && m.clientId) this.#outbox?.drop(m.clientId);
    const all = [...bySeq.values(), ...left];
    const messages = sorted(genuine(all, this.state.members, this.me));
    this.#set({
      messages,
      unread: messages.filter((m) => m.seq > this.#seen && this.#news(m)).length,
    });
  }

  /** Whether a message is something new to this person; to a customer, an agent who comes is. */
  #news(m: Message): boolean {
    if (m.mine || m.kind === "request") return false;
    return m.kind !== "notice" || (m.notice?.kind === "joined" && !isAgent(this.me));
  }

  #recall(seq: number): void {
    this.#set({
      messages: this.state.messages.map((m) => (m.seq === seq ? { ...m, recalled: true } : m)),
    });
  }

  #oldest(): number | undefined {
    return this.state.messages.find((m) => m.seq > 0)?.seq;
  }

  #newest(): number {
    return this.state.messages.reduce((n, m) => Math.max(n, m.seq), 0);
  }

  #met(members: Member[]): void {
    const agents = members.filter((m) => isAgent(m.userId) && m.userId !== this.me);
    const had = this.#agents;
    if (agents.length === 0 || same(agents, had)) return;
    if (had.length > 0) this.#before = had.filter((m) => !agents.some((a) => same([a], [m])));
    this.#agents = agents;
  }

  #types(userId: string): void {
    clearTimeout(this.#typing.get(userId));
    this.#typing.set(
      userId,
      setTimeout(() => this.#stopTyping(userId), typingHolds),
    );
    this.#set({ typing: this.#writers() });
  }

  #stopTyping(userId: string): void {
    clearTimeout(this.#typing.get(userId));
    if (this.#typing.delete(userId)) this.#set({ typing: this.#writers() });
  }

  #writers(): Member[] {
    return [...this.#typing.keys()].map(
      (id) => this.state.members.find((m) => m.userId === id) ?? { userId: id, nick: "" },
    );
  }

  #set(change: Partial<RoomState>): void {
    const state = { ...this.state, ...change };
    if (change.members) state.messages = genuine(state.messages, state.members, this.me);
    state.standing = standing(state, this.#before);
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

function standing(s: RoomState, before: Member[]): Standing {
  const notices = s.messages.flatMap((m) => (m.notice && !m.edited ? [m.notice] : []));
  const last = notices.at(-1);
  if (last?.kind === "merged") return { kind: "merged", ...pick(last.ticket) };
  if (last?.kind === "ended") return { kind: "ended", locked: s.room?.muted ?? false };
  if (s.room?.muted) return { kind: "locked" };
  const reopened = notices.some((n) => n.kind === "ended" || n.kind === "merged");
  const agents = s.members.filter((m) => isAgent(m.userId));
  if (agents.length > 0) return { kind: "joined", agents, before, reopened };
  return { kind: "waiting", reopened };
}

/** A message that came again. What it was at first stays the same object while nothing differs. */
function merged(had: Message, m: Message): Message {
  // Whoever changes a notice or the request changes what caseroom said, also its kind.
  if (m.edited && !had.edited && (had.kind === "notice" || had.kind === "request")) return had;
  const both: Message = { ...had, ...m, nick: m.nick || had.nick };
  const keys = Object.keys(both) as (keyof Message)[];
  return keys.every((k) => JSON.stringify(both[k]) === JSON.stringify(had[k])) ? had : both;
}

/**
 * Any member can send what looks like a notice. caseroom speaks as the app's admin,
 * who is in no room, so that what a customer or an agent says is only a text.
 */
function genuine(messages: Message[], members: Member[], me: string): Message[] {
  return messages.map((m) => {
    const known = m.from === me || isAgent(m.from) || members.some((x) => x.userId === m.from);
    if ((m.kind !== "notice" && m.kind !== "request") || !known) return m;
    const { notice: _, ...said } = m;
    return { ...said, kind: "text" };
  });
}

function pick(ticket: string | undefined): { ticket?: string } {
  return ticket ? { ticket } : {};
}

function same(a: Member[], b: Member[]): boolean {
  return a.length === b.length && a.every((m) => b.some((n) => n.userId === m.userId));
}

/** Sent ones by their number; what is not sent yet comes last. */
function sorted(messages: Message[]): Message[] {
  return messages.sort((a, b) =>
    a.seq && b.seq ? a.seq - b.seq : a.seq ? -1 : b.seq ? 1 : a.time - b.time,
  );
}
