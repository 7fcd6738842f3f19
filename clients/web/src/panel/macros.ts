import type { Reply } from "./desk";
import type { ZafClient } from "./zendesk";

// https://developer.zendesk.com/api-reference/ticketing/business-rules/macros/
interface Macro {
  id: number;
  title: string;
  actions?: { field: string; value: unknown }[];
}

interface Page {
  macros: Macro[];
  meta?: { has_more?: boolean; after_cursor?: string | null };
}

interface Applied {
  result?: { ticket?: { comment?: { body?: string; html_body?: string } } };
}

/** How many pages of 100 are read: somebody who searches a list reads no longer one. */
const mostPages = 5;

/** The active macros that this agent may use and that say something. */
export async function listMacros(client: ZafClient): Promise<Reply[]> {
  const replies: Reply[] = [];
  let after = "";
  for (let i = 0; i < mostPages; i++) {
    const query = new URLSearchParams({
      "page[size]": "100",
      ...(after ? { "page[after]": after } : {}),
    });
    const page = await client.request<Page>({
      url: `/api/v2/macros/active.json?${query}`,
      type: "GET",
    });
    for (const m of page.macros) {
      const text = words(m);
      if (text) replies.push({ id: String(m.id), title: m.title, text });
    }
    after = page.meta?.after_cursor ?? "";
    if (!page.meta?.has_more || !after) break;
  }
  return replies;
}

/**
 * A macro's words as Zendesk fills them in for a ticket; nothing of the ticket changes.
 * Words with a placeholder that nobody filled in are for no customer.
 */
export async function wordsFor(client: ZafClient, ticket: string, macro: Reply): Promise<string> {
  try {
    const { result } = await client.request<Applied>({
      url: `/api/v2/tickets/${ticket}/macros/${macro.id}/apply.json`,
      type: "GET",
    });
    const comment = result?.ticket?.comment;
    const text = comment?.body ? comment.body : plain(comment?.html_body ?? "");
    if (text.trim()) return text.trim();
  } catch {
    // The words themselves are at hand.
  }
  if (/\{\{|\{%/.test(macro.text)) throw new Error("not filled in");
  return macro.text;
}

function words(m: Macro): string {
  for (const { field, value } of m.actions ?? []) {
    // A comment for one channel only comes as [channel, text].
    const text = Array.isArray(value) ? value[1] : value;
    if (typeof text !== "string") continue;
    if (field === "comment_value") return text.trim();
    if (field === "comment_value_html") return plain(text);
  }
  return "";
}

/** The text of what is marked up: a chat knows no markup. Nothing of it is loaded or run. */
export function plain(html: string): string {
  const doc = new DOMParser().parseFromString(html, "text/html");
  for (const br of doc.querySelectorAll("br")) br.replaceWith("\n");
  for (const li of doc.querySelectorAll("li")) li.prepend("- ");
  for (const block of doc.querySelectorAll("p, div, li, h1, h2, h3, h4, h5, h6, tr, blockquote")) {
    block.append("\n");
  }
  return (doc.body.textContent ?? "")
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
