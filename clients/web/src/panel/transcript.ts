import type { Message } from "../chat/chat";
import { isAgent } from "../chat/room";

/** A room's messages as text, as they are filed on the ticket, with names where there are any. */
export function transcript(
  messages: Message[],
  customer: { userId: string; name: string },
): string {
  return messages
    .filter((m) => m.seq > 0 && m.kind !== "request")
    .map((m) => {
      const at = new Date(m.time).toISOString().slice(0, 19).replace("T", " ");
      return `${at}  ${who(m, customer)}: ${body(m).replaceAll("\n", "\n    ")}\n`;
    })
    .join("");
}

function who(m: Message, customer: { userId: string; name: string }): string {
  if (m.kind === "notice") return "caseroom";
  if (m.from === customer.userId) return `customer ${customer.name || m.from}`;
  // An agent's name is caseroom's; others may call themselves what they like.
  return (isAgent(m.from) && m.nick) || m.from || "-";
}

function body(m: Message): string {
  if (m.recalled) return "[recalled message]";
  switch (m.kind) {
    case "image":
      return `[image ${m.url ?? ""}]`;
    case "file":
      return `[file ${m.name ?? ""} ${m.url ?? ""}]`;
    case "unsupported":
      return "[custom message]";
    default:
      return m.text ?? "";
  }
}
