import { render } from "preact";
import { Api } from "../api/api";
import { loadLocale } from "../i18n/i18n";
import { adopt } from "../ui/adopt";
import { adoptChatStyles } from "../ui/conversation";
import theme from "../ui/theme.css?inline";
import { Panel } from "./app";
import { loadPageConfig, type PageConfig, readJson } from "./config";
import { FramedDesk } from "./framed";
import { InboxPage } from "./inboxview";
import panel from "./panel.css?inline";
import {
  type AppSession,
  agentLanguage,
  loadZaf,
  location as placeOf,
  ZendeskDesk,
} from "./zendesk";

const root = document.getElementById("caseroom-panel") ?? document.body;
root.classList.add("cr-root");
adopt(document, theme);
adoptChatStyles(document);
adopt(document, panel);

let locale = await loadLocale(navigator.languages);
speak();

function speak(): void {
  document.documentElement.lang = locale.lang;
  document.documentElement.dir = locale.dir;
  document.title = locale.t("panelTitle");
}

async function start(): Promise<void> {
  const config = await loadPageConfig(import.meta.env.DEV ? document.baseURI : import.meta.url);
  const session = readJson("caseroom-session") as AppSession | undefined;
  const props = { chat: config.chat, locale };
  const quick = config.quickReplies ? { quickReplies: config.quickReplies } : {};
  if (!session) {
    const desk = new FramedDesk(config.parents);
    render(<Panel desk={desk} {...props} {...quick} inbox />, root);
    return;
  }
  const { desk, place } = await inZendesk(session, config);
  props.locale = locale;
  // One page of the app is always there, unseen: it tells the agent what comes.
  if (place === "background") render(<InboxPage desk={desk} {...props} calls />, root);
  else if (place === "top_bar") render(<InboxPage desk={desk} {...props} />, root);
  else render(<Panel desk={desk} {...props} {...quick} />, root);
}

async function inZendesk(
  session: AppSession,
  config: PageConfig,
): Promise<{ desk: ZendeskDesk; place: string }> {
  const client = await loadZaf(config.zaf);
  // The agent has chosen a language in Zendesk, which may not be the browser's.
  const own = await agentLanguage(client);
  if (own) {
    locale = await loadLocale([own, ...navigator.languages]);
    speak();
  }
  const desk = new ZendeskDesk(session, new Api(config.api ?? around(location)), client);
  return { desk, place: await placeOf(client) };
}

/** The API that gave this page: its domain may be shared, with a path of the API's own. */
function around({ origin, pathname }: Location): string {
  return origin + pathname.replace(/\/zendesk\/app\/?$/, "");
}

start().catch((err: unknown) => {
  console.error(err);
  root.replaceChildren();
  const p = document.createElement("p");
  p.className = "cr-notice";
  p.setAttribute("role", "alert");
  p.textContent = locale.t("blocked");
  const again = document.createElement("button");
  again.type = "button";
  again.className = "cr-button";
  again.textContent = locale.t("retry");
  again.onclick = () => location.reload();
  root.append(p, again);
});
