import { useEffect, useLayoutEffect, useState } from "preact/hooks";

const narrow = "(max-width: 480px)";

/** Whether the chat covers the whole page. */
export function useNarrow(): boolean {
  const [is, set] = useState(() => matchMedia(narrow).matches);
  useEffect(() => {
    const media = matchMedia(narrow);
    const heard = () => set(media.matches);
    heard();
    media.addEventListener("change", heard);
    return () => media.removeEventListener("change", heard);
  }, []);
  return is;
}

/**
 * While the chat covers the page, the page behind it does not scroll and "back" closes the
 * chat. The entry in the history is a copy of the page's own, so that its router minds nothing.
 */
export function useCover(covers: boolean, close: () => void): void {
  useLayoutEffect(() => {
    if (!covers) return;
    const { style } = document.documentElement;
    const overflow = style.overflow;
    style.overflow = "hidden";
    if (!ours(history.state)) history.pushState({ ...history.state, caseroom: true }, "");
    const back = () => {
      if (!ours(history.state)) close();
    };
    addEventListener("popstate", back);
    return () => {
      style.overflow = overflow;
      removeEventListener("popstate", back);
      if (ours(history.state)) history.back();
    };
  }, [covers]);
}

function ours(state: unknown): boolean {
  return typeof state === "object" && state !== null && "caseroom" in state;
}

/** Keeps the focus in an element that covers everything else. */
export function keepFocus(e: KeyboardEvent, inside: HTMLElement, active: Element | null): void {
  if (e.key !== "Tab") return;
  const all = Array.from(
    inside.querySelectorAll<HTMLElement>(
      "a[href], button:not(:disabled), input:not([hidden]), textarea, summary, [tabindex='0']",
    ),
  ).filter((el) => el.getClientRects().length > 0);
  const edge = e.shiftKey ? all[0] : all.at(-1);
  const outside =
    !active || !inside.contains(active) || (e.shiftKey && !all.includes(active as HTMLElement));
  if (active !== edge && !outside) return;
  e.preventDefault();
  (e.shiftKey ? all.at(-1) : all[0])?.focus();
}
