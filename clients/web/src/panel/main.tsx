import { render } from "preact";
import { Api } from "../api/api";
import { loadLocale } from "../i18n/i18n";
import { adopt } from "../ui/adopt";
import { adoptChatStyles } from "../ui/conversation";
import theme from "../ui/theme.css?inline";
import { Panel } from "./app";
import { loadPageConfig, type PageConfig, readJson } from "./config";
import { FramedDesk } from "./framed";
import panel from "./panel.css?inline";
import { type AppSession, agentLanguage, loadZaf, ZendeskDesk } from "./zendesk";

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
  const desk = session ? await inZendesk(session, config) : new FramedDesk(config.parents);
  render(
    <Panel
      desk={desk}
      chat={config.chat}
      locale={locale}
      {...(config.quickReplies ? { quickReplies: config.quickReplies } : {})}
    />,
    root,
  );
}

async function inZendesk(session: AppSession, config: PageConfig): Promise<ZendeskDesk> {
  const client = await loadZaf(config.zaf);
  // The agent has chosen a language in Zendesk, which may not be the browser's.
  const own = await agentLanguage(client);
  if (own) {
    locale = await loadLocale([own, ...navigator.languages]);
    speak();
  }
  return new ZendeskDesk(session, new Api(config.api ?? around(location)), client);
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
