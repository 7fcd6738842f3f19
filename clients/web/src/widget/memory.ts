import type { CaseInfo } from "../api/api";

/** A request as the browser remembers it. It holds no UserSig. */
export interface OpenTicket {
  groupId: string;
  ticketId: string;
  userId: string;
  /** What the customer asked for, and when; milliseconds since 1970. */
  subject?: string;
  text?: string;
  time?: number;
  /** The last message that was seen. */
  seen?: number;
  /** When it was first seen to have ended; milliseconds since 1970. */
  ended?: number;
}

/** Whether a ticket belongs to a guest, whose token proves it whoever is signed in. */
export function isGuests(ticket: Pick<OpenTicket, "userId">): boolean {
  return ticket.userId.startsWith("guest_");
}

/** How many earlier requests are remembered. */
const remembered = 20;

/** What the browser remembers between pages and tabs. */
export interface Memory {
  ticket?: OpenTicket;
  /** Earlier ones, newest first. */
  others?: OpenTicket[];
  /** A request that has not been answered yet, with the key of all its tries. */
  pending?: { key: string; caseInfo: CaseInfo };
  /** Proves that a later visit is the same guest. */
  guestToken?: string;
  /** Whether the chat was open. */
  open?: boolean;
}

/** The browser's memory for one API. Without storage it lasts as long as the page. */
export class Remembered {
  readonly #key: string;
  #storage: Storage | undefined;
  #here: Memory = {};

  constructor(api: string, storage: Storage | undefined = available()) {
    this.#key = `caseroom:${api}`;
    this.#storage = storage;
    this.#here = this.#read();
  }

  get(): Memory {
    if (this.#storage) this.#here = this.#read();
    return this.#here;
  }

  set(change: { [K in keyof Memory]?: Memory[K] | undefined }): void {
    const next = { ...this.get(), ...change };
    for (const k of Object.keys(next) as (keyof Memory)[]) {
      if (next[k] === undefined) delete next[k];
    }
    this.#here = next as Memory;
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(next));
    } catch {
      // Full or forbidden: then it lasts as long as the page.
      this.#storage = undefined;
    }
  }

  /** Adds to what is known of a ticket, whether it is the open one or not. */
  note(groupId: string, more: Partial<OpenTicket>): void {
    const { ticket, others = [] } = this.get();
    const noted = (t: OpenTicket) => (t.groupId === groupId ? { ...t, ...more } : t);
    this.set({ ...(ticket ? { ticket: noted(ticket) } : {}), others: others.map(noted) });
  }

  /** Makes a ticket the open one, or none; what was open is an earlier one then. */
  open(ticket: OpenTicket | undefined): void {
    const { ticket: had, others = [] } = this.get();
    const rest = others.filter((t) => t.groupId !== ticket?.groupId);
    if (had && had.groupId !== ticket?.groupId) rest.unshift(had);
    const kept = others.find((t) => t.groupId === ticket?.groupId);
    this.set({ ticket: ticket && { ...kept, ...ticket }, others: rest.slice(0, remembered) });
  }

  /** Hears of what another tab remembers. */
  onOther(listener: () => void): () => void {
    const heard = (e: StorageEvent) => {
      if (e.key === this.#key || e.key === null) listener();
    };
    globalThis.addEventListener?.("storage", heard);
    return () => globalThis.removeEventListener?.("storage", heard);
  }

  #read(): Memory {
    let text: string | null | undefined;
    try {
      text = this.#storage?.getItem(this.#key);
    } catch {
      this.#storage = undefined;
      return this.#here;
    }
    try {
      const m = JSON.parse(text ?? "{}") as Memory;
      return m && typeof m === "object" ? m : {};
    } catch {
      return {}; // Somebody else's, or half of it.
    }
  }
}

function available(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
