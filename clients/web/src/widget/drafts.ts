import type { CaseInfo } from "../api/api";
import { read, store } from "./stored";

interface Begun {
  form?: Partial<CaseInfo>;
  rooms?: Record<string, string>;
}

/** What somebody has begun to write in this tab; it outlives a reload, and nobody else gets it. */
export class StoredDrafts {
  readonly #key: string;
  #here: Begun = {};
  #storage: Storage | undefined;

  constructor(api: string, storage: Storage | undefined = store("sessionStorage")) {
    this.#key = `caseroom-draft:${api}`;
    this.#storage = storage;
    if (storage) this.#here = read<Begun>(storage, this.#key, isObject) ?? {};
  }

  get form(): Partial<CaseInfo> | undefined {
    return this.#here.form;
  }

  set form(form: Partial<CaseInfo> | undefined) {
    const { form: _, ...rest } = this.#here;
    this.#keep(form ? { ...rest, form } : rest);
  }

  get(groupId: string): string | undefined {
    return this.#here.rooms?.[groupId];
  }

  set(groupId: string, text: string): void {
    this.#keep({ ...this.#here, rooms: { ...this.#here.rooms, [groupId]: text } });
  }

  delete(groupId: string): void {
    const { [groupId]: had, ...rooms } = this.#here.rooms ?? {};
    if (had !== undefined) this.#keep({ ...this.#here, rooms });
  }

  #keep(begun: Begun): void {
    this.#here = begun;
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(begun));
    } catch {
      this.#storage = undefined;
    }
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
