import { type Chat, ChatError, type Member, type Message, type Room } from "./chat";

/** Where a ticket's conversation stands, as its room shows it. */
export type Standing =
  /** Nobody has the ticket yet. */
  | { kind: "waiting"; reopened: boolean }
  /** `before` are the agents whom these ones replaced. */
  | { kind: "joined"; agents: Member[]; before: Member[]; reopened: boolean }
  /** Solved; `locked` unless the customer may go on writing. */
  | { kind: "ended"; locked: boolean }
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

/** Ids of agents: caseroom's prefixes, or the desks' bare ids. */
const agentId = /^(zd_|sf_|\d+$|005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$)/;

export function isAgent(userId: string): boolean {
  return agentId.test(userId);
}

/** How long "is writing" holds without another sign, in milliseconds. */
const typingHolds = 5_000;
/** Pages read after a lost connection before the gap is given up. */
const gapPages = 10;
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
  #seen = 0;
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
    private readonly newId: () => string = () => crypto.randomUUID(),
  ) {
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
    if (latest < this.#seen) this.#seen = 0;
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
    await this.#send({ ...this.#draft(), kind: "text", text });
  }

  async sendFile(file: File): Promise<void> {
    const draft = this.#draft();
    this.#files.set(draft.clientId, file);
    await this.#send({ ...draft, kind: "file", name: file.name, size: file.size });
  }

  /** Sends again what failed, under the same client id. */
  async resend(clientId: string): Promise<void> {
    const m = this.state.messages.find((x) => x.clientId === clientId && x.state === "failed");
    if (!m) return;
    const { progress: _, ...again } = m;
    await this.#send({ ...again, clientId, state: "sending" });
  }

  discard(clientId: string): void {
    this.#files.delete(clientId);
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
    this.#seen = newest;
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
      clientId: this.newId(),
      time: Date.now(),
      from: this.me,
      nick: "",
      mine: true,
      state: "sending" as const,
    };
  }

  async #send(m: Message & { clientId: string }): Promise<void> {
    this.#put(m);
    this.#lastTyping = 0; // what is written next is news again
    try {
      const file = this.#files.get(m.clientId);
      const sent = file
        ? await this.chat.sendFile(this.groupId, file, m.clientId, (part) =>
            this.#progress(m.clientId, part),
          )
        : await this.chat.sendText(this.groupId, m.text ?? "", m.clientId);
      this.#files.delete(m.clientId);
      this.#merge([sent]);
    } catch (err) {
      const error = err instanceof ChatError ? err : new ChatError("unknown");
      // It may have arrived although its answer did not.
      const there = this.state.messages.some((x) => x.clientId === m.clientId && x.seq > 0);
      if (!there) this.#put({ ...m, state: "failed" });
      if (error.code === "muted" || error.code === "not_member") void this.#look();
      throw error;
    }
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
        bySeq.set(m.seq, { ...had, ...m, nick: m.nick || had?.nick || "" });
        if (m.clientId) done.add(m.clientId);
      }
    }
    const left = unsent.filter((m) => !m.clientId || !done.has(m.clientId));
    const all = [...bySeq.values(), ...left];
    const messages = sorted(genuine(all, this.state.members, this.me));
    this.#set({
      messages,
      unread: messages.filter((m) => m.seq > this.#seen && !m.mine && m.kind !== "notice").length,
    });
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
  const notices = s.messages.flatMap((m) => (m.notice ? [m.notice] : []));
  const last = notices.at(-1);
  if (s.room?.muted || last?.kind === "ended" || last?.kind === "merged") {
    if (last?.kind === "merged") return { kind: "merged", ...pick(last.ticket) };
    return { kind: "ended", locked: s.room?.muted ?? false };
  }
  const reopened = notices.some((n) => n.kind === "ended" || n.kind === "merged");
  const agents = s.members.filter((m) => isAgent(m.userId));
  if (agents.length > 0) return { kind: "joined", agents, before, reopened };
  return { kind: "waiting", reopened };
}

/**
 * Any member can send what looks like a notice. caseroom speaks as the app's admin,
 * who is in no room, so that what a customer or an agent says is only a text.
 */
function genuine(messages: Message[], members: Member[], me: string): Message[] {
  return messages.map((m) => {
    const known = m.from === me || isAgent(m.from) || members.some((x) => x.userId === m.from);
    if (m.kind !== "notice" || !known) return m;
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
