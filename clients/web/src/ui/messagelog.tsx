import { Component, type RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChatErrorCode, Message } from "../chat/chat";
import { isAgent, type RoomState, type RoomStore, retryable } from "../chat/room";
import type { Locale, Texts } from "../i18n/i18n";
import { dayNumber, formats } from "./formats";
import { memberName, names, type Viewer } from "./names";
import { Linked, safeUrl, shownName } from "./text";

/** What the customer asked for, in their own words. */
export interface Asked {
  subject: string;
  text: string;
  /** Milliseconds since 1970. */
  time: number;
}

export interface MessageLogProps {
  store: RoomStore;
  state: RoomState;
  locale: Locale;
  viewer: Viewer;
  /** Shown where the room itself does not say it. */
  asked?: Asked | undefined;
  /** Puts the text of a message that was not accepted back to where it was written. */
  edit: (text: string) => void;
}

/** Whoever is this near to the last message reads it, in pixels. */
const atEndWithin = 40;
/** So near to the first one, older ones are read. */
const atStartWithin = 60;

/** The messages in order, by day, with one place to scroll. */
export function MessageLog(props: MessageLogProps) {
  const { store, state: s, locale, viewer, asked } = props;
  const { t } = locale;
  const log = useRef<HTMLDivElement>(null);
  const messages = withAsked(s, asked, store.me, viewer);
  const end = useEnd(log, messages);
  const lastMine = s.messages.findLast((m) => m.mine && m.seq > 0)?.seq ?? 0;
  const joined = whoJoined(s, locale, viewer);
  return (
    <div class="cr-logbox">
      <div
        class="cr-log"
        ref={log}
        role="log"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must take keys
        tabIndex={0}
        aria-label={t("messages")}
        aria-busy={s.loadingMore}
        aria-relevant="additions"
        onScroll={(e) => {
          const box = e.currentTarget;
          end.look();
          const scrolls = box.scrollHeight > box.clientHeight;
          if (scrolls && box.scrollTop < atStartWithin) void store.older();
        }}
      >
        <div>
          {messages.map((m, i) => {
            const before = messages[i - 1];
            const newDay = !before || dayNumber(before.time) !== dayNumber(m.time);
            const quiet = m.kind === "notice" || m.kind === "tip";
            const first = newDay || quiet || before.from !== m.from || before.kind === "notice";
            return (
              <Row
                key={m.clientId ?? m.seq}
                m={m}
                day={newDay ? formats(locale.lang).day(m.time) : ""}
                first={first}
                name={m.mine ? t("you") : senderName(m, s, locale, viewer)}
                read={m.mine && m.seq === lastMine && m.state === "sent" && s.readByOthers >= m.seq}
                agents={joined.get(m.seq)}
                locale={locale}
                store={store}
                edit={props.edit}
              />
            );
          })}
        </div>
      </div>
      {end.away && (
        <button type="button" class="cr-newest" onClick={end.jump}>
          {end.missed > 0 ? t("newMessages", { count: end.missed }) : t("newest")}{" "}
          <span aria-hidden="true">↓</span>
        </button>
      )}
    </div>
  );
}

/**
 * Who joined by each notice that does not name them: who is there now, by the last one; by
 * an earlier one, the agent who wrote first after it.
 */
function whoJoined(s: RoomState, locale: Locale, viewer: Viewer): Map<number, string> {
  const joined = new Map<number, string>();
  let notice = 0;
  for (const m of s.messages) {
    if (m.notice?.kind === "joined") notice = m.seq;
    else if (notice && m.kind !== "notice" && isAgent(m.from) && m.nick && !joined.has(notice)) {
      joined.set(notice, m.nick);
    }
  }
  if (notice && s.standing.kind === "joined") {
    joined.set(notice, names(s.standing.agents, locale, viewer));
  }
  return joined;
}

/** The request stands before everything, unless the room says it itself. */
function withAsked(s: RoomState, asked: Asked | undefined, me: string, viewer: Viewer): Message[] {
  const said = s.messages.find((m) => m.kind === "request");
  const mine = viewer === "customer";
  if (said && !said.edited) {
    return s.messages.map((m) => (m === said ? asCustomers(m, me, mine) : m));
  }
  const rest = said ? s.messages.filter((m) => m !== said) : s.messages;
  if (!asked || !s.complete) return rest;
  const time = Math.min(asked.time, rest[0]?.time ?? asked.time);
  const request = requests.get(asked) ?? {
    seq: -1,
    time,
    from: me,
    nick: "",
    mine,
    kind: "request",
    subject: asked.subject,
    text: asked.text,
    state: "sent",
  };
  requests.set(asked, request);
  return [request, ...rest];
}

