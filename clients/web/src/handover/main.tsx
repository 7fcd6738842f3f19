import { render } from "preact";
import { useState } from "preact/hooks";
import { readJson } from "../panel/config";
import { adopt } from "../ui/adopt";
import { Linked } from "../ui/text";
import theme from "../ui/theme.css?inline";
import {
  type HandOver,
  HandOverError,
  loginMessaging,
  startChat,
  type ZChat,
  type ZE,
} from "./handover";
import css from "./handover.css?inline";
import { handOverTexts } from "./texts";

/** The page's part of config.json. */
interface HandOverConfig {
  api?: string;
  handover?: {
    /** cookie: the API reads the login's cookie. header: the token stands in the address. */
    login?: "cookie" | "header";
    /** Zendesk Chat's account key; the Chat Web SDK. */
    chatAccountKey?: string;
    chatSdk?: string;
    /** Messaging's widget key. */
    messagingKey?: string;
    messagingSnippet?: string;
  };
}

const chatSdk = "https://dev.zopim.com/web-sdk/latest/web-sdk.js";
const messagingSnippet = "https://static.zdassets.com/ekr/snippet.js";

/**
 * The token that a login's redirect left in the address, #token= or Xsolla's
 * ?token=. It is taken out of the address at once: no bookmark, no referrer and
 * no history may hold it.
 */
function takeToken(): string | undefined {
  const url = new URL(location.href);
  const fragment = new URLSearchParams(url.hash.slice(1));
  const token = fragment.get("token") ?? url.searchParams.get("token") ?? undefined;
  if (token) {
    fragment.delete("token");
    url.searchParams.delete("token");
    url.hash = fragment.toString();
    history.replaceState(null, "", url);
  }
  return token;
}

const token = takeToken();
const root = document.getElementById("caseroom-handover") ?? document.body;
root.classList.add("cr-root");
adopt(document, theme);
adopt(document, css);
const { t, lang } = handOverTexts(navigator.languages);
document.documentElement.lang = lang;
document.title = t.title;

interface Line {
  who: string;
  text: string;
}

async function script(src: string, id?: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const el = document.createElement("script");
    el.src = src;
    if (id) el.id = id;
    el.onload = () => resolve();
    el.onerror = () => reject(new HandOverError("unavailable"));
    document.head.append(el);
  });
}

function say(text: string, retry?: () => void): void {
  render(
    <div class="ch-box" role={retry ? "alert" : "status"}>
      <p>{text}</p>
      {retry && (
        <button type="button" class="cr-button" onClick={retry}>
          {t.retry}
        </button>
      )}
    </div>,
    root,
  );
}

/** The Chat Web SDK has no look of its own. */
function ChatBox({ chat, lines }: { chat: ZChat; lines: Line[] }) {
  const [text, setText] = useState("");
  const [failed, setFailed] = useState(false);
  return (
    <div class="ch-chat">
      <div class="ch-log" role="log" aria-label={t.messages}>
        {lines.map((l, i) => (
          <p key={i}>
            <b>
              <bdi>{l.who}</bdi>
            </b>{" "}
            <Linked text={l.text} />
          </p>
        ))}
      </div>
      {failed && (
        <p class="cr-notice" role="alert">
          {t.notSent}
        </p>
      )}
      <form
        class="ch-form"
        onSubmit={(e) => {
          e.preventDefault();
          const body = text.trim();
          if (!body) return;
          chat.sendChatMsg(body, (err) => {
            setFailed(Boolean(err));
            if (err) setText(body);
          });
          setText("");
        }}
      >
        <input
          aria-label={t.write}
          placeholder={t.write}
          value={text}
          dir="auto"
          onInput={(e) => setText(e.currentTarget.value)}
        />
        <button type="submit" class="cr-button cr-primary">
          {t.send}
        </button>
      </form>
    </div>
  );
}

async function start(): Promise<void> {
  say(t.connecting);
  try {
    const res = await fetch(
      new URL("config.json", import.meta.env.DEV ? document.baseURI : import.meta.url),
      { cache: "no-cache" },
    );
    const config = {
      ...((await res.json()) as HandOverConfig),
      ...readJson("caseroom-config"),
    } as HandOverConfig;
    const c = config.handover ?? {};
    const o: HandOver = {
      api: config.api ?? location.origin,
      ...(c.login === "header" ? { getToken: () => token } : {}),
    };
    const failed = (err: HandOverError) => say(t[err.code], () => void start());
    if (c.messagingKey) {
      const g = globalThis as { zE?: ZE };
      if (!g.zE) {
        const src = new URL(c.messagingSnippet ?? messagingSnippet);
        src.searchParams.set("key", c.messagingKey);
        await script(src.href, "ze-snippet");
      }
      const zE = g.zE as ZE;
      await loginMessaging(zE, o, failed);
      zE("messenger", "open");
      say(t.messaging);
    } else if (c.chatAccountKey) {
      const g = globalThis as { zChat?: ZChat };
      if (!g.zChat) await script(c.chatSdk ?? chatSdk);
      const chat = g.zChat as ZChat;
      const lines: Line[] = [];
      const draw = () => render(<ChatBox chat={chat} lines={[...lines]} />, root);
      chat.on("chat", (e: { type: string; msg?: string; display_name?: string }) => {
        if (e.type !== "chat.msg" || !e.msg) return;
        lines.push({ who: e.display_name ?? "", text: e.msg });
        draw();
      });
      chat.on("connection_update", (state: string) => {
        if (state === "connected") draw();
        else if (state === "closed") say(t.unavailable, () => location.reload());
        else say(t.connecting);
      });
      await startChat(chat, c.chatAccountKey, o, failed);
    } else {
      say(t.off);
    }
  } catch (err) {
    say(t[err instanceof HandOverError ? err.code : "unavailable"], () => void start());
  }
}

void start();
