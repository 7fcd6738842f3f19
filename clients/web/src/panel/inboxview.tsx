import { useEffect, useMemo, useState } from "preact/hooks";
import type { ChatConfig } from "../chat/load";
import type { Locale } from "../i18n/i18n";
import { Center } from "../ui/conversation";
import { useStore } from "../ui/store";
import type { Desk, Title } from "./desk";
import { type InboxRow, InboxStore, keptSeen } from "./inbox";
import { panelTexts } from "./paneltexts";
import { useSession } from "./session";

/** All of the agent's chats, as a page of their own. */
export function InboxPage({
  desk,
  chat,
  locale,
  calls = false,
}: {
  desk: Desk;
  chat: ChatConfig;
  locale: Locale;
  calls?: boolean;
}) {
  const session = useSession(desk, chat);
  const state = useStore(session);
  const { t } = locale;
  const here = state.phase === "starting" ? undefined : state.chat;
  if (!here) return <Center>{t(state.phase === "failed" ? "offlineChat" : "connecting")}</Center>;
  return <Inbox desk={desk} chat={here} me={session.userId} locale={locale} calls={calls} />;
}

/** The list itself. `shown` false: it only counts and calls. */
export function Inbox({
  desk,
  chat,
  me,
  locale,
  shown = true,
  calls = false,
}: {
  desk: Desk;
  chat: ConstructorParameters<typeof InboxStore>[0];
  me: string;
  locale: Locale;
  shown?: boolean;
  /** Whether it tells the agent of news by a sound and by the desk's own means. */
  calls?: boolean;
}) {
  const { t } = locale;
  const texts = panelTexts(locale.lang);
  const store = useMemo(
    () =>
      new InboxStore(chat, me, keptSeen(me), (row, message) => {
        if (!calls) return;
        beep();
        desk.call(row.groupId, message.text ?? t("unreadCount", { count: row.unread }));
      }),
    [chat, me, desk, calls],
  );
  const s = useStore(store);
  useEffect(() => {
    void store.read();
    return () => store.close();
  }, [store]);
  useEffect(() => desk.unread(s.unread), [desk, s.unread]);
  const titles = useTitles(desk, shown ? s.rows : []);
  const now = useMinutes();
  if (!shown) return null;
  if (s.phase !== "ready") {
    return <Center>{t(s.phase === "failed" ? "offlineChat" : "loading")}</Center>;
  }
  if (s.rows.length === 0) return <Center>{texts.noChats}</Center>;
  return (
    <ul class="cp-inbox" aria-label={texts.chats}>
      {s.rows.map((r) => {
        const title = titles.get(r.groupId);
        return (
          <li key={r.groupId}>
            <button type="button" onClick={() => desk.open(r.groupId)}>
              <span class="cp-inbox-title">
                <bdi>{title?.title || title?.customer || t("customer")}</bdi>
                {r.unread > 0 && (
                  <span class="cp-unread">{t("unreadCount", { count: r.unread })}</span>
                )}
              </span>
              <span class="cp-inbox-last">
                <bdi>{r.last?.text ?? r.last?.name ?? ""}</bdi>
              </span>
              {r.since !== undefined && (
                <span class="cp-warn">
                  {texts.waitsSince.replace("{time}", ago(r.since, now, locale.lang))}
                </span>
              )}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function useTitles(desk: Desk, rows: InboxRow[]): Map<string, Title> {
  const [known, setKnown] = useState(new Map<string, Title>());
  const wanted = rows.map((r) => r.groupId).filter((id) => !known.has(id));
  const key = wanted.join("\n");
  useEffect(() => {
    if (!key) return;
    let over = false;
    desk.titles(key.split("\n")).then(
      (more) => {
        if (over) return;
        // Those that the desk does not name are not asked for again.
        const none = new Map(key.split("\n").map((id) => [id, { title: "" }]));
        setKnown((had) => new Map([...had, ...none, ...more]));
      },
      () => {},
    );
    return () => {
      over = true;
    };
  }, [desk, key]);
  return known;
}

function useMinutes(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 20_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** How long ago, in the greatest unit that fits. */
export function ago(then: number, now: number, lang: string): string {
  const minutes = Math.max(0, Math.round((now - then) / 60_000));
  const [n, unit] =
    minutes < 60
      ? ([minutes, "minute"] as const)
      : minutes < 48 * 60
        ? ([Math.round(minutes / 60), "hour"] as const)
        : ([Math.round(minutes / 1440), "day"] as const);
  return new Intl.RelativeTimeFormat(lang, { numeric: "auto" }).format(-n, unit);
}

/** A short tone, where the browser lets a page make one. */
function beep(): void {
  try {
    const audio = new AudioContext();
    const tone = audio.createOscillator();
    const loud = audio.createGain();
    loud.gain.setValueAtTime(0.15, audio.currentTime);
    loud.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
    tone.frequency.value = 880;
    tone.connect(loud).connect(audio.destination);
    tone.onended = () => void audio.close();
    tone.start();
    tone.stop(audio.currentTime + 0.4);
  } catch {
    // No sound here; the list and the desk say it.
  }
}
