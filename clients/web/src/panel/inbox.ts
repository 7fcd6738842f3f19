import type { Chat, Message, Room } from "../chat/chat";
import { isAgent } from "../chat/room";

/** One of the agent's open rooms. */
export interface InboxRow {
  groupId: string;
  /** The customer's messages that the agent has not seen. */
  unread: number;
  /** Since when the customer waits for an answer; milliseconds since 1970. */
  since?: number;
  last?: Message;
}

export interface InboxState {
  phase: "loading" | "ready" | "failed";
  /** Who waits longest comes first; then who wrote last. */
  rows: InboxRow[];
  unread: number;
}

/** Up to which message the agent has seen each room, in this browser. */
export interface SeenSeqs {
  get(groupId: string): number;
  set(groupId: string, seq: number): void;
}

/** How long a message may be on its way to a conversation that is open before it is news, in milliseconds. */
const lookFirst = 1_500;
/** How soon the list is read again when that failed, in milliseconds. */
const readAgain = 10_000;

/**
 * InboxStore is all open rooms of an agent: the chat's own list of rooms, with who
 * waits for an answer. It reads a room's last page once, then hears what comes.
 */
export class InboxStore {
  state: InboxState = { phase: "loading", rows: [], unread: 0 };
  readonly #chat: Chat;
  readonly #me: string;
  readonly #seen: SeenSeqs;
  readonly #news: (row: InboxRow, message: Message) => void;
  readonly #listeners = new Set<() => void>();
  readonly #messages = new Map<string, Message[]>();
  readonly #off: (() => void)[];
  readonly #soon = new Set<ReturnType<typeof setTimeout>>();
  #reading = false;
  #again = false;
  #closed = false;

  constructor(
    chat: Chat,
    me: string,
    seen: SeenSeqs,
    news: (row: InboxRow, message: Message) => void = () => {},
  ) {
    this.#chat = chat;
    this.#me = me;
    this.#seen = seen;
    this.#news = news;
    this.#off = [
      chat.on("message", ({ groupId, message }) => this.#heard(groupId, message)),
      chat.on("room", () => void this.read()),
      chat.on("read", ({ groupId, userId, seq }) => {
        if (userId !== me) return;
        if (seq > seen.get(groupId)) seen.set(groupId, seq);
        this.#show();
      }),
      chat.on("connection", (connection) => {
        if (connection !== "online") return;
        this.#messages.clear(); // What came meanwhile was not heard.
        void this.read();
      }),
    ];
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads which rooms there are, and those that are new here; once for many signs. */
  async read(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#again = false;
        await this.#readOnce();
      } while (this.#again && !this.#closed);
    } catch {
      if (this.#closed) return;
      if (this.state.phase === "loading") this.#set({ phase: "failed", rows: [], unread: 0 });
      this.#later(() => void this.read(), readAgain);
    } finally {
      this.#reading = false;
    }
  }

  close(): void {
    this.#closed = true;
    for (const off of this.#off) off();
    for (const timer of this.#soon) clearTimeout(timer);
    this.#listeners.clear();
  }

  async #readOnce(): Promise<void> {
    // An ended ticket's room waits for nobody.
    const open = (await this.#chat.rooms()).filter((r: Room) => !r.muted);
    const ids = new Set(open.map((r) => r.groupId));
    for (const groupId of this.#messages.keys()) {
      if (!ids.has(groupId)) this.#messages.delete(groupId);
    }
    for (const groupId of ids) {
      if (this.#messages.has(groupId) || this.#closed) continue;
      const { messages } = await this.#chat.history(groupId);
      this.#messages.set(groupId, messages);
    }
    this.#show("ready");
  }

  #heard(groupId: string, message: Message): void {
    const had = this.#messages.get(groupId);
    if (!had) {
      void this.read();
      return;
    }
    const known = had.some((m) => m.seq === message.seq);
    const messages = [...had.filter((m) => m.seq !== message.seq), message];
    this.#messages.set(
      groupId,
      messages.sort((a, b) => a.seq - b.seq),
    );
    this.#show();
    if (known || !fromCustomer(message, this.#me)) return;
    this.#later(() => {
      const row = this.state.rows.find((r) => r.groupId === groupId);
      if (row && message.seq > this.#seen.get(groupId)) this.#news(row, message);
    }, lookFirst);
  }

  #show(phase = this.state.phase): void {
    const rows = [...this.#messages].map(([groupId, list]) => this.#row(groupId, list));
    rows.sort(
      (a, b) =>
        (a.since ?? Number.POSITIVE_INFINITY) - (b.since ?? Number.POSITIVE_INFINITY) ||
        (b.last?.time ?? 0) - (a.last?.time ?? 0),
    );
    this.#set({ phase, rows, unread: rows.reduce((n, r) => n + r.unread, 0) });
  }

  #row(groupId: string, list: Message[]): InboxRow {
    const answer = list.findLast((m) => m.seq > 0 && (m.mine || isAgent(m.from)))?.seq ?? 0;
    const asked = list.filter((m) => fromCustomer(m, this.#me));
    const waits = asked.find((m) => m.seq > answer);
    const seen = Math.max(this.#seen.get(groupId), answer);
    const last = list.findLast((m) => m.kind !== "notice" && m.kind !== "request");
    return {
      groupId,
      unread: asked.filter((m) => m.seq > seen).length,
      ...(waits ? { since: waits.time } : {}),
      ...(last ? { last } : {}),
    };
  }

  #later(work: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#soon.delete(timer);
      work();
    }, ms);
    this.#soon.add(timer);
  }

  #set(state: InboxState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

function fromCustomer(m: Message, me: string): boolean {
  const said = m.kind !== "notice" && m.kind !== "tip" && m.kind !== "request";
  return m.seq > 0 && said && m.from !== me && !m.mine && !isAgent(m.from);
}

/** What the agent has seen, in the browser's storage where it lets us. */
export function keptSeen(userId: string): SeenSeqs {
  const key = `caseroom:seen:${userId}`;
  const read = (): Record<string, number> => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "{}") as Record<string, number>;
    } catch {
      return {};
    }
  };
  const here = read();
  return {
    get: (groupId) => Math.max(here[groupId] ?? 0, read()[groupId] ?? 0),
    set(groupId, seq) {
      here[groupId] = seq;
      try {
        localStorage.setItem(key, JSON.stringify({ ...read(), [groupId]: seq }));
      } catch {
        // Blocked or full: this page still knows.
      }
    },
  };
}
