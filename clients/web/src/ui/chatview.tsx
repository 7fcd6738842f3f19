import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { RoomState, RoomStore } from "../chat/room";
import type { Locale } from "../i18n/i18n";
import { formats } from "./formats";
import { type Asked, MessageLog } from "./messagelog";
import { names, type Viewer } from "./names";
import { useStore } from "./store";
import { shownName } from "./text";

/** What somebody has begun to write, by room; it outlives the view. */
export interface Drafts {
  get(groupId: string): string | undefined;
  set(groupId: string, text: string): void;
  delete(groupId: string): void;
}

export interface ChatViewProps {
  store: RoomStore;
  locale: Locale;
  /** Agents see the customer's name and the desk's words. */
  viewer: Viewer;
  /** What the customer asked for, where the room does not say it. */
  asked?: Asked | undefined;
  /** Whether it can be seen; what arrives while it cannot stays unread. Default true. */
  shown?: boolean;
  /** What stands beside the text and puts words into it. */
  aids?: Aids;
  drafts?: Drafts;
  /** Whether the text takes the focus when it appears: nothing else has it. */
  takeFocus?: () => boolean;
}

export type Aids = (insert: (text: string) => void) => ComponentChildren;

/** One room: where it stands, its messages, and where to write. */
export function ChatView({
  store,
  locale,
  viewer,
  asked,
  shown = true,
  aids,
  drafts,
  takeFocus,
}: ChatViewProps) {
  const s = useStore(store);
  const { t } = locale;
  const [text, setText] = useState(drafts?.get(store.groupId) ?? "");

  useEffect(() => {
    if (text) drafts?.set(store.groupId, text);
    else drafts?.delete(store.groupId);
  }, [drafts, store, text]);
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
      <MessageLog
        store={store}
        state={s}
        locale={locale}
        viewer={viewer}
        asked={asked}
        edit={(again) => setText((had) => (had ? `${had.trimEnd()} ${again}` : again))}
      />
      {/* Over the end of the log, not in it: every addition to a log is read aloud. */}
      {s.typing.length > 0 && (
        <div class="cr-typing">
          <span class="cr-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {typingText(s.typing, locale, viewer)}
        </div>
      )}
      <Composer
        store={store}
        state={s}
        locale={locale}
        aids={aids}
        text={text}
        setText={setText}
        takeFocus={takeFocus}
      />
    </div>
  );
}

function typingText(list: RoomState["typing"], locale: Locale, viewer: Viewer): string {
  return locale.t(list.length > 1 ? "areTyping" : "isTyping", {
    names: names(list, locale, viewer),
  });
}

/** Where the ticket stands, in words. */
export function standingText(s: RoomState, locale: Locale, viewer: Viewer): string {
  const { t } = locale;
  const st = s.standing;
  switch (st.kind) {
    case "ended":
      if (viewer === "agent") return t(st.locked ? "panelEnded" : "endedOpen");
      return t(st.locked ? "ended" : "endedOpen");
    case "locked":
      return t("muted");
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
  aids,
  text,
  setText,
  takeFocus,
}: {
  store: RoomStore;
  state: RoomState;
  locale: Locale;
  aids: Aids | undefined;
  text: string;
  setText: (next: string | ((had: string) => string)) => void;
  takeFocus: (() => boolean) | undefined;
}) {
  const { t, lang } = locale;
  const [error, setError] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (document.hasFocus() && takeFocus?.()) input.current?.focus();
  }, []);

  if (state.room?.muted) return <p class="cr-notice">{t("muted")}</p>;

  const { limits } = store.chat;
  const body = text.trim();
  const left = room(body, limits.text);
  const submit = () => {
    if (!body || left < 0) return;
    setText("");
    setError("");
    store.send(body).catch(() => {}); // the message itself says what became of it
  };
  const insert = (words: string) => {
    setText((had) => (had ? `${had.trimEnd()} ${words}` : words));
    input.current?.focus();
  };
  const attach = (list: FileList | null | undefined) => {
    setError("");
    for (const f of list ?? []) {
      if (f.size > limits.file) {
        const limit = formats(lang).size(limits.file);
        setError(t("fileTooLarge", { name: shownName(f.name), limit }));
      } else if (f.size === 0) setError(t("emptyFile"));
      else store.sendFile(f).catch(() => {});
    }
    if (file.current) file.current.value = "";
  };
  return (
    <div>
      {(error || left < 0) && (
        <p class="cr-notice" role="alert">
          {left < 0 ? t("tooLong") : error}
        </p>
      )}
      {left < limits.text / 10 && (
        <p class="cr-left" aria-hidden="true">
          {t("charactersLeft", { count: charactersLeft(body, left) })}
        </p>
      )}
      <form
        class="cr-composer"
        onSubmit={(e) => {
          e.preventDefault();
          submit();
        }}
      >
        {aids?.(insert)}
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
          disabled={!body || left < 0}
        >
          <Icon d="M3 11.5 21 3l-6 18-3.5-7.5z" />
        </button>
      </form>
    </div>
  );
}

const encoder = new TextEncoder();

/** How many bytes of a text's limit are left; a short text is not measured. */
function room(text: string, limit: number): number {
  const short = text.length * 3 < limit * 0.8;
  return limit - (short ? text.length : encoder.encode(text).length);
}

/** The same in characters like those that are there. */
function charactersLeft(text: string, bytes: number): number {
  const each = encoder.encode(text).length / Math.max(1, text.length);
  return Math.trunc(bytes / each);
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
