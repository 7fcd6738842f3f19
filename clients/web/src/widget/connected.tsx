import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { loadChat } from "../chat/load";
import type { RoomOptions, RoomState } from "../chat/room";
import { Session } from "../chat/session";
import { Conversation } from "../ui/conversation";
import { Requests } from "../ui/requests";
import type { AppProps } from "./app";
import { chime, notify, TitleCount } from "./attention";
import type { StoredDrafts } from "./drafts";
import type { OpenTicket } from "./memory";
import type { WidgetState } from "./model";
import { StoredOutbox } from "./outbox";

export { adoptChatStyles } from "../ui/conversation";

export interface ConnectedProps extends AppProps {
  state: WidgetState & { view: "chat" | "list" };
  drafts: StoredDrafts;
  onUnread: (n: number) => void;
  hidden: boolean;
}

/** What needs a connection, and keeps one for all that it shows. */
export function Connected(props: ConnectedProps) {
  const { model, chat, locale, state } = props;
  const session = useMemo(
    () =>
      new Session(
        { load: (app) => loadChat(chat, app), renew: model.renew, takeBack: true },
        state.view === "chat" ? state.credentials : undefined,
      ),
    [],
  );
  useEffect(() => {
    void session.retry();
    return () => void session.close();
  }, [session]);

  if (state.view === "list") {
    return (
      <Requests
        session={session}
        locale={locale}
        known={() => model.earlier()}
        choose={(groupId, ticketId) => model.choose(groupId, ticketId)}
        another={() => model.another()}
      />
    );
  }
  return <Chat key={state.ticket.groupId} {...props} session={session} ticket={state.ticket} />;
}

/** Tells of messages that nobody has looked at: the page, its title and, if the site wants it, more. */
function useAttention(
  ticketId: string,
  { locale, look, setOpen, tell, onUnread }: AppProps & { onUnread: (n: number) => void },
): (unread: number) => void {
  const title = useMemo(() => new TitleCount(), []);
  const before = useRef(0);
  const count = (unread: number) => {
    if (unread === before.current) return;
    const more = unread > before.current;
    before.current = unread;
    onUnread(unread);
    title.set(unread);
    tell("caseroom:message", { ticketId, unread });
    if (!more) return;
    if (look.sound) chime();
    const { t } = locale;
    if (look.notify) {
      notify(look.title ?? t("title"), t("unreadCount", { count: unread }), () => setOpen(true));
    }
  };
  const now = useRef(count);
  now.current = count;
  // What is unread goes with the ticket, also when another tab left it.
  useEffect(() => () => now.current(0), []);
  return useMemo(() => (unread: number) => now.current(unread), []);
}

function Chat(props: ConnectedProps & { session: Session; ticket: OpenTicket }) {
  const { session, model, locale, root, look, ticket, drafts, hidden } = props;
  const { t } = locale;
  const [ended, setEnded] = useState<"" | "open" | "locked">("");
  const { groupId } = ticket;
  const asked = useMemo(
    () =>
      ticket.text !== undefined && {
        subject: ticket.subject ?? "",
        text: ticket.text,
        time: ticket.time ?? 0,
      },
    [groupId],
  );
  const options = useMemo(
    () => (): RoomOptions => ({
      outbox: new StoredOutbox(look.api, groupId),
      seen: model.earlier().find((x) => x.groupId === groupId)?.seen ?? "all",
      onSeen: (seen) => model.note(groupId, { seen }),
    }),
    [groupId],
  );
  const count = useAttention(ticket.ticketId, props);
  const over = useRef(ticket.ended !== undefined);
  const named = useRef(Boolean(ticket.subject));
  const onRoom = useMemo(
    () => (room: RoomState) => {
      count(room.unread);
      if (room.phase === "loading" || room.phase === "failed") return;
      const request = room.messages.find((m) => m.kind === "request" && !m.edited);
      if (request?.subject && !named.current) {
        named.current = true;
        model.note(groupId, { subject: request.subject });
      }
      const { standing } = room;
      const has = room.phase === "left" || standing.kind === "ended" || standing.kind === "merged";
      setEnded(!has ? "" : standing.kind === "ended" && !standing.locked ? "open" : "locked");
      if (has !== over.current)
        model.note(groupId, { ended: has ? Date.now() : undefined } as never);
      over.current = has;
    },
    [count, groupId],
  );
  return (
    <>
      <Conversation
        session={session}
        groupId={groupId}
        locale={locale}
        viewer="customer"
        asked={asked || undefined}
        options={options}
        drafts={drafts}
        shown={!hidden}
        takeFocus={() =>
          matchMedia("(pointer: fine)").matches && root.activeElement?.tagName === "H2"
        }
        onRoom={onRoom}
        left={<p>{t("left")}</p>}
      />
      {ended && (
        <div class="cw-foot">
          {ended === "locked" && (
            <button type="button" class="cr-button" onClick={() => model.another(ticket)}>
              {t("notSolved")}
            </button>
          )}
          <button type="button" class="cr-button" onClick={() => model.another()}>
            {t("another")}
          </button>
        </div>
      )}
    </>
  );
}
