import type { ComponentChildren } from "preact";

/**
 * An address, up to what ends one in any script: white space, quotes, punctuation and signs
 * beyond ASCII, and the marks that turn the direction. Words may join by U+200C and U+200D.
 */
const link =
  /https?:\/\/(?:[!#-&(-;=?-[\]_a-z{|}~\u200c\u200d]|(?![\p{P}\p{S}\p{Z}\p{C}])[^\0-\x7f])+/giu;
/** Where Latin goes over into a script that writes no spaces: there the sentence goes on. */
const goesOn = /(?<=[a-z\d])[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}]/iu;
const closers: Record<string, string> = { ")": "(", "]": "[", "}": "{" };

/** Where an address ends: not with the sentence's mark, nor a bracket opened before it. */
function trimmed(address: string): string {
  let end = address.length;
  for (; end > 0; end--) {
    const last = address[end - 1] as string;
    if (".,;:!?*_~".includes(last)) continue;
    const opener = closers[last];
    if (!opener) break;
    const inside = address.slice(0, end);
    if (inside.split(opener).length >= inside.split(last).length) break;
  }
  return address.slice(0, end);
}

/** The parts of a text; every second one is an address. */
export function splitLinks(text: string): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const m of text.matchAll(link)) {
    const address = trimmed(m[0].slice(0, goesOn.exec(m[0])?.index));
    if (!/^https?:\/\/[^/?#]/i.test(address)) continue;
    parts.push(text.slice(at, m.index), address);
    at = m.index + address.length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** A text with its addresses as links. What others wrote is never taken for markup. */
export function Linked({ text }: { text: string }) {
  const parts: ComponentChildren[] = splitLinks(text).map((part, i) =>
    i % 2 === 0 ? (
      part
    ) : (
      <a href={part} target="_blank" rel="noopener noreferrer nofollow">
        {part}
      </a>
    ),
  );
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
