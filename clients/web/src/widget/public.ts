import type { ChatConfig } from "../chat/config.js";
import type { en } from "../i18n/en.js";

export type { ChatConfig };

/** All words of the widget, by key. */
export type Texts = Record<keyof typeof en, string>;

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
  /** What a guest has to pass before a request; the API must have the same service's secret. */
  challenge?: { service: "turnstile" | "hcaptcha"; siteKey: string };
  /** Where the chat is; Tencent's by default. */
  chat?: ChatConfig;
  /** A language tag; the page's language if absent. en, ja, zh and ru are built in. */
  lang?: string;
  /** The direction of the texts; follows the language if absent. */
  dir?: "ltr" | "rtl";
  /** Own words in place of the built-in ones. */
  texts?: Partial<Texts>;
  theme?: "light" | "dark";
  /** The main colour, as CSS writes it. */
  color?: string;
  /** In which lower corner the button is; the end of a line by default. */
  position?: "left" | "right";
  /** In the head of the window, in place of the built-in title. */
  title?: string;
  /** Above the form, in place of the built-in sentence. */
  greeting?: string;
  /** The address of a small square picture for the head of the window. */
  logo?: string;
  /** Business hours, such as "Europe/Berlin mon-fri 09:00-17:00, sat 10:00-14:00". */
  hours?: string;
  /** How long an answer usually takes, in words that follow "within", such as "10 minutes". */
  expectedWait?: string;
  /** Plays two notes when a message comes that nobody looks at. */
  sound?: boolean;
  /** Asks, with the first request, whether messages may be shown by the browser. */
  notify?: boolean;
  /** Fills this element instead of floating in a corner. */
  container?: HTMLElement;
}

/** What the element tells the page; each event bubbles. */
export interface WidgetEvents {
  "caseroom:open": CustomEvent<undefined>;
  "caseroom:close": CustomEvent<undefined>;
  /** A request was opened. */
  "caseroom:ticket": CustomEvent<{ ticketId: string; groupId: string }>;
  /** How many messages nobody has looked at yet is another number now. */
  "caseroom:message": CustomEvent<{ ticketId: string; unread: number }>;
}

export interface Widget {
  /** The element on the page, which the events come from. */
  readonly element: HTMLElement;
  open(): void;
  close(): void;
  /** Shows the form for a new request; the open one stays in the list. */
  newRequest(): void;
  /** Removes it from the page; the open ticket stays remembered. */
  destroy(): void;
}

/** Puts the widget on the page. */
export declare function mount(options: WidgetOptions): Widget;
