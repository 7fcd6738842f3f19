import type { ComponentChildren } from "preact";

const link = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

/** A text with its addresses as links. What others wrote is never taken for markup. */
export function Linked({ text }: { text: string }) {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const m of text.matchAll(link)) {
    if (m.index > at) parts.push(text.slice(at, m.index));
    parts.push(
      <a href={m[0]} target="_blank" rel="noopener noreferrer nofollow">
        {m[0]}
      </a>,
    );
    at = m.index + m[0].length;
  }
  parts.push(text.slice(at));
  return <bdi>{parts}</bdi>;
}

/** An address that may be opened or shown; others may write anything into a message. */
export function safeUrl(url: string | undefined): string | undefined {
  if (!url) return undefined;
  try {
    const u = new URL(url);
    const local = ["127.0.0.1", "localhost", "[::1]"].includes(u.hostname);
    return u.protocol === "https:" || (u.protocol === "http:" && local) ? u.href : undefined;
  } catch {
    return undefined;
  }
}

/** A file's name without the marks that turn the direction: "gpj.exe" must not read "exe.jpg". */
export function shownName(name: string): string {
  return name.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}

export function fileSize(bytes: number, lang: string): string {
  const units = ["byte", "kilobyte", "megabyte"] as const;
  const i = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : 2;
  return new Intl.NumberFormat(lang, {
    style: "unit",
    unit: units[i] as string,
    unitDisplay: "short",
    maximumFractionDigits: i,
  }).format(bytes / 1024 ** i);
}
