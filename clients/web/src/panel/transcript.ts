import type { Message } from "../chat/chat";

/** A room's messages as text, in the form in which they are filed on the ticket. */
export function transcript(messages: Message[], customer: string): string {
  return messages
    .filter((m) => m.seq > 0 && m.kind !== "request")
    .map((m) => {
      const at = new Date(m.time).toISOString().slice(0, 19).replace("T", " ");
      return `${at}  ${who(m, customer)}: ${body(m).replaceAll("\n", "\n    ")}\n`;
    })
    .join("");
}

function who(m: Message, customer: string): string {
  if (m.kind === "notice") return "caseroom";
  return m.from === customer ? `customer ${m.from}` : m.from || "-";
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
