import type { Outbox, Unsent } from "../chat/room";
import { read, store } from "./stored";

/** How long another page may keep a room's outbox to itself, in milliseconds. */
const longestAlone = 30_000;

/** The unsent texts of one room, for all pages of a browser. Without storage they last as long as the page. */
export class StoredOutbox implements Outbox {
  readonly #key: string;
  #here: Unsent[] = [];
  #storage: Storage | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(api: string, groupId: string, storage: Storage | undefined = store("localStorage")) {
    this.#key = `caseroom-unsent:${api}:${groupId}`;
    this.#storage = storage;
  }

  list(): Unsent[] {
    if (this.#storage) this.#here = read<Unsent[]>(this.#storage, this.#key, Array.isArray) ?? [];
    return this.#here;
  }

  put(m: Unsent): void {
    this.#keep([...this.list().filter((x) => x.clientId !== m.clientId), m]);
  }

  drop(clientId: string): void {
    const list = this.list();
    const rest = list.filter((x) => x.clientId !== clientId);
    if (rest.length < list.length) this.#keep(rest);
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    const locks = globalThis.navigator?.locks;
    if (!locks) {
      const turn = this.#last.then(work, work);
      this.#last = turn.catch(() => {});
      return turn;
    }
    const waiting = new AbortController();
    // A page that the system has put to sleep never gives its turn back.
    const timer = setTimeout(() => waiting.abort(), longestAlone);
    const mine = () => {
      clearTimeout(timer);
      return work();
    };
    try {
      return (await locks.request(this.#key, { signal: waiting.signal }, mine)) as T;
    } catch (err) {
      if (!waiting.signal.aborted) throw err;
      return (await locks.request(this.#key, { steal: true }, work)) as T;
    }
  }

  #keep(list: Unsent[]): void {
    this.#here = list;
    try {
      if (list.length) this.#storage?.setItem(this.#key, JSON.stringify(list));
      else this.#storage?.removeItem(this.#key);
    } catch {
      this.#storage = undefined; // full or forbidden
    }
  }
}
