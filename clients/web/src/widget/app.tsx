import type { ComponentType } from "preact";
import { useEffect, useErrorBoundary, useMemo, useRef, useState } from "preact/hooks";
import type { CaseInfo } from "../api/api";
import type { ChatConfig } from "../chat/load";
import type { Locale } from "../i18n/i18n";
import { useStore } from "../ui/store";
import type { ConnectedProps } from "./connected";
import { StoredDrafts } from "./drafts";
import type { Opening } from "./hours";
import type { Problem, WidgetModel, WidgetState } from "./model";
import { keepFocus, useCover, useNarrow } from "./phone";
import type { WidgetOptions } from "./public";

/** The code that only a chat needs, as it was loaded. */
type ChatCode = typeof import("./connected");

export interface AppProps {
  model: WidgetModel;
  chat: ChatConfig;
  locale: Locale;
  root: ShadowRoot;
  open: boolean;
  inline: boolean;
  look: Omit<WidgetOptions, "container">;
  setOpen: (open: boolean) => void;
  /** Tells the page. */
  tell: (event: string, detail: object) => void;
}

/** How long an ended request is still looked after on every page, in milliseconds. */
const followEnded = 7 * 24 * 3600_000;

function followed(state: WidgetState): boolean {
  if (state.view !== "chat") return false;
  return Date.now() - (state.ticket.ended ?? Date.now()) < followEnded;
}

/** Runs something once the page has nothing else to do and somebody sees it. */
function whenIdle(run: () => void): () => void {
  let idle: number | undefined;
  const later = globalThis.requestIdleCallback ?? ((f: () => void) => setTimeout(f, 1_000));
  const look = () => {
    if (document.visibilityState !== "visible" || idle !== undefined) return;
    idle = Number(later(run));
  };
  look();
  document.addEventListener("visibilitychange", look);
  return () => {
    document.removeEventListener("visibilitychange", look);
    if (idle !== undefined) (globalThis.cancelIdleCallback ?? clearTimeout)(idle);
  };
}

export function App(props: AppProps) {
  const { model, locale, open, inline, setOpen, tell } = props;
  const { t } = locale;
  const state = useStore(model);
  const [unread, setUnread] = useState(0);
  const launcher = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(open);
  // Once it has been open, the chat stays connected, so that a reply is seen.
  const [used, setUsed] = useState(open || inline);
  useEffect(() => {
    if (open) setUsed(true);
    else if (wasOpen.current) launcher.current?.focus();
    wasOpen.current = open;
  }, [open]);
  const follows = !used && followed(state);
  useEffect(() => (follows ? whenIdle(() => setUsed(true)) : undefined), [follows]);

  const made = state.view === "chat" && state.credentials ? state.ticket : undefined;
  useEffect(() => {
    if (made) tell("caseroom:ticket", { ticketId: made.ticketId, groupId: made.groupId });
  }, [made?.groupId]);

  return (
    <div dir={locale.dir} lang={locale.lang} class="cw-root">
      {!inline && !open && (
        <button ref={launcher} type="button" class="cw-launch" onClick={() => setOpen(true)}>
          {t("open")}
          {unread > 0 && (
            <span class="cw-badge">
              <span aria-hidden="true">{unread}</span>
              <span class="cr-hidden">{t("unreadCount", { count: unread })}</span>
            </span>
          )}
        </button>
      )}
      {(inline || used) && (
        <Window {...props} state={state} hidden={!inline && !open} onUnread={setUnread} />
      )}
    </div>
  );
}

