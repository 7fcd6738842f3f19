import type { Chat, ChatEvents, Connection } from "./chat";

type Listener<E extends keyof ChatEvents> = (detail: ChatEvents[E]) => void;

/** What the implementations of {@link Chat} have in common: listeners and a connection's state. */
export abstract class Emitter implements Pick<Chat, "on" | "connection"> {
  #listeners: { [E in keyof ChatEvents]?: Set<Listener<E>> } = {};
  #connection: Connection = "connecting";

  get connection(): Connection {
    return this.#connection;
  }

  on<E extends keyof ChatEvents>(event: E, listener: Listener<E>): () => void {
    const all = (this.#listeners as Record<E, Set<Listener<E>> | undefined>)[event] ?? new Set();
    (this.#listeners as Record<E, Set<Listener<E>>>)[event] = all;
    all.add(listener);
    return () => all.delete(listener);
  }

  protected emit<E extends keyof ChatEvents>(event: E, detail: ChatEvents[E]): void {
    for (const listener of this.#listeners[event] ?? []) listener(detail);
  }

  protected became(connection: Connection): void {
    if (connection === this.#connection) return;
    this.#connection = connection;
    this.emit("connection", connection);
  }
}
