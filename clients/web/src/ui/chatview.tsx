import { useEffect, useRef, useState } from "preact/hooks";
import { ChatError, type Message as ChatMessage, type Member } from "../chat/chat";
import { isAgent, type RoomState, type RoomStore } from "../chat/room";
import type { Locale } from "../i18n/i18n";
import { Message, MessageList, MessageSeparator, TypingIndicator } from "./chatkit";
import { useStore } from "./store";
import { fileSize, Linked, safeUrl, shownName } from "./text";

export interface ChatViewProps {
  store: RoomStore;
  locale: Locale;
  /** Agents see the customer's name and the desk's words. */
  viewer: "customer" | "agent";
  /** Whether it can be seen; what arrives while it cannot stays unread. Default true. */
  shown?: boolean;
  /** Ready-made answers that a click puts into the text. */
  quickReplies?: string[];
  /** What somebody has begun to write, by room; it outlives the view. */
  drafts?: Map<string, string>;
  /** Whether the text takes the focus when it appears: nothing else has it. */
  takeFocus?: () => boolean;
}

/** One room: where it stands, its messages, and where to write. */
export function ChatView({
  store,
  locale,
  viewer,
  shown = true,
  quickReplies = [],
  drafts,
  takeFocus,
}: ChatViewProps) {
  const s = useStore(store);
  const { t } = locale;
  const log = useRef<HTMLDivElement>(null);

  useEffect(() => {
    // The library's scroller takes no keys unless it can have the focus.
    scroller(log.current)?.setAttribute("tabindex", "0");
  });
  useStickToEnd(log, s.phase);
  useEffect(() => {
    if (!shown) return;
    const look = () => {
      if (document.visibilityState === "visible" && document.hasFocus()) store.seen();
    };
    look();
    addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, [store, s.messages.length, shown]);

  if (s.phase === "loading") {
    return (
      <div class="cr-center" role="status">
        {t("loading")}
      </div>
    );
  }
  return (
    <div class="cr-chat">
      <p class="cr-standing" role="status" data-kind={s.standing.kind}>
        {standingText(s, locale, viewer)}
      </p>
      {!s.complete && (
        <button
          type="button"
          class="cr-older"
          disabled={s.loadingMore}
          onClick={() => void store.older()}
        >
          {t("earlier")}
        </button>
      )}
      <div
        class="cr-log"
        ref={log}
        role="log"
        aria-label={t("messages")}
        aria-busy={s.loadingMore}
        aria-relevant="additions"
      >
        <MessageList
          loadingMore={s.loadingMore}
          onYReachStart={() => void store.older()}
          disableOnYReachWhenNoScroll
        >
          {s.messages.flatMap((m, i) => entry(m, s.messages[i - 1], s, store, locale, viewer))}
        </MessageList>
      </div>
      {/* Over the end of the log, not in it: every addition to a log is read aloud. */}
      {s.typing.length > 0 && (
        <div class="cr-typing">
          <TypingIndicator content={typingText(s.typing, locale, viewer)} />
        </div>
      )}
      <Composer
        store={store}
        state={s}
        locale={locale}
        quickReplies={quickReplies}
        drafts={drafts}
        takeFocus={takeFocus}
      />
    </div>
  );
}

function scroller(log: HTMLElement | null): HTMLElement | null {
  return log?.querySelector<HTMLElement>(".cs-message-list__scroll-wrapper") ?? null;
}

/**
 * Whoever reads the last message goes on reading it when the list gets smaller, as by
 * a notice or a phone's keyboard, and when a picture in it has come.
 */
function useStickToEnd(log: { current: HTMLDivElement | null }, phase: RoomState["phase"]): void {
  useEffect(() => {
    const box = scroller(log.current);
    if (!box) return;
    let atEnd = true;
    const scrolled = () => {
      atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    };
    const stick = () => {
      if (atEnd) box.scrollTop = box.scrollHeight;
    };
    const sizes = new ResizeObserver(stick);
    sizes.observe(box);
    box.addEventListener("scroll", scrolled, { passive: true });
    box.addEventListener("load", stick, true); // an image's does not bubble
    return () => {
      sizes.disconnect();
      box.removeEventListener("scroll", scrolled);
      box.removeEventListener("load", stick, true);
    };
  }, [log, phase]);
}

function entry(
  m: ChatMessage,
  before: ChatMessage | undefined,
  s: RoomState,
  store: RoomStore,
  locale: Locale,
  viewer: "customer" | "agent",
) {
  const { t, lang } = locale;
  const time = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit" }).format(m.time);
  const name = senderName(m, s, locale, viewer);
  const day = new Intl.DateTimeFormat(lang, { dateStyle: "long" });
  const key = m.clientId ?? String(m.seq);
  const parts = [];
  if (!before || day.format(before.time) !== day.format(m.time)) {
    parts.push(<MessageSeparator key={`day-${key}`}>{day.format(m.time)}</MessageSeparator>);
  }
  const tip = m.kind === "notice" || m.kind === "tip";
  const first = !before || before.from !== m.from || before.kind === "notice" || tip;
  parts.push(
    <Message
      key={key}
      role="article"
      className={tip ? "cr-tip" : m.recalled ? "cr-gone" : ""}
      model={{
        type: "custom",
        direction: m.mine ? "outgoing" : "incoming",
        position: "normal",
        sender: tip ? "" : name,
        sentTime: time,
      }}
    >
      {!tip && first && (
        <Message.Header>
          <bdi>{name}</bdi>
          <bdi>{time}</bdi>
        </Message.Header>
      )}
      <Message.CustomContent>{content(m, name, locale)}</Message.CustomContent>
      {m.state === "sending" && (
        <Message.Footer>
          <span>{t("sending")}</span>
          {m.progress !== undefined && (
            <progress max={1} value={m.progress} aria-label={t("sending")} />
          )}
        </Message.Footer>
      )}
      {m.state === "failed" && (
        <Message.Footer>
          <span class="cr-failed">
            {t("notSent")}
            <button
              type="button"
              class="cr-link"
              onClick={() => void store.resend(m.clientId ?? "").catch(() => {})}
            >
              {t("retry")}
            </button>
            <button type="button" class="cr-link" onClick={() => store.discard(m.clientId ?? "")}>
              {t("discard")}
            </button>
          </span>
        </Message.Footer>
      )}
      {m.mine && m.state === "sent" && m.seq === lastMine(s) && s.readByOthers >= m.seq && (
        <Message.Footer>{t("read")}</Message.Footer>
      )}
    </Message>,
  );
  return parts;
}

function lastMine(s: RoomState): number {
  return s.messages.findLast((m) => m.mine && m.seq > 0)?.seq ?? 0;
}

function content(m: ChatMessage, name: string, { t, lang }: Locale) {
  if (m.recalled) return t("recalled");
  const url = safeUrl(m.url);
  switch (m.kind) {
    case "text":
    case "notice":
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
      const size = m.size === undefined ? "" : fileSize(m.size, lang);
      const label = (
        <>
          <bdi>{file || url || t("unsupported")}</bdi>
          {size && <span class="cr-size"> ({size})</span>}
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

/** The name to show for somebody: their own, else what they are. */
export function memberName(m: Member, { t }: Locale, viewer: "customer" | "agent"): string {
  if (m.nick) return m.nick;
  if (isAgent(m.userId)) return t("agent");
  return viewer === "agent" ? t("customer") : t("you");
}

function senderName(m: ChatMessage, s: RoomState, locale: Locale, viewer: "customer" | "agent") {
  if (m.mine) return locale.t("you");
  const member = s.members.find((x) => x.userId === m.from);
  return memberName({ userId: m.from, nick: m.nick || member?.nick || "" }, locale, viewer);
}

function names(list: Member[], locale: Locale, viewer: "customer" | "agent"): string {
  return new Intl.ListFormat(locale.lang).format(list.map((m) => memberName(m, locale, viewer)));
}

function typingText(list: Member[], locale: Locale, viewer: "customer" | "agent"): string {
  return locale.t(list.length > 1 ? "areTyping" : "isTyping", {
    names: names(list, locale, viewer),
  });
}

/** Where the ticket stands, in words. */
export function standingText(s: RoomState, locale: Locale, viewer: "customer" | "agent"): string {
  const { t } = locale;
  const st = s.standing;
  switch (st.kind) {
    case "ended":
      if (viewer === "agent") return t(st.locked ? "panelEnded" : "endedOpen");
      return t(st.locked ? "ended" : "endedOpen");
    case "merged":
      return st.ticket ? t("mergedInto", { ticket: st.ticket }) : t("merged");
    case "waiting": {
      const text = t(viewer === "agent" ? "panelWaiting" : "waiting");
      return st.reopened ? `${t("reopened")} ${text}` : text;
    }
    case "joined": {
      const who = names(st.agents, locale, viewer);
      const text = st.before.length
        ? t("changed", { names: who, before: names(st.before, locale, viewer) })
        : viewer === "agent"
          ? t("panelJoined", { names: who })
          : t(st.agents.length > 1 ? "joinedMany" : "joined", { names: who });
      return st.reopened ? `${t("reopened")} ${text}` : text;
    }
  }
}

function Composer({
  store,
  state,
  locale,
  quickReplies,
  drafts,
  takeFocus,
}: {
  store: RoomStore;
  state: RoomState;
  locale: Locale;
  quickReplies: string[];
  drafts: Map<string, string> | undefined;
  takeFocus: (() => boolean) | undefined;
}) {
  const { t } = locale;
  const [text, setText] = useState(drafts?.get(store.groupId) ?? "");
  const [error, setError] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (text) drafts?.set(store.groupId, text);
    else drafts?.delete(store.groupId);
  }, [drafts, store, text]);
  useEffect(() => {
    if (document.hasFocus() && takeFocus?.()) input.current?.focus();
  }, []);

  if (state.room?.muted) return <p class="cr-notice">{t("muted")}</p>;

  const failed = (err: unknown) => {
    const code = err instanceof ChatError ? err.code : "unknown";
    if (code === "too_large") setError(t("tooLarge"));
    else if (code === "moderated") setError(t("moderated"));
    else if (code === "muted") setError(t("muted"));
    else setError("");
  };
  const submit = () => {
    const body = text.trim();
    if (!body) return;
    setText("");
    setError("");
    store.send(body).catch(failed);
  };
  const attach = (list: FileList | null | undefined) => {
    setError("");
    for (const f of list ?? []) store.sendFile(f).catch(failed);
    if (file.current) file.current.value = "";
  };
  return (
    <div>
      {quickReplies.length > 0 && (
        <div class="cr-quick" role="group" aria-label={t("quickReplies")}>
          {quickReplies.map((q) => (
            <button
              key={q}
              type="button"
              class="cr-button"
              title={q}
              onClick={() => {
                setText((had) => (had ? `${had.trimEnd()} ${q}` : q));
                input.current?.focus();
              }}
            >
              {q}
            </button>
          ))}
        </div>
      )}
      {error && (
        <p class="cr-notice" role="alert">
          {error}
        </p>
      )}
      <form
        class="cr-composer"
        onSubmit={(e) => {
          e.preventDefault();
          submit();
        }}
      >
        <button
          type="button"
          class="cr-icon"
          aria-label={t("attach")}
          title={t("attach")}
          onClick={() => file.current?.click()}
        >
          <Icon d="M16.5 6.5v9a4.5 4.5 0 1 1-9 0V6a3 3 0 1 1 6 0v9.5a1.5 1.5 0 1 1-3 0V7" stroke />
        </button>
        <input
          ref={file}
          type="file"
          hidden
          multiple
          aria-label={t("attach")}
          onChange={(e) => attach(e.currentTarget.files)}
        />
        <textarea
          ref={input}
          rows={1}
          dir="auto"
          enterkeyhint="send"
          aria-label={t("write")}
          placeholder={t("write")}
          value={text}
          onInput={(e) => {
            setText(e.currentTarget.value);
            store.writing();
          }}
          onPaste={(e) => {
            // A spreadsheet's cells come as a text and as a picture of it.
            const files = e.clipboardData?.files;
            if (files?.length && !e.clipboardData?.getData("text/plain")) {
              e.preventDefault();
              attach(files);
            }
          }}
          onKeyDown={(e) => {
            // Enter ends a composition of an input method; it does not send. Safari
            // says so only by the number 229.
            if (e.key === "Enter" && !e.shiftKey && !e.isComposing && e.keyCode !== 229) {
              e.preventDefault();
              submit();
            }
          }}
        />
        <button
          type="submit"
          class="cr-icon"
          aria-label={t("send")}
          title={t("send")}
          disabled={!text.trim()}
        >
          <Icon d="M3 11.5 21 3l-6 18-3.5-7.5z" />
        </button>
      </form>
    </div>
  );
}

function Icon({ d, stroke = false }: { d: string; stroke?: boolean }) {
  return (
    <svg
      class="cr-flip"
      width="22"
      height="22"
      viewBox="0 0 24 24"
      aria-hidden="true"
      {...(stroke
        ? { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round" }
        : { fill: "currentColor" })}
    >
      <path d={d} />
    </svg>
  );
}
