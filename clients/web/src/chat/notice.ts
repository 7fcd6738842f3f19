import type { Message, Notice } from "./chat";

const kinds = ["waiting", "joined", "ended", "merged"];

/** Reads caseroom's notice from a message's CloudCustomData; undefined if it is none. */
export function parseNotice(cloudCustomData: unknown): Notice | undefined {
  const caseroom = parse(cloudCustomData);
  if (typeof caseroom?.kind !== "string" || !kinds.includes(caseroom.kind)) return undefined;
  const notice: Notice = { kind: caseroom.kind as Notice["kind"] };
  if (typeof caseroom.ticket === "string" && caseroom.ticket) notice.ticket = caseroom.ticket;
  if (typeof caseroom.agents === "string" && caseroom.agents) notice.agents = caseroom.agents;
  return notice;
}

/** Reads the customer's request from a custom element's data; undefined if it is none. */
export function parseRequest(data: unknown): Pick<Message, "subject" | "text"> | undefined {
  const caseroom = parse(data);
  if (caseroom?.kind !== "request") return undefined;
  const { subject, text } = caseroom;
  return {
    ...(typeof subject === "string" ? { subject } : {}),
    ...(typeof text === "string" ? { text } : {}),
  };
}

/** Reads the id that the client which sent a message gave it. */
export function parseClientId(cloudCustomData: unknown): string | undefined {
  const id = parse(cloudCustomData)?.clientId;
  return typeof id === "string" && id ? id : undefined;
}

function parse(cloudCustomData: unknown): Record<string, unknown> | undefined {
  if (typeof cloudCustomData !== "string" || cloudCustomData === "") return undefined;
  try {
    const data = JSON.parse(cloudCustomData) as { caseroom?: unknown } | null;
    const caseroom = data?.caseroom;
    return typeof caseroom === "object" && caseroom
      ? (caseroom as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
