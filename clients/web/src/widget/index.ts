/**
 * The customer's widget. As a script:
 *
 *   <script type="module" src="https://chat.example.com/widget.js"
 *           data-caseroom-api="https://api.example.com"></script>
 *
 * or from code: `import { mount } from "@caseroom/web"`.
 */
import { h, render } from "preact";
import { Api } from "../api/api";
import type { ChatConfig } from "../chat/load";
import { english, type Locale, loadLocale, pageLanguages, type Texts } from "../i18n/i18n";
import { adopt } from "../ui/adopt";
import theme from "../ui/theme.css?inline";
import { App } from "./app";
import { Remembered } from "./memory";
import { WidgetModel } from "./model";
import css from "./widget.css?inline";

export type { ChatConfig, Texts };

export interface WidgetOptions {
  /** The address of the caseroom API, such as https://abc.execute-api.eu-central-1.amazonaws.com. */
  api: string;
  /** Which desk gets the tickets; the API's default one if absent. */
  desk?: "zendesk" | "salesforce";
  /** Returns the login token of who is signed in, or nothing when nobody is. */
  getToken?: () => string | undefined | Promise<string | undefined>;
  /** The API reads the login from a cookie of its domain. */
  cookie?: boolean;
  /** Whether somebody who is not signed in may ask; the API must allow it too. Default true. */
  guests?: boolean;
  /** Where the chat is; Tencent's by default. */
  chat?: ChatConfig;
  /** A BCP 47 tag; the page's language if absent. en, ja, zh and ru are built in. */
  lang?: string;
  /** The direction of the texts; follows the language if absent. */
  dir?: "ltr" | "rtl";
  /** Own words in place of the built-in ones. */
  texts?: Partial<Texts>;
  theme?: "light" | "dark";
  /** Fills this element instead of floating in a corner. */
  container?: HTMLElement;
}

export interface Widget {
  open(): void;
  close(): void;
  /** Removes it from the page; the open ticket stays remembered. */
  destroy(): void;
}

/** Puts the widget on the page. */
export function mount(options: WidgetOptions): Widget {
  if (!options.api) throw new TypeError("caseroom: the widget needs the address of the API");
  const host = document.createElement("caseroom-widget");
  if (options.theme) host.dataset.theme = options.theme;
  const inline = options.container !== undefined;
  if (inline) host.dataset.inline = "";
  const root = host.attachShadow({ mode: "open" });
  adopt(root, css);
  adopt(root, theme);

  const memory = new Remembered(options.api);
  const model = new WidgetModel({
    api: new Api(options.api),
    memory,
    guests: options.guests ?? true,
    ...(options.desk ? { desk: options.desk } : {}),
    ...(options.getToken ? { getToken: options.getToken } : {}),
    ...(options.cookie ? { cookie: true } : {}),
  });

  let locale: Locale = english;
  let open = memory.get().open ?? false;
  let gone = false;
  const draw = () => {
    if (gone) return;
    host.toggleAttribute("data-open", open);
    render(
      h(App, {
        model,
        root,
        locale,
        open,
        inline,
        chat: options.chat ?? { kind: "tencent" },
        setOpen,
      }),
      root,
    );
  };
  const setOpen = (next: boolean) => {
    open = next;
    memory.set({ open: next || undefined });
    draw();
  };
  const wanted = options.lang ? [options.lang] : pageLanguages();
  const dir = options.dir ?? (options.lang ? undefined : pageDirection());
  void loadLocale(wanted, options.texts, dir).then((l) => {
    locale = l;
    draw();
  });
  (options.container ?? document.body).append(host);
  draw();

  return {
    open: () => setOpen(true),
    close: () => setOpen(false),
    destroy: () => {
      gone = true;
      render(null, root);
      model.close();
      host.remove();
    },
  };
}

function pageDirection(): "ltr" | "rtl" | undefined {
  const dir = document.documentElement.dir;
  return dir === "rtl" || dir === "ltr" ? dir : undefined;
}

// The script tag says everything in its attributes; a login token comes from a
// function of the page, by its name.
const script = document.querySelector<HTMLScriptElement>("script[data-caseroom-api]");
if (script) {
  const d = script.dataset;
  const named = d.caseroomToken;
  const options: WidgetOptions = {
    api: d.caseroomApi ?? "",
    guests: d.caseroomGuests !== "off",
    ...(d.caseroomDesk === "zendesk" || d.caseroomDesk === "salesforce"
      ? { desk: d.caseroomDesk }
      : {}),
    ...(d.caseroomCookie === undefined ? {} : { cookie: true }),
    ...(d.caseroomLang ? { lang: d.caseroomLang } : {}),
    ...(d.caseroomTheme === "light" || d.caseroomTheme === "dark"
      ? { theme: d.caseroomTheme }
      : {}),
    ...(d.caseroomSandbox ? { chat: { kind: "sandbox", url: d.caseroomSandbox } } : {}),
    ...(named
      ? {
          getToken: () => {
            const found = (globalThis as Record<string, unknown>)[named];
            if (typeof found !== "function") {
              throw new TypeError(`caseroom: there is no function ${named}`);
            }
            return (found as NonNullable<WidgetOptions["getToken"]>)();
          },
        }
      : {}),
  };
  mount(options);
}