function Window(
  props: AppProps & { state: WidgetState; hidden: boolean; onUnread: (n: number) => void },
) {
  const { model, locale, root, inline, look, setOpen, state, hidden } = props;
  const { t } = locale;
  const title = useRef<HTMLHeadingElement>(null);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!hidden && !inline) title.current?.focus();
  }, [hidden, inline]);
  // What had the focus goes with its view; who uses the keyboard goes on from the top.
  const view = useRef(state.view);
  useEffect(() => {
    if (view.current === state.view) return;
    view.current = state.view;
    if (!hidden && document.hasFocus() && !root.activeElement) title.current?.focus();
  }, [state.view, hidden, root]);
  const covers = useNarrow() && !inline && !hidden;
  useCover(covers, () => setOpen(false));
  const drafts = useMemo(() => new StoredDrafts(look.api), [look.api]);
  const [signedIn, setSignedIn] = useState<boolean>();
  const ask = () => void model.signedIn().then(setSignedIn, () => setSignedIn(false));
  useEffect(ask, [model, state.view]);

  const own = look.title ?? t("title");
  const heading =
    state.view === "chat"
      ? t("request", { ticket: state.ticket.ticketId })
      : state.view === "list"
        ? t("requests")
        : own;
  const subject = state.view === "chat" ? state.ticket.subject : "";
  const earlier = model.earlier();
  const listable = Boolean(signedIn) || earlier.length > (state.view === "chat" ? 1 : 0);
  return (
    <section
      ref={panel}
      class="cw-panel"
      aria-label={own}
      hidden={hidden}
      {...(covers ? { role: "dialog", "aria-modal": true } : {})}
      onKeyDown={(e) => {
        if (e.key === "Escape" && !inline && !e.isComposing) setOpen(false);
        if (covers && panel.current) keepFocus(e, panel.current, root.activeElement);
      }}
    >
      <header class="cw-head">
        {state.view === "list" ? (
          <button
            type="button"
            aria-label={t("back")}
            title={t("back")}
            onClick={() => model.back()}
          >
            <span class="cr-flip" aria-hidden="true">
              ‹
            </span>
          </button>
        ) : (
          look.logo && <img src={look.logo} alt="" width="32" height="32" />
        )}
        <div class="cw-title">
          <h2 ref={title} tabIndex={-1}>
            {heading}
          </h2>
          {subject && <p dir="auto">{subject}</p>}
        </div>
        {state.view !== "list" && state.view !== "creating" && listable && (
          <button
            type="button"
            aria-label={t("requests")}
            title={t("requests")}
            onClick={() => model.list()}
          >
            <span aria-hidden="true">☰</span>
          </button>
        )}
        {!inline && (
          <button
            type="button"
            aria-label={t("close")}
            title={t("close")}
            onClick={() => setOpen(false)}
          >
            <span aria-hidden="true">×</span>
          </button>
        )}
      </header>
      <div class="cw-body">
        {state.view === "form" && (
          <TicketForm {...{ model, locale, state, signedIn, ask, drafts, look }} />
        )}
        {state.view === "creating" && <Creating model={model} locale={locale} state={state} />}
        {(state.view === "chat" || state.view === "list") && (
          <Loaded
            key={state.view === "chat" ? model.asGuest : !signedIn}
            {...props}
            drafts={drafts}
            state={state}
          />
        )}
      </div>
    </section>
  );
}

function TicketForm({
  model,
  locale,
  state,
  signedIn,
  ask,
  drafts,
  look,
}: Pick<AppProps, "model" | "locale" | "look"> & {
  state: WidgetState & { view: "form" };
  signedIn: boolean | undefined;
  ask: () => void;
  drafts: StoredDrafts;
}) {
  const { t } = locale;
  const [errors, setErrors] = useState<Record<string, string>>({});
  const about = state.about;
  const again = about?.subject ? { subject: about.subject } : undefined;
  const opening = useOpening(look.hours);
  const closed = opening?.open === false;
  const draft: Partial<CaseInfo> | undefined = state.draft ?? drafts.form ?? again;
  const field = (name: Exclude<keyof CaseInfo, "locale">, area = false) => {
    const id = `cw-${name}`;
    const common = {
      id,
      name,
      defaultValue: draft?.[name] ?? "",
      dir: "auto" as const,
      ...(errors[name] ? { "aria-invalid": true, "aria-describedby": `${id}-error` } : {}),
    };
    const label = {
      subject: "subject",
      desc: "description",
      name: "name",
      email: "email",
    } as const;
    return (
      <label for={id}>
        {t(name === "email" && closed ? "emailNeeded" : label[name])}
        {area ? (
          <textarea {...common} required maxLength={20_000} />
        ) : name === "email" ? (
          <input {...common} type="email" autocomplete="email" required={closed} maxLength={320} />
        ) : name === "name" ? (
          <input {...common} autocomplete="name" maxLength={255} />
        ) : (
          <input {...common} required maxLength={250} />
        )}
        {errors[name] && (
          <span id={`${id}-error`} class="cr-error">
            {errors[name]}
          </span>
        )}
      </label>
    );
  };
  if (signedIn === undefined) return null;
  if (!signedIn && !model.guests) {
    return (
      <div class="cr-center" role="status">
        <p>{t("signIn")}</p>
        <button type="button" class="cr-button" onClick={ask}>
          {t("retry")}
        </button>
      </div>
    );
  }
  return (
    <form
      class="cw-form"
      noValidate
      onInput={(e) => {
        drafts.form = values(e.currentTarget);
      }}
      onSubmit={(e) => {
        e.preventDefault();
        const form = e.currentTarget;
        const found: Record<string, string> = {};
        for (const el of Array.from(form.elements)) {
          if (!(el instanceof HTMLInputElement || el instanceof HTMLTextAreaElement)) continue;
          if (el.validity.valueMissing || (el.required && !el.value.trim())) {
            found[el.name] = t("required");
          } else if (el.validity.typeMismatch) found[el.name] = t("emailInvalid");
        }
        setErrors(found);
        const first = Object.keys(found)[0];
        if (first) {
          (form.elements.namedItem(first) as HTMLElement).focus();
          return;
        }
        const given = values(form) as CaseInfo;
        if (about) given.desc += `\n\n${t("followUp", { ticket: about.ticketId })}`;
        drafts.form = undefined;
        if (look.notify) void globalThis.Notification?.requestPermission?.();
        void model.submit(given);
      }}
    >
      <p>
        {closed
          ? t("closedNow", { time: localTime(opening?.next, locale.lang) })
          : (look.greeting ?? t("intro"))}
      </p>
      {!closed && look.expectedWait && <p>{t("expectedWait", { wait: look.expectedWait })}</p>}
      {about && <p>{t("followUp", { ticket: about.ticketId })}</p>}
      {state.problem && (
        <p class="cr-notice" role="alert">
          {problemText(state.problem, locale)}
        </p>
      )}
      {field("subject")}
      {field("desc", true)}
      {!signedIn && field("name")}
      {!signedIn && field("email")}
      <button type="submit" class="cr-button cr-primary">
        {t("start")}
      </button>
    </form>
  );
}

