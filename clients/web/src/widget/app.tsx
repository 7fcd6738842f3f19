import type { ComponentType } from "preact";
import { useEffect, useErrorBoundary, useMemo, useRef, useState } from "preact/hooks";
import type { CaseInfo } from "../api/api";
import type { ChatConfig } from "../chat/load";
import type { RoomState } from "../chat/room";
import type { Session } from "../chat/session";
import type { Locale } from "../i18n/i18n";
import type { ConversationProps } from "../ui/conversation";
import { useStore } from "../ui/store";
import type { Problem, WidgetModel, WidgetState } from "./model";

/** The code that only a chat needs, as it was loaded. */
type ChatCode = typeof import("../ui/conversation");

export interface AppProps {
  model: WidgetModel;
  chat: ChatConfig;
  locale: Locale;
  root: ShadowRoot;
  open: boolean;
  inline: boolean;
  setOpen: (open: boolean) => void;
}

export function App(props: AppProps) {
  const { model, locale, open, inline, setOpen } = props;
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

  return (
    <div dir={locale.dir} lang={locale.lang} style={inline ? { height: "100%" } : {}}>
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

function Window({
  model,
  chat,
  locale,
  root,
  inline,
  setOpen,
  state,
  hidden,
  onUnread,
}: AppProps & { state: WidgetState; hidden: boolean; onUnread: (n: number) => void }) {
  const { t } = locale;
  const title = useRef<HTMLHeadingElement>(null);
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
  return (
    <section
      class="cw-panel"
      aria-label={t("title")}
      hidden={hidden}
      onKeyDown={(e) => {
        if (e.key === "Escape" && !inline) setOpen(false);
      }}
    >
      <header class="cw-head">
        <h2 ref={title} tabIndex={-1}>
          {state.view === "chat" ? t("request", { ticket: state.ticket.ticketId }) : t("title")}
        </h2>
        {!inline && (
          <button type="button" aria-label={t("close")} onClick={() => setOpen(false)}>
            ×
          </button>
        )}
      </header>
      <div class="cw-body">
        {state.view === "form" && <TicketForm model={model} locale={locale} state={state} />}
        {state.view === "creating" && <Creating model={model} locale={locale} state={state} />}
        {state.view === "chat" && (
          <Chat
            key={state.ticket.groupId}
            {...{ model, chat, locale, root, state, onUnread, hidden }}
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
}: {
  model: WidgetModel;
  locale: Locale;
  state: WidgetState & { view: "form" };
}) {
  const { t } = locale;
  const [signedIn, setSignedIn] = useState<boolean>();
  const look = () => void model.signedIn().then(setSignedIn, () => setSignedIn(false));
  useEffect(look, [model]);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const draft = state.draft;
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
        {t(label[name])}
        {area ? (
          <textarea {...common} required maxLength={20_000} />
        ) : name === "email" ? (
          <input {...common} type="email" autocomplete="email" maxLength={320} />
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
        <button type="button" class="cr-button" onClick={look}>
          {t("retry")}
        </button>
      </div>
    );
  }
  return (
    <form
      class="cw-form"
      noValidate
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
        const given = Object.fromEntries(
          [...new FormData(form)].map(([k, v]) => [k, String(v).trim()]).filter(([, v]) => v),
        );
        void model.submit(given as unknown as CaseInfo);
      }}
    >
      <p>{t("intro")}</p>
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

function Chat({
  model,
  chat,
  locale,
  root,
  state,
  onUnread,
  hidden,
}: {
  model: WidgetModel;
  chat: ChatConfig;
  locale: Locale;
  root: ShadowRoot;
  state: WidgetState & { view: "chat" };
  onUnread: (n: number) => void;
  hidden: boolean;
}) {
  const { t } = locale;
  const [code, setCode] = useState<ChatCode>();
  const [failures, setFailures] = useState(0);
  const [again, setAgain] = useState(0);
  const [ended, setEnded] = useState(false);
  const [crashed, recover] = useErrorBoundary();

  useEffect(() => {
    if (code) return;
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const retry = () => setAgain((n) => n + 1);
    import("../ui/conversation").then(
      (loaded) => {
        if (gone) return;
        loaded.adoptChatStyles(root);
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

  const session = useMemo<Session | undefined>(
    () =>
      code &&
      new code.Session(
        { load: (app) => code.loadChat(chat, app), renew: model.renew },
        state.credentials,
      ),
    [code],
  );
  useEffect(() => {
    void session?.retry();
    return () => void session?.close();
  }, [session]);

  // What is unread goes with the ticket, also when another tab left it.
  useEffect(() => () => onUnread(0), [onUnread]);
  const onRoom = useMemo(
    () => (room: RoomState) => {
      setEnded(
        room.phase === "left" || room.standing.kind === "ended" || room.standing.kind === "merged",
      );
      onUnread(room.unread);
    },
    [onUnread],
  );

  if (crashed || !code || !session) {
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
  const Conversation = code.Conversation as ComponentType<ConversationProps>;
  return (
    <>
      <Conversation
        session={session}
        groupId={state.ticket.groupId}
        locale={locale}
        viewer="customer"
        shown={!hidden}
        takeFocus={() =>
          matchMedia("(pointer: fine)").matches && root.activeElement?.tagName === "H2"
        }
        onRoom={onRoom}
        left={<p>{t("left")}</p>}
      />
      {ended && (
        <div class="cw-foot">
          <button type="button" class="cr-button" onClick={() => model.another()}>
            {t("another")}
          </button>
        </div>
      )}
    </>
  );
}
