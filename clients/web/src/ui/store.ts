import { useEffect, useReducer } from "preact/hooks";

/** Renders again whenever a store says that its state is another one. */
export function useStore<T>(store: { state: T; subscribe(listener: () => void): () => void }): T {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    again(0);
    return store.subscribe(() => again(0));
  }, [store]);
  return store.state;
}
