import { useMemo, useState } from "preact/hooks";
import type { ChatConfig } from "../chat/load";
import { isAgent, type RoomState, type RoomStore } from "../chat/room";
import type { Locale } from "../i18n/i18n";
import { Center, Conversation } from "../ui/conversation";
import { useStore } from "../ui/store";
import { Absent } from "./absent";
import { CalendarSlot } from "./calendarslot";
import type { Customer, Desk, DeskState, Reply } from "./desk";
import { Inbox } from "./inboxview";
import { panelTexts } from "./paneltexts";
import { Replies } from "./replies";
import { useSession } from "./session";
import { transcript } from "./transcript";

export interface PanelProps {
  desk: Desk;
  chat: ChatConfig;
  locale: Locale;
  quickReplies?: string[];
  /** Whether it lists the agent's chats itself: nothing else at the desk does. */
  inbox?: boolean;
}

/** The agent's side: the ticket's customer, the room, and what will be filed. */
export function Panel({ desk, chat, locale, quickReplies, inbox = false }: PanelProps) {
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
      quickReplies={quickReplies ?? []}
      inbox={inbox}
    />
  );
}

function Signed({
  desk,
  chat,
  locale,
  state,
  quickReplies,
  inbox,
}: PanelProps & { state: DeskState; quickReplies: string[] }) {
  const { t } = locale;
  const session = useSession(desk, chat);
  const login = useStore(session);
  const open = login.phase === "starting" ? undefined : login.chat;
  const [room, setRoom] = useState<{ store: RoomStore; state: RoomState }>();
  const groupId = state.phase === "ticket" ? state.groupId : "";
  const onRoom = useMemo(
    () => (s: RoomState, store: RoomStore) => {
      setRoom({ store, state: s });
      if (!inbox) desk.unread(s.unread);
      document.title = s.unread ? `(${s.unread}) ${t("panelTitle")}` : t("panelTitle");
    },
    [desk, t, inbox],
  );
  const aids = useMemo(
    () => (insert: (text: string) => void) => (
      <Replies
        list={async () => [...own(quickReplies), ...(await desk.replies())]}
        fill={async (r) => (r.id.startsWith(ownId) ? r.text : desk.fill(r))}
        insert={insert}
        locale={locale}
      />
    ),
    [desk, quickReplies, locale],
  );
  const here = room?.store.groupId === groupId ? room : undefined;
  const ready = here?.state.phase === "ready" ? here.state : undefined;
  return (
    <>
      {state.phase === "ticket" ? (
        <>
          <Head
            ticketId={state.ticketId}
            room={ready}
            customer={state.customer ?? {}}
            locale={locale}
          />
          <Conversation
            session={session}
            groupId={groupId}
            locale={locale}
            viewer="agent"
            aids={aids}
            onRoom={onRoom}
            left={
              here && (
                <Absent
                  desk={desk}
                  chat={here.store.chat}
                  groupId={groupId}
                  standing={state.standing}
                  locale={locale}
                />
              )
            }
          />
        </>
      ) : (
        !(inbox && open) && <Center>{t("panelNoTicket")}</Center>
      )}
      {inbox && open && (
        <Inbox
          desk={desk}
          chat={open}
          me={session.userId}
          locale={locale}
          shown={state.phase !== "ticket"}
          calls
        />
      )}
      <div class="cp-more">
        {state.phase === "ticket" && ready && (
          <Preview room={ready} customer={state.customer ?? {}} locale={locale} />
        )}
        {/* Whatever the ticket: the calendar is the agent's. */}
        {desk.agent && <CalendarSlot agent={desk.agent} locale={locale} />}
      </div>
    </>
  );
}

const ownId = "config-";

/** The lines of config.json as replies. */
function own(lines: string[]): Reply[] {
  return lines.map((text, i) => ({ id: `${ownId}${i}`, title: text, text }));
}

function customerOf(room: RoomState) {
  return room.members.find((m) => !isAgent(m.userId));
}

/** The ticket and its customer in one line; what is known of them unfolds. */
function Head({
  ticketId,
  room,
  customer,
  locale,
}: {
  ticketId: string;
  room: RoomState | undefined;
  customer: Customer;
  locale: Locale;
}) {
  const { t } = locale;
  const texts = panelTexts(locale.lang);
  const member = room && customerOf(room);
  const guest = member?.userId.startsWith("guest_") ?? false;
  const name = customer.name ?? "";
  const doubts = [
    ...(guest ? [{ short: texts.guestShort, long: t("unverified") }] : []),
    ...(!guest && customer.unverified
      ? [{ short: texts.emailShort, long: t("emailUnverified") }]
      : []),
  ];
  return (
    <details class="cp-head" name="cp">
      <summary>
        <h1>
          {t("request", { ticket: ticketId })}
          {name && (
            <>
              {" · "}
              <bdi>{name}</bdi>
            </>
          )}
        </h1>
        {doubts.map(({ short, long }) => (
          <span key={short} class="cp-warn" title={long}>
            {short}
          </span>
        ))}
        {member && doubts.length === 0 && (
          <span class="cp-ok" title={t("verified")}>
            {texts.verifiedShort}
          </span>
        )}
        {room !== undefined && room.unread > 0 && (
          <span class="cp-unread">{t("unreadCount", { count: room.unread })}</span>
        )}
      </summary>
      <section aria-label={t("details")}>
        <h2>{t("details")}</h2>{" "}
        <bdi>{[name, customer.email].filter(Boolean).join(" · ") || t("customer")}</bdi>
        {doubts.map(({ long }) => (
          <p key={long}>{long}</p>
        ))}
        {member && !guest && <p>{t("verified")}</p>}
      </section>
    </details>
  );
}

function Preview({
  room,
  customer,
  locale: { t },
}: {
  room: RoomState;
  customer: Customer;
  locale: Locale;
}) {
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState(false);
  const member = customerOf(room);
  const text = open
    ? transcript(room.messages, {
        userId: member?.userId ?? "",
        name: customer.name ?? "",
      })
    : "";
  return (
    <details
      class="cp-transcript"
      name="cp"
      onToggle={(e) => {
        setOpen(e.currentTarget.open);
        setCopied(false);
      }}
    >
      <summary>{t("transcript")}</summary>
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
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must take keys */}
      <section class="cp-text" tabIndex={0} aria-label={t("transcript")}>
        <pre>{text}</pre>
      </section>
    </details>
  );
}
