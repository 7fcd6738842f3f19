/** Reads what was kept under a key; undefined if it does not fit. */
export function read<T>(
  storage: Storage,
  key: string,
  fits: (v: unknown) => boolean,
): T | undefined {
  try {
    const value: unknown = JSON.parse(storage.getItem(key) ?? "null");
    return fits(value) ? (value as T) : undefined;
  } catch {
    return undefined; // forbidden, somebody else's, or half of it
  }
}

/** A storage, where the browser has and allows one. */
export function store(which: "localStorage" | "sessionStorage"): Storage | undefined {
  try {
    return globalThis[which];
  } catch {
    return undefined;
  }
}