/** Whether somebody is there now; undefined without business hours, or until they are read. */
function useOpening(hours: string | undefined): Opening | undefined {
  const [opening, setOpening] = useState<Opening>();
  useEffect(() => {
    if (!hours) return;
    import("./hours").then((m) => setOpening(m.opening(hours, Date.now()))).catch(console.error);
  }, [hours]);
  return opening;
}

function localTime(ms: number | undefined, lang: string): string {
  if (!ms) return "";
  return new Intl.DateTimeFormat(lang, {
    weekday: "long",
    hour: "numeric",
    minute: "2-digit",
  }).format(ms);
}

function values(form: HTMLFormElement): Partial<CaseInfo> {
  return Object.fromEntries(
    [...new FormData(form)].map(([k, v]) => [k, String(v).trim()]).filter(([, v]) => v),
  );
}

function problemText(p: Problem, { t }: Locale): string {
  switch (p.kind) {
    case "signIn":
      return t("signIn");
    case "offline":
      return t("createOffline");
    case "busy":
      return t("createBusy");
    case "room":
      return t("createRoom", { ticket: p.ticketId });
    case "invalid":
      return t("createInvalid", { detail: p.detail });
    case "failed":
      return t("createFailed");
  }
}

function Creating({
  model,
  locale,
  state,
}: {
  model: WidgetModel;
  locale: Locale;
  state: WidgetState & { view: "creating" };
}) {
  return (
    <div class="cr-center" role={state.problem ? "alert" : "status"}>
      <p>{state.problem ? problemText(state.problem, locale) : locale.t("starting")}</p>
      <slot name="challenge" />
      {state.retryAt !== undefined && (
        <button type="button" class="cr-button" onClick={() => void model.retry()}>
          {locale.t("retry")}
        </button>
      )}
    </div>
  );
}

/** How long the code of the chat is waited for before it is asked for again, in milliseconds. */
const codeWaits = [1_000, 3_000, 10_000, 30_000];

/** Loads the code of the chat when it is first needed, and says so while it does not come. */
function Loaded(props: ConnectedProps) {
  const { t } = props.locale;
  const [code, setCode] = useState<ChatCode>();
  const [failures, setFailures] = useState(0);
  const [again, setAgain] = useState(0);
  const [crashed, recover] = useErrorBoundary();

  useEffect(() => {
    if (code) return;
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const retry = () => setAgain((n) => n + 1);
    import("./connected").then(
      (loaded) => {
        if (gone) return;
        loaded.adoptChatStyles(props.root);
        setCode(loaded);
      },
      () => {
        if (gone) return;
        timer = setTimeout(retry, codeWaits[Math.min(failures, codeWaits.length - 1)]);
        setFailures((n) => n + 1);
      },
    );
    addEventListener("online", retry);
    return () => {
      gone = true;
      clearTimeout(timer);
      removeEventListener("online", retry);
    };
  }, [again, code]);

  if (code && !crashed) {
    const Connected = code.Connected as ComponentType<ConnectedProps>;
    return <Connected {...props} />;
  }
  return (
    <div class="cr-center" role={failures ? "alert" : "status"}>
      <p>{t(crashed ? "unknown" : failures ? "blocked" : "connecting")}</p>
      {(failures > 0 || crashed) && (
        <button
          type="button"
          class="cr-button"
          onClick={() => {
            recover();
            setAgain((n) => n + 1);
          }}
        >
          {t("retry")}
        </button>
      )}
    </div>
  );
}
