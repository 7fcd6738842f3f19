import type { Member } from "../chat/chat";
import { isAgent } from "../chat/room";
import type { Locale } from "../i18n/i18n";
import { formats } from "./formats";

export type Viewer = "customer" | "agent";

/**
 * The name to show for somebody. An agent's is caseroom's; anybody else may call themselves
 * what they like in the chat, so they are called by what they are.
 */
export function memberName(m: Member, { t }: Locale, viewer: Viewer): string {
  if (isAgent(m.userId)) return m.nick || t("agent");
  return viewer === "agent" ? t("customer") : t("participant");
}

export function names(list: Member[], locale: Locale, viewer: Viewer): string {
  return formats(locale.lang).list(list.map((m) => memberName(m, locale, viewer)));
}
