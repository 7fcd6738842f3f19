import type { Credentials } from "../chat/chat";
import type { AgentApi } from "./agent";

/** A customer as the desk shows them. */
export interface Customer {
  name?: string;
  email?: string;
  /** The desk's own sign that nobody checked the address. */
  unverified?: boolean;
}

/** Where a ticket stands at its desk. */
export interface Standing {
  state: "open" | "ended" | "deleted";
  /** Who has the ticket; null: nobody; absent while the desk does not say. */
  assignee?: { name: string; mine: boolean } | null;
}

export type DeskState =
  /** Nobody has said yet who the agent is and which ticket is open. */
  | { phase: "waiting" }
  /** The page runs where it is not meant to. */
  | { phase: "stranger"; origin: string }
  | { phase: "noTicket" }
  | {
      phase: "ticket";
      groupId: string;
      ticketId: string;
      customer?: Customer;
      standing?: Standing;
    };

/** A ready-made answer of the desk, its placeholders not yet filled in. */
export interface Reply {
  id: string;
  title: string;
  text: string;
}

/** What a ticket is called at its desk. */
export interface Title {
  title: string;
  customer?: string;
}

/** The desk around the panel: who the agent is, and which ticket they look at. */
export interface Desk {
  readonly state: DeskState;
  /** The API in the agent's own name; only a desk that gives the agent a session has it. */
  readonly agent?: AgentApi;
  subscribe(listener: () => void): () => void;
  /** A credential of the agent. */
  renew(): Promise<Credentials>;
  /** Hears of credentials that come unasked. */
  onCredentials(listener: (c: Credentials) => void): void;
  /** How many messages of others the agent has not seen. */
  unread(count: number): void;
  /** Has the desk say again where the ticket stands. */
  look(): void;
  /** Hears that the agent turned to this ticket. */
  onFront(listener: () => void): () => void;
  /** The ready-made answers that this agent may use for the ticket. */
  replies(): Promise<Reply[]>;
  /** The words of one of them for the ticket. */
  fill(reply: Reply): Promise<string>;
  /** What the tickets of rooms are called, as far as the agent may see them. */
  titles(groupIds: string[]): Promise<Map<string, Title>>;
  /** Shows the ticket of a room. */
  open(groupId: string): void;
  /** Tells the agent, wherever they are at the desk, what a customer wrote. */
  call(groupId: string, text: string): void;
}

/** What the desks have in common. */
export abstract class BaseDesk {
  state: DeskState = { phase: "waiting" };
  readonly #listeners = new Set<() => void>();
  readonly #front = new Set<() => void>();

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onFront(listener: () => void): () => void {
    this.#front.add(listener);
    return () => this.#front.delete(listener);
  }

  protected inFront(): void {
    for (const listener of this.#front) listener();
  }

  protected set(state: DeskState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}
