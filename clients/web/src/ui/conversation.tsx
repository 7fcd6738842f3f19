import { useEffect, useRef, useState } from "preact/hooks";
import type { ChatErrorCode } from "../chat/chat";
import { type RoomOptions, type RoomState, RoomStore } from "../chat/room";
import type { Session } from "../chat/session";
import type { Locale, Texts } from "../i18n/i18n";
import { adopt } from "./adopt";
import chat from "./chat.css?inline";
import { type Aids, ChatView, type Drafts } from "./chatview";
import type { Asked } from "./messagelog";
import type { Viewer } from "./names";
import { useStore } from "./store";

export { loadChat } from "../chat/load";
export { Session } from "../chat/session";

/** Gives a document or shadow root the styles of {@link Conversation}. */
export function adoptChatStyles(root: Document | ShadowRoot): void {
  adopt(root, chat);
}

export interface ConversationProps {
  session: Session;
  groupId: string;
  locale: Locale;
  viewer: Viewer;
  /** How the room is kept; asked when it is opened. */
  options?: () => RoomOptions;
  asked?: Asked | undefined;
  drafts?: Drafts;
  aids?: Aids;
  shown?: boolean;
  /** Hears of every change of the room. */
  onRoom?: (state: RoomState, store: RoomStore) => void;
  /** Whether the text takes the focus when it appears: nothing else has it. */
  takeFocus?: () => boolean;
  /** What to show when this person is not in the room. */
  left: preact.ComponentChildren;
}

const errorTexts: Partial<Record<ChatErrorCode, keyof Texts>> = {
  offline: "offlineChat",
  blocked: "blocked",
  refused: "refused",
  expired: "refused",
  busy: "busy",
  not_member: "left",
  gone: "left",
  plan: "planLimit",
};

/** A conversation with everything that can be between a person and their room. */
export function Conversation(props: ConversationProps) {
  const { session, groupId, locale, onRoom } = props;
  const { t } = locale;
  const state = useStore(session);
  const chat = state.phase === "starting" ? undefined : state.chat;
  const [store, setStore] = useState<RoomStore>();
  const own = useRef(new Map<string, string>()).current;
  const drafts = props.drafts ?? own;

  useEffect(() => {
    if (!chat) return;
    const room = new RoomStore(chat, groupId, session.userId, props.options?.());
    const tell = () => onRoom?.(room.state, room);
    const off = room.subscribe(tell);
    setStore(room);
    void room.open();
    return () => {
      off();
      room.close();
    };
  }, [chat, groupId, session, onRoom]);

  if (state.phase === "starting") return <Center>{t("connecting")}</Center>;
  const here = store && store.groupId === groupId && store.chat === chat ? store : undefined;
  if (state.phase === "failed") {
    const why = <p>{t(errorTexts[state.error.code] ?? "unknown")}</p>;
    const again = (
      <Again at={state.retryAt ?? 0} locale={locale} retry={() => void session.retry()} />
    );
    // Once there was a conversation, it stays, with what is not sent yet.
    return here ? (
      <div class="cr-chat">
        <div class="cr-notice cr-row" role="alert">
          {why}
          {again}
        </div>
        <InRoom {...props} store={here} drafts={drafts} />
      </div>
    ) : (
      <Center alert>
        {why}
        {again}
      </Center>
    );
  }
  if (state.connection === "ended") {
    return (
      <Center alert>
        <p>{t("endedByOperator")}</p>
      </Center>
    );
  }
  return (
    <div class="cr-chat">
      {state.connection === "kicked" && (
        <div class="cr-notice cr-row" role="status">
          <p>{t("kicked")}</p>
          <button type="button" class="cr-button" onClick={() => void session.retry()}>
            {t("useHere")}
          </button>
        </div>
      )}
      {state.connection !== "online" && state.connection !== "kicked" && (
        <p class="cr-notice" role="status">
          {t(state.connection === "offline" ? "offline" : "connecting")}
        </p>
      )}
      {here && <InRoom {...props} store={here} drafts={drafts} />}
    </div>
  );
}

function InRoom({
  store,
  locale,
  viewer,
  aids,
  shown,
  takeFocus,
  left,
  asked,
  drafts,
}: ConversationProps & { store: RoomStore; drafts: Drafts }) {
  const s = useStore(store);
  if (s.phase === "left") return <Center>{left}</Center>;
  if (s.phase === "failed") {
    return (
      <Center alert>
        <p>{locale.t(errorTexts[s.error?.code ?? "unknown"] ?? "unknown")}</p>
        <button type="button" class="cr-button" onClick={() => void store.open()}>
          {locale.t("retry")}
        </button>
      </Center>
    );
  }
  return (
    <ChatView
      store={store}
      locale={locale}
      viewer={viewer}
      asked={asked}
      drafts={drafts}
      {...(takeFocus ? { takeFocus } : {})}
      {...(aids ? { aids } : {})}
      {...(shown === undefined ? {} : { shown })}
    />
  );
}

export function Center({
  children,
  alert,
}: {
  children: preact.ComponentChildren;
  alert?: boolean;
}) {
  return (
    <div class="cr-center" role={alert ? "alert" : "status"}>
      {children}
    </div>
  );
}

/** Says when it tries again, and lets nobody wait who does not want to. */
export function Again({ at, locale, retry }: { at: number; locale: Locale; retry: () => void }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [at]);
  const seconds = Math.max(0, Math.ceil((at - now) / 1000));
  return (
    <>
      {/* A count-down that is read aloud every second helps nobody. */}
      <p aria-live="off">{seconds > 0 ? locale.t("retryIn", { seconds }) : ""}</p>
      <button type="button" class="cr-button" onClick={retry}>
        {locale.t("retry")}
      </button>
    </>
  );
}
