import { useEffect, useState } from "preact/hooks";
import { type Chat, ChatError } from "../chat/chat";
import type { Locale } from "../i18n/i18n";
import type { Desk, Standing } from "./desk";
import { type PanelTexts, panelTexts } from "./paneltexts";

/** How often the desk and the chat are asked again, in milliseconds. */
const lookAgain = 15_000;
/** How long an agent may be on the way into the room before that is told as a fault, in milliseconds. */
const onTheWay = 20_000;

/** Why the agent sees no chat, as the desk and the chat themselves say. */
export function Absent({
  desk,
  chat,
  groupId,
  standing,
  locale,
}: {
  desk: Desk;
  chat: Chat;
  groupId: string;
  standing: Standing | undefined;
  locale: Locale;
}) {
  const [room, setRoom] = useState<boolean>();
  const [late, setLate] = useState(false);
  const mine = standing?.state === "open" && standing.assignee?.mine === true;
  useEffect(() => {
    let over = false;
    const look = () => {
      desk.look();
      void exists(chat, groupId).then((there) => over || setRoom(there));
    };
    look();
    const timer = setInterval(look, lookAgain);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [desk, chat, groupId]);
  useEffect(() => {
    setLate(false);
    if (!mine) return;
    const timer = setTimeout(() => setLate(true), onTheWay);
    return () => clearTimeout(timer);
  }, [mine, groupId]);
  return <p>{reason(standing, room, late, groupId, locale)}</p>;
}

/** Says in words why there is no chat. room: whether there is one under the id, as far as known. */
export function reason(
  standing: Standing | undefined,
  room: boolean | undefined,
  late: boolean,
  groupId: string,
  { t, lang }: Locale,
): string {
  const texts = panelTexts(lang);
  const say = (key: keyof PanelTexts, values: Record<string, string> = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (all, name: string) => values[name] ?? all);
  if (standing?.state === "deleted") return say("deleted");
  if (standing?.state === "ended") return say("ended");
  if (standing?.assignee === null) return say("nobody");
  if (!standing?.assignee) return t("panelNotMember");
  if (!standing.assignee.mine) {
    return standing.assignee.name
      ? say("somebody", { name: standing.assignee.name })
      : t("panelNotMember");
  }
  if (!late) return say("opening");
  return room === false ? say("destroyed") : say("shut", { room: groupId });
}

/** Whether a room exists that this person is not in; undefined if nobody says. */
async function exists(chat: Chat, groupId: string): Promise<boolean | undefined> {
  try {
    await chat.members(groupId);
    return true;
  } catch (err) {
    const code = err instanceof ChatError ? err.code : "";
    return code === "gone" ? false : code === "not_member" ? true : undefined;
  }
}