const requests = new WeakMap<Asked | Message, Message>();

/** caseroom sends the request, but it is the customer who speaks. */
function asCustomers(m: Message, me: string, mine: boolean): Message {
  const had = requests.get(m);
  if (had) return had;
  const customers = { ...m, mine, from: mine ? me : "" };
  requests.set(m, customers);
  return customers;
}

/** Keeps whoever reads the last message, or an older one, where they are. */
function useEnd(log: RefObject<HTMLDivElement>, messages: Message[]) {
  const [away, setAway] = useState(false);
  const [missed, setMissed] = useState(0);
  const at = useRef({ end: true, top: 0, height: 0, first: 0, last: "" });
  const key = (m: Message | undefined) => (m ? (m.clientId ?? String(m.seq)) : "");
  const first = messages.find((m) => m.seq > 0)?.seq ?? 0;
  const last = messages.at(-1);

  const look = () => {
    const box = log.current;
    if (!box) return;
    const near = box.scrollHeight - box.scrollTop - box.clientHeight < atEndWithin;
    // Only scrolling back leaves the end: a picture that has just come moves nobody.
    at.current.end = near || (at.current.end && box.scrollTop >= at.current.top);
    at.current.top = box.scrollTop;
    at.current.height = box.scrollHeight;
    setAway(!at.current.end);
    if (at.current.end) setMissed(0);
  };
  const toEnd = () => {
    const box = log.current;
    if (box) box.scrollTop = box.scrollHeight;
    look();
  };

  useLayoutEffect(() => {
    const box = log.current;
    if (!box) return;
    const was = at.current;
    const added = key(last) !== was.last;
    const older = was.first !== 0 && first < was.first;
    if (was.end || (added && last?.mine && last.seq === 0)) toEnd();
    else if (older) box.scrollTop += box.scrollHeight - was.height;
    else if (added && last) setMissed((n) => n + 1);
    at.current = { ...at.current, first, last: key(last), height: box.scrollHeight };
  }, [messages.length, first, key(last)]);

  useEffect(() => {
    const box = log.current;
    if (!box) return;
    // The box gets smaller by a notice or a phone's keyboard; what is in it gets larger by a
    // picture that comes late.
    const sizes = new ResizeObserver(() => {
      if (at.current.end) toEnd();
    });
    sizes.observe(box);
    for (const inside of box.children) sizes.observe(inside);
    return () => sizes.disconnect();
  }, [log]);

  return { away, missed, look, jump: toEnd };
}

interface RowProps {
  m: Message;
  /** The day that begins with it; empty if none does. */
  day: string;
  /** Whether it says whose it is. */
  first: boolean;
  name: string;
  read: boolean;
  /** Who joined, of a notice that says so. */
  agents: string | undefined;
  locale: Locale;
  store: RoomStore;
  edit: (text: string) => void;
}

