import { useEffect, useState } from "preact/hooks";
import type { Room } from "../chat/chat";
import type { Session } from "../chat/session";
import type { Locale } from "../i18n/i18n";
import { formats } from "./formats";
import { useStore } from "./store";

/** What is known of a request without asking the chat. */
interface Known {
  groupId: string;
  ticketId: string;
  subject?: string;
  time?: number;
  seen?: number;
  ended?: number;
}

interface Item extends Known {
  closed: boolean;
  news: boolean;
}

/** All requests of one person: the rooms that the chat lists, and what this browser remembers. */
export function Requests({
  session,
  locale,
  known,
  choose,
  another,
}: {
  session: Session;
  locale: Locale;
  /** What this browser remembers; more once it is known who this is. */
  known: () => Known[];
  choose: (groupId: string, ticketId: string) => void;
  another: () => void;
}) {
  const { t, lang } = locale;
  const state = useStore(session);
  const chat = state.phase === "open" ? state.chat : undefined;
  const [rooms, setRooms] = useState<Room[]>();
  useEffect(() => {
    if (!chat) return;
    let gone = false;
    const read = () =>
      void chat.rooms().then(
        (list) => gone || setRooms(list),
        () => gone || setRooms([]),
      );
    read();
    const off = [chat.on("room", read), chat.on("message", read)];
    return () => {
      gone = true;
      for (const f of off) f();
    };
  }, [chat]);

  const waits = rooms === undefined && state.phase !== "failed";
  const items = all(rooms ?? [], known());
  return (
    <div class="cr-requests">
      {waits && (
        <p class="cr-notice" role="status">
          {t("connecting")}
        </p>
      )}
      <ul aria-busy={waits}>
        {items.map((x) => (
          <li key={x.groupId}>
            <button type="button" onClick={() => choose(x.groupId, x.ticketId)}>
              <strong dir="auto">{x.subject || t("request", { ticket: x.ticketId })}</strong>
              <span>
                {[
                  x.subject && t("request", { ticket: x.ticketId }),
                  x.time && formats(lang).day(x.time),
                  x.closed && t("closed"),
                  x.news && t("news"),
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {!waits && items.length === 0 && <p>{t("noRequests")}</p>}
      <button type="button" class="cr-button cr-primary" onClick={another}>
        {t("another")}
      </button>
    </div>
  );
}

/** Newest first. A room that the chat does not list is another person's, or gone. */
function all(rooms: Room[], known: Known[]): Item[] {
  const listed = rooms.map((r) => {
    const k = known.find((x) => x.groupId === r.groupId);
    const time = r.lastTime ?? k?.time;
    return {
      groupId: r.groupId,
      ticketId: k?.ticketId ?? r.groupId.replace(/^ZENDESK#/, ""),
      closed: r.muted,
      news: k?.seen !== undefined && (r.lastSeq ?? 0) > k.seen,
      ...(k?.subject ? { subject: k.subject } : {}),
      ...(time ? { time } : {}),
    };
  });
  const rest = known
    .filter((k) => !rooms.some((r) => r.groupId === k.groupId))
    .map((k) => ({ ...k, closed: k.ended !== undefined, news: false }));
  return [...listed, ...rest].sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
}
