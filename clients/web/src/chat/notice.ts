import type { Notice } from "./chat";

const kinds = ["waiting", "joined", "ended", "merged"];

/** Reads caseroom's notice from a message's CloudCustomData; undefined if it is none. */
export function parseNotice(cloudCustomData: unknown): Notice | undefined {
  if (typeof cloudCustomData !== "string" || cloudCustomData === "") return undefined;
  let data: unknown;
  try {
    data = JSON.parse(cloudCustomData);
  } catch {
    return undefined;
  }
  const caseroom = (data as { caseroom?: unknown } | null)?.caseroom as
    | { kind?: unknown; ticket?: unknown }
    | null
    | undefined;
  if (typeof caseroom?.kind !== "string" || !kinds.includes(caseroom.kind)) return undefined;
  const notice: Notice = { kind: caseroom.kind as Notice["kind"] };
  if (typeof caseroom.ticket === "string" && caseroom.ticket) notice.ticket = caseroom.ticket;
  return notice;
}