/** One message. It is drawn again only when something that it shows is another. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const keys = Object.keys(next) as (keyof RowProps)[];
    return keys.some((k) => k !== "edit" && next[k] !== this.props[k]);
  }

  override render({ m, day, first, name, read, agents, locale, store, edit }: RowProps) {
    const { t, lang } = locale;
    const quiet = m.kind === "notice" || m.kind === "tip";
    const time = formats(lang).time(m.time);
    const kind = quiet ? "cr-tip" : m.recalled ? "cr-gone" : "";
    return (
      <>
        {day && (
          <p class="cr-day">
            <span>{day}</span>
          </p>
        )}
        <div role="article" class={`cr-message ${m.mine ? "cr-mine" : ""} ${kind}`}>
          {!quiet && first && (
            <div class="cr-from">
              <bdi>{name}</bdi>
              <time dateTime={new Date(m.time).toISOString()}>{time}</time>
            </div>
          )}
          <div class="cr-bubble">{content(m, name, agents, locale)}</div>
          {m.edited && !m.recalled && !quiet && <div class="cr-under">{t("edited")}</div>}
          {m.state === "sending" && (
            <div class="cr-under">
              <span>{t("sending")}</span>
              {m.progress !== undefined && (
                <progress max={1} value={m.progress} aria-label={t("sending")} />
              )}
            </div>
          )}
          {m.state === "failed" && <Failed {...{ m, locale, store, edit }} />}
          {read && <div class="cr-under">{t("read")}</div>}
        </div>
      </>
    );
  }
}

const reasons: Partial<Record<ChatErrorCode, keyof Texts>> = {
  offline: "notSentYet",
  blocked: "notSentYet",
  expired: "notSentYet",
  busy: "notSentYet",
  too_large: "tooLarge",
  bad_type: "badType",
  empty: "emptyFile",
  moderated: "moderated",
  muted: "muted",
  not_member: "left",
  gone: "left",
  plan: "planLimit",
};

/** What was not sent says why, and offers only what can help. */
function Failed({ m, locale, store, edit }: Pick<RowProps, "m" | "locale" | "store" | "edit">) {
  const { t } = locale;
  const id = m.clientId ?? "";
  const again = retryable(m.error);
  const text = m.kind === "text" ? m.text : undefined;
  const long = m.error === "too_large" && text !== undefined;
  const why = long ? "tooLong" : m.error && reasons[m.error];
  return (
    <div class="cr-under cr-failed">
      <span>
        {why !== "notSentYet" && `${t("notSent")} `}
        {why && t(why)}
      </span>
      {again && (
        <button type="button" class="cr-link" onClick={() => void store.resend(id).catch(() => {})}>
          {t("retry")}
        </button>
      )}
      {!again && text !== undefined && (
        <button
          type="button"
          class="cr-link"
          onClick={() => {
            store.discard(id);
            edit(text);
          }}
        >
          {t("edit")}
        </button>
      )}
      <button type="button" class="cr-link" onClick={() => store.discard(id)}>
        {t("discard")}
      </button>
    </div>
  );
}

function senderName(m: Message, s: RoomState, locale: Locale, viewer: Viewer): string {
  if (m.kind === "request") return locale.t("customer");
  const member = s.members.find((x) => x.userId === m.from);
  return memberName({ userId: m.from, nick: m.nick || member?.nick || "" }, locale, viewer);
}

/** What caseroom says, in the reader's language; what it once said may have been changed. */
function noticeText(m: Message, agents: string | undefined, { t }: Locale): string {
  if (m.edited) return t("noticeChanged");
  switch (m.notice?.kind) {
    case "waiting":
      return t("noticeWaiting");
    case "joined": {
      const who = m.notice.agents ?? agents;
      return who ? t("noticeJoined", { names: who }) : t("noticeJoinedUnnamed");
    }
    case "merged":
      return m.notice.ticket ? t("noticeMerged", { ticket: m.notice.ticket }) : t("noticeEnded");
    default:
      return t("noticeEnded");
  }
}

function content(m: Message, name: string, agents: string | undefined, locale: Locale) {
  const { t, lang } = locale;
  if (m.recalled) return t("recalled");
  const url = safeUrl(m.url);
  switch (m.kind) {
    case "notice":
      return <bdi>{noticeText(m, agents, locale)}</bdi>;
    case "request":
      return (
        <>
          {m.subject && (
            <strong class="cr-subject" dir="auto">
              {m.subject}
            </strong>
          )}
          <Linked text={m.text ?? ""} />
        </>
      );
    case "text":
    case "tip":
      return <Linked text={m.text ?? ""} />;
    case "image":
      return url ? (
        <a href={url} target="_blank" rel="noopener noreferrer">
          <img
            src={url}
            alt={m.name ? shownName(m.name) : t("image", { name })}
            referrerpolicy="no-referrer"
          />
        </a>
      ) : (
        t("unsupported")
      );
    case "file": {
      const file = m.name ? shownName(m.name) : "";
      const size = m.size === undefined ? "" : formats(lang).size(m.size);
      const label = (
        <>
          <bdi>{file || url || t("unsupported")}</bdi>
          {size && <bdi class="cr-size"> ({size})</bdi>}
        </>
      );
      return url ? (
        <a href={url} target="_blank" rel="noopener noreferrer" download={file}>
          {label}
        </a>
      ) : (
        label
      );
    }
    default:
      return t("unsupported");
  }
}
