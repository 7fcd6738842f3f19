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
import { english, type Locale, languageTag, loadLocale, pageLanguages } from "../i18n/i18n";
import { adopt } from "../ui/adopt";
import theme from "../ui/theme.css?inline";
import { App } from "./app";
import { createHost } from "./host";
import { Remembered } from "./memory";
import { WidgetModel } from "./model";
import type { Widget, WidgetOptions } from "./public";
import css from "./widget.css?inline";

export type * from "./public";

/** Puts the widget on the page. */
export function mount(options: WidgetOptions): Widget {
  if (!options.api) throw new TypeError("caseroom: the widget needs the address of the API");
  if ("container" in options && !(options.container instanceof HTMLElement)) {
    throw new TypeError("caseroom: the container is no element of the page");
  }
  const inline = options.container !== undefined;
  const controls = { open: () => setOpen(true), close: () => setOpen(false) };
  const { host, root, remove } = createHost(controls, options.container);
  if (options.theme) host.dataset.theme = options.theme;
  if (options.position) host.dataset.position = options.position;
  adopt(root, css);
  adopt(root, theme);
  if (options.color) paint(host, root, options.color);

  const wanted = options.lang ? [options.lang] : pageLanguages();
  const memory = new Remembered(options.api);
  const model = new WidgetModel({
    api: new Api(options.api),
    memory,
    guests: options.guests ?? true,
    language: languageTag(wanted[0] ?? ""),
    ...(options.desk ? { desk: options.desk } : {}),
    ...(options.getToken ? { getToken: options.getToken } : {}),
    ...(options.cookie ? { cookie: true } : {}),
    ...(options.challenge ? { challenge: lazily(host, options.challenge) } : {}),
  });

  let locale: Locale = english;
  let open = memory.get().open ?? false;
  let gone = false;
  const tell = (event: string, detail?: object) =>
    void host.dispatchEvent(new CustomEvent(event, { bubbles: true, detail }));
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
        look: options,
        chat: options.chat ?? { kind: "tencent" },
        setOpen,
        tell,
      }),
      root,
    );
  };
  const setOpen = (next: boolean) => {
    const changed = next !== open;
    open = next;
    memory.set({ open: next || undefined });
    draw();
    if (changed) tell(next ? "caseroom:open" : "caseroom:close");
  };
  const dir = options.dir ?? (options.lang ? undefined : pageDirection());
  void loadLocale(wanted, options.texts, dir).then((l) => {
    locale = l;
    draw();
  });
  draw();

  return {
    element: host,
    ...controls,
    newRequest: () => {
      model.another();
      setOpen(true);
    },
    destroy: () => {
      gone = true;
      render(null, root);
      model.close();
      remove();
    },
  };
}

/** Loads the challenge's code when the first guest needs it. */
function lazily(host: HTMLElement, o: NonNullable<WidgetOptions["challenge"]>) {
  let pass: (() => Promise<string>) | undefined;
  return async () => {
    pass ??= (await import("./challenge")).challenger(host, o);
    return pass();
  };
}

/** Gives the widget a colour, and what is written on it black or white, whichever reads better. */
function paint(host: HTMLElement, root: ShadowRoot, color: string): void {
  const probe = document.createElement("i");
  probe.style.color = color;
  root.append(probe);
  const [r = 0, g = 0, b = 0] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(
    (c) => (Number(c) / 255) ** 2.2,
  );
  probe.remove();
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18;
  for (const part of ["accent", "out"]) {
    host.style.setProperty(`--cr-${part}`, color);
    host.style.setProperty(`--cr-${part}-fg`, light ? "#000" : "#fff");
  }
}

function pageDirection(): "ltr" | "rtl" | undefined {
  const dir = document.documentElement.dir;
  return dir === "rtl" || dir === "ltr" ? dir : undefined;
}

/** What the script tag says in its attributes; a login token comes from a function of the page. */
function fromScript(d: DOMStringMap): WidgetOptions {
  const named = d.caseroomToken;
  const options: WidgetOptions = { api: d.caseroomApi ?? "", guests: d.caseroomGuests !== "off" };
  const { caseroomDesk: desk, caseroomTheme: theme, caseroomPosition: position } = d;
  if (desk === "zendesk" || desk === "salesforce") options.desk = desk;
  if (theme === "light" || theme === "dark") options.theme = theme;
  if (position === "left" || position === "right") options.position = position;
  if (d.caseroomLang) options.lang = d.caseroomLang;
  if (d.caseroomColor) options.color = d.caseroomColor;
  if (d.caseroomTitle) options.title = d.caseroomTitle;
  if (d.caseroomGreeting) options.greeting = d.caseroomGreeting;
  if (d.caseroomLogo) options.logo = d.caseroomLogo;
  if (d.caseroomHours) options.hours = d.caseroomHours;
  if (d.caseroomExpectedWait) options.expectedWait = d.caseroomExpectedWait;
  // Such as "turnstile 0x4AAAAAAA…".
  const [service, siteKey] = (d.caseroomChallenge ?? "").trim().split(/\s+/);
  if ((service === "turnstile" || service === "hcaptcha") && siteKey) {
    options.challenge = { service, siteKey };
  }
  if (d.caseroomCookie !== undefined) options.cookie = true;
  if (d.caseroomSound !== undefined) options.sound = true;
  if (d.caseroomNotify !== undefined) options.notify = true;
  if (d.caseroomSandbox) options.chat = { kind: "sandbox", url: d.caseroomSandbox };
  if (named) {
    options.getToken = () => {
      const found = (globalThis as Record<string, unknown>)[named];
      if (typeof found !== "function") {
        throw new TypeError(`caseroom: there is no function ${named}`);
      }
      return (found as NonNullable<WidgetOptions["getToken"]>)();
    };
  }
  return options;
}

// On a server there is no page, and a page that swaps its content may run the script again.
const script = globalThis.document?.querySelector<HTMLScriptElement>("script[data-caseroom-api]");
if (script && !document.getElementById("caseroom-widget")) mount(fromScript(script.dataset));
