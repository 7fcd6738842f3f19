import { useEffect, useMemo, useState } from "preact/hooks";
import type { ChatConfig } from "../chat/load";
import { isAgent, type RoomState } from "../chat/room";
import type { Locale } from "../i18n/i18n";
import { Center, Conversation, loadChat, Session } from "../ui/conversation";
import { useStore } from "../ui/store";
import { CalendarSlot } from "./calendarslot";
import type { Customer, Desk, DeskState } from "./desk";
import { transcript } from "./transcript";

export interface PanelProps {
  desk: Desk;
  chat: ChatConfig;
  locale: Locale;
  quickReplies?: string[];
}

/** The agent's side: the ticket's customer, the room, and what will be filed. */
export function Panel({ desk, chat, locale, quickReplies }: PanelProps) {
  const { t } = locale;
  const state = useStore(desk);
  if (state.phase === "stranger") {
    return <Center alert>{t("panelEmbed", { origin: state.origin })}</Center>;
  }
  if (state.phase === "waiting") return <Center>{t("panelNoCredentials")}</Center>;
  return (
    <Signed
      desk={desk}
      chat={chat}
      locale={locale}
      state={state}
      quickReplies={quickReplies ?? [t("quick1"), t("quick2"), t("quick3")]}
    />
  );
}

function Signed({
  desk,
  chat,
  locale,
  state,
  quickReplies,
}: PanelProps & { state: DeskState; quickReplies: string[] }) {
  const { t } = locale;
  const session = useMemo(() => {
    const s = new Session({ load: (app) => loadChat(chat, app), renew: () => desk.renew() });
    desk.onCredentials((c) => void s.take(c));
    return s;
  }, [desk, chat]);
  useEffect(() => {
    void session.retry();
    return () => void session.close();
  }, [session]);

  const [room, setRoom] = useState<{ groupId: string; state: RoomState }>();
  const groupId = state.phase === "ticket" ? state.groupId : "";
  const onRoom = useMemo(
    () => (s: RoomState) => {
      setRoom({ groupId, state: s });
      desk.unread(s.unread);
      document.title = s.unread ? `(${s.unread}) ${t("panelTitle")}` : t("panelTitle");
    },
    [desk, groupId, t],
  );
  const here = room?.groupId === groupId ? room.state : undefined;
  return (
    <>
      {state.phase === "ticket" ? (
        <>
          <header class="cp-head">
            <h1>{t("request", { ticket: state.ticketId })}</h1>
            {here !== undefined && here.unread > 0 && (
              <span class="cp-unread">{t("unreadCount", { count: here.unread })}</span>
            )}
          </header>
          {here?.phase === "ready" && (
            <Details room={here} customer={state.customer ?? {}} locale={locale} />
          )}
          <Conversation
            session={session}
            groupId={groupId}
            locale={locale}
            viewer="agent"
            quickReplies={quickReplies}
            onRoom={onRoom}
            left={<p>{t("panelNotMember")}</p>}
          />
          {here?.phase === "ready" && <Preview room={here} locale={locale} />}
        </>
      ) : (
        <Center>{t("panelNoTicket")}</Center>
      )}
      {/* Whatever the ticket: the calendar is the agent's. */}
      {desk.agent && <CalendarSlot agent={desk.agent} locale={locale} />}
    </>
  );
}

function customerOf(room: RoomState) {
  return room.members.find((m) => !isAgent(m.userId));
}

function Details({
  room,
  customer,
  locale: { t },
}: {
  room: RoomState;
  customer: Customer;
  locale: Locale;
}) {
  const member = customerOf(room);
  const guest = member?.userId.startsWith("guest_") ?? false;
  const name = customer.name ?? member?.nick;
  return (
    <section class="cp-customer" aria-label={t("details")}>
      <h2>{t("details")}</h2>{" "}
      <bdi>{[name, customer.email].filter(Boolean).join(" · ") || member?.userId}</bdi>
      {member && (
        <p>
          <span class={guest ? "cp-warn" : "cp-ok"}>{t(guest ? "unverified" : "verified")}</span>
        </p>
      )}
      {!guest && customer.unverified && (
        <p>
          <span class="cp-warn">{t("emailUnverified")}</span>
        </p>
      )}
    </section>
  );
}

function Preview({ room, locale: { t } }: { room: RoomState; locale: Locale }) {
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState(false);
  const text = open ? transcript(room.messages, customerOf(room)?.userId ?? "") : "";
  return (
    <details
      class="cp-transcript"
      onToggle={(e) => {
        setOpen(e.currentTarget.open);
        setCopied(false);
      }}
    >
      <summary>{t("transcript")}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must take keys */}
      <section class="cp-text" tabIndex={0} aria-label={t("transcript")}>
        <pre>{text}</pre>
      </section>
      <div>
        <span>{t("transcriptHelp")}</span>
        <button
          type="button"
          class="cr-button"
          onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
        >
          {t("copy")}
        </button>
        <span role="status">{copied ? t("copied") : ""}</span>
      </div>
    </details>
  );
}
