import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { adopt } from "../ui/adopt";
import { useStore } from "../ui/store";
import {
  type CalendarProps,
  type CalendarState,
  CalendarStore,
  type ConsentWindow,
} from "./calendar";
import css from "./calendar.css?inline";
import { type CalendarTexts, calendarTexts } from "./calendartexts";

adopt(document, css);

function openWindow(): ConsentWindow | null {
  return window.open("about:blank", "_blank", "popup,width=560,height=720");
}

/** The agent's own calendar: how it is connected, and the feed's address. */
export function CalendarView({ agent, status, locale }: CalendarProps) {
  const t = calendarTexts(locale.lang);
  // What it was when the view came is only where the store begins.
  const store = useMemo(() => new CalendarStore({ agent, open: openWindow }, status), [agent]);
  const s = useStore(store);
  useEffect(() => {
    const back = () => {
      if (document.visibilityState === "visible") void store.back();
    };
    addEventListener("focus", back);
    document.addEventListener("visibilitychange", back);
    return () => {
      removeEventListener("focus", back);
      document.removeEventListener("visibilitychange", back);
      store.close();
    };
  }, [store]);

  const { state } = s.status;
  const summary = useRef<HTMLElement>(null);
  const acted = useRef(false);
  // The button that was used may be gone by now; whoever uses keys must not be.
  useLayoutEffect(() => {
    if (acted.current && document.activeElement === document.body) summary.current?.focus();
  }, [state, s.problem]);
  const connect = () => {
    acted.current = true;
    void store.connect();
  };
  if (s.off) return null;
  return (
    <section class="cp-calendar" aria-label={t.title}>
      <div role="status">
        {state === "revoked" && (
          <p class="cr-notice">
            {t.revokedLong}{" "}
            <button type="button" class="cr-button" onClick={connect}>
              {t.again}
            </button>
          </p>
        )}
      </div>
      <div role="alert">
        {s.problem && (
          <p class="cr-notice">
            {t[s.problem]}{" "}
            {s.problem !== "signedOut" && (
              <button
                type="button"
                class="cr-button"
                onClick={() => {
                  acted.current = true;
                  void store.retry();
                }}
              >
                {locale.t("retry")}
              </button>
            )}
          </p>
        )}
      </div>
      <details name="cp">
        <summary ref={summary}>
          {t.title}: <span class="cp-calendar-state">{t[state]}</span>
        </summary>
        <Connection store={store} s={s} t={t} lang={locale.lang} connect={connect} acted={acted} />
        <Feed store={store} s={s} t={t} copy={locale.t("copy")} copied={locale.t("copied")} />
      </details>
    </section>
  );
}

interface PartProps {
  store: CalendarStore;
  s: CalendarState;
  t: CalendarTexts;
}

function Connection({
  store,
  s,
  t,
  lang,
  connect,
  acted,
}: PartProps & { lang: string; connect: () => void; acted: RefObject<boolean> }) {
  const { state, since, calendar, account } = s.status;
  return (
    <div class="cp-calendar-part">
      <p role="status">
        {state === "connected" ? (
          <>
            {t.connectedLong}{" "}
            <bdi>{[calendar, account].filter(Boolean).join(" · ") || t.yours}</bdi>
            {since && ` (${t.since.replace("{date}", day(since, lang))})`}
          </>
        ) : (
          state !== "revoked" && t[`${state}Long`]
        )}
        {s.consenting && ` ${t.consenting}`}
      </p>
      {state === "none" && (
        <button type="button" class="cr-button" aria-disabled={!!s.doing} onClick={connect}>
          {t.connect}
        </button>
      )}
      {(state === "connected" || state === "revoked") && (
        <Asked
          what={t.disconnect}
          question={t.disconnectAsk}
          yes={t.disconnectYes}
          no={t.cancel}
          busy={!!s.doing}
          act={() => {
            acted.current = true;
            return store.disconnect();
          }}
        />
      )}
    </div>
  );
}

function Feed({ store, s, t, copy, copied }: PartProps & { copy: string; copied: string }) {
  const [said, setSaid] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const take = async () => {
    try {
      await navigator.clipboard.writeText(s.status.feedUrl);
      setSaid(copied);
    } catch {
      // The page around may not allow its frames the clipboard.
      field.current?.focus();
      field.current?.select();
      setSaid(t.selected);
    }
  };
  return (
    <div class="cp-calendar-part">
      <label for={id}>{t.feed}</label>
      <div class="cp-calendar-row">
        <input
          id={id}
          ref={field}
          type="text"
          dir="ltr"
          readOnly
          autocomplete="off"
          spellcheck={false}
          value={s.status.feedUrl}
          aria-describedby={`${id}-help`}
          onFocus={(e) => e.currentTarget.select()}
        />
        <button type="button" class="cr-button" onClick={() => void take()}>
          {copy}
        </button>
      </div>
      <p id={`${id}-help`} class="cp-calendar-help">
        {t.feedHelp}
      </p>
      <Asked
        what={t.newFeed}
        question={t.newFeedAsk}
        yes={t.newFeedYes}
        no={t.cancel}
        busy={!!s.doing}
        act={() => {
          setSaid("");
          return store.newFeed();
        }}
      />
      <p role="status">{said || (s.newFeed ? t.newFeedDone : "")}</p>
    </div>
  );
}

/** A button that asks before it does what cannot be taken back. */
function Asked({
  what,
  question,
  yes,
  no,
  busy,
  act,
}: {
  what: string;
  question: ComponentChildren;
  yes: string;
  no: string;
  busy: boolean;
  act: () => Promise<void>;
}) {
  const [asking, setAsking] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const cancel = useRef<HTMLButtonElement>(null);
  const asked = useRef(false);
  const id = useId();
  useLayoutEffect(() => {
    if (asking) cancel.current?.focus();
    else if (asked.current) button.current?.focus();
    asked.current = asking;
  }, [asking]);
  if (!asking) {
    return (
      <button
        ref={button}
        type="button"
        class="cr-button"
        aria-disabled={busy}
        onClick={() => !busy && setAsking(true)}
      >
        {what}
      </button>
    );
  }
  return (
    <div
      class="cp-calendar-ask"
      role="alertdialog"
      aria-labelledby={id}
      onKeyDown={(e) => {
        if (e.key !== "Escape") return;
        e.stopPropagation();
        setAsking(false);
      }}
    >
      <p id={id}>{question}</p>
      <div class="cp-calendar-row">
        <button
          type="button"
          class="cr-button"
          onClick={() => {
            setAsking(false);
            void act();
          }}
        >
          {yes}
        </button>
        <button ref={cancel} type="button" class="cr-button" onClick={() => setAsking(false)}>
          {no}
        </button>
      </div>
    </div>
  );
}

function day(at: string, lang: string): string {
  return new Intl.DateTimeFormat(lang, { dateStyle: "medium" }).format(new Date(at));
}
