import { ApiError } from "../api/api";
import type { Locale } from "../i18n/i18n";
import { safeUrl } from "../ui/text";
import type { AgentApi, CalendarStatus } from "./agent";

/** Why something did not work. */
export type CalendarProblem = "blocked" | "offline" | "busy" | "signedOut" | "failed";

export interface CalendarProps {
  agent: AgentApi;
  /** What the connection was when it was looked for. */
  status: CalendarStatus;
  locale: Locale;
}

export interface CalendarState {
  status: CalendarStatus;
  /** There are no calendars any more. */
  off?: boolean;
  doing?: "connect" | "disconnect" | "feed";
  /** The window in which the agent consents is open. */
  consenting?: boolean;
  /** The feed's address was just made. */
  newFeed?: boolean;
  problem?: CalendarProblem;
}

/** The window in which an agent consents. */
export interface ConsentWindow {
  readonly closed: boolean;
  opener: unknown;
  readonly location: { replace(url: string): void };
  close(): void;
  focus(): void;
}

export interface CalendarOptions {
  agent: AgentApi;
  /** Opens an empty window; null if the browser does not let it. */
  open(): ConsentWindow | null;
}

/** How often to look whether the window is closed, in milliseconds. */
const glance = 500;
/** A look at the connection is good for this long, in milliseconds. */
const fresh = 15_000;
/** For how long after connecting every return to the panel is a look. */
const expecting = 10 * 60_000;
/** When to look whether disconnecting is done, in milliseconds. */
const leaving = [2_000, 5_000, 15_000, 30_000, 60_000, 60_000, 120_000];

/** An agent's calendar connection and feed, and what the agent does about them. */
export class CalendarStore {
  state: CalendarState;
  readonly #o: CalendarOptions;
  readonly #listeners = new Set<() => void>();
  #window: ConsentWindow | undefined;
  #glance: ReturnType<typeof setInterval> | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;
  #looks = 0;
  #seen = Date.now();
  #expecting = 0;
  /** Counts what changes the connection: an answer from before it is stale. */
  #changes = 0;
  #last: (() => Promise<void>) | undefined;
  #closed = false;

  constructor(o: CalendarOptions, status: CalendarStatus) {
    this.#o = o;
    this.state = { status };
    this.#watchLeaving();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The agent is back at the panel. */
  async back(): Promise<void> {
    const now = Date.now();
    if (now < this.#expecting || now - this.#seen >= fresh) await this.#look(false);
  }

  /** Opens a window to consent in. It must run in a click: else browsers block the window. */
  async connect(): Promise<void> {
    if (this.#window && !this.#window.closed) {
      this.#window.focus();
      return;
    }
    if (this.state.doing) return;
    const w = this.#o.open();
    if (!w) {
      this.#last = () => this.connect();
      this.#set({ problem: "blocked" });
      return;
    }
    this.#window = w;
    await this.#do("connect", async () => {
      try {
        const { url } = await this.#o.agent.ask<{ url: string }>("GET", "/calendar/connect");
        const target = safeUrl(url);
        if (!target) throw new TypeError("/calendar/connect: no web address");
        if (w.closed || this.#closed) return;
        // What the window shows from here on must not steer the panel.
        w.opener = null;
        w.location.replace(target);
      } catch (err) {
        w.close();
        throw err;
      }
      this.#expecting = Date.now() + expecting;
      this.#set({ consenting: true });
      clearInterval(this.#glance);
      this.#glance = setInterval(() => {
        if (!w.closed) return;
        clearInterval(this.#glance);
        this.#set({ consenting: false });
        void this.#look(true);
      }, glance);
    });
  }

  /** Ends the connection; asked again, it is under way again. */
  async disconnect(): Promise<void> {
    await this.#do("disconnect", async () => {
      const { state } = await this.#o.agent.ask<Pick<CalendarStatus, "state">>(
        "GET",
        "/calendar/disconnect",
      );
      this.#changes++;
      this.#expecting = 0;
      this.#took({ state, feedUrl: this.state.status.feedUrl });
    });
  }

  /** Makes a new address of the feed; the old one is none from then on. */
  async newFeed(): Promise<void> {
    await this.#do("feed", async () => {
      const { feedUrl } = await this.#o.agent.ask<{ feedUrl: string }>("POST", "/calendar/feed");
      this.#changes++;
      this.#set({ status: { ...this.state.status, feedUrl }, newFeed: true });
    });
  }

  /** Does again what did not work. */
  async retry(): Promise<void> {
    await this.#last?.();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#glance);
    clearTimeout(this.#later);
    this.#listeners.clear();
  }

  async #do(doing: "connect" | "disconnect" | "feed", work: () => Promise<void>): Promise<void> {
    if (this.state.doing) return;
    this.#last = {
      connect: () => this.connect(),
      disconnect: () => this.disconnect(),
      feed: () => this.newFeed(),
    }[doing];
    this.#set({ doing, problem: undefined, newFeed: false });
    try {
      await work();
    } catch (err) {
      this.#fail(err);
    }
    this.#set({ doing: undefined });
  }

  /** Reads the connection. Nobody asked for a quiet look, so that its failure is not told. */
  async #look(loud: boolean): Promise<void> {
    const changes = this.#changes;
    this.#seen = Date.now();
    try {
      const status = await this.#o.agent.ask<CalendarStatus>("GET", "/calendar");
      if (changes !== this.#changes) return;
      if (this.#last === this.#lookAgain) this.#set({ problem: undefined });
      if (status.state === "connected") this.#expecting = 0;
      this.#took(status);
    } catch (err) {
      if (!loud && !(err instanceof ApiError && err.status === 404)) return;
      this.#last = this.#lookAgain;
      this.#fail(err);
    }
  }

  readonly #lookAgain = () => this.#look(true);

  #took(status: CalendarStatus): void {
    this.#set({ status });
    if (status.state !== "leaving") this.#looks = 0;
    this.#watchLeaving();
  }

  #watchLeaving(): void {
    clearTimeout(this.#later);
    const wait = leaving[this.#looks];
    if (this.state.status.state !== "leaving" || wait === undefined || this.#closed) return;
    this.#later = setTimeout(() => {
      this.#looks++;
      void this.#look(false).then(() => this.#watchLeaving());
    }, wait);
  }

  #fail(err: unknown): void {
    if (err instanceof ApiError && err.status === 404) this.#set({ off: true });
    else this.#set({ problem: problemOf(err) });
  }

  #set(change: { [K in keyof CalendarState]?: CalendarState[K] | undefined }): void {
    this.state = { ...this.state, ...change } as CalendarState;
    for (const listener of this.#listeners) listener();
  }
}

function problemOf(err: unknown): CalendarProblem {
  if (!(err instanceof ApiError)) return "failed";
  if (err.status === 0) return "offline";
  if (err.status === 401 || err.status === 403) return "signedOut";
  return err.status === 429 || err.status === 503 || err.status === 504 ? "busy" : "failed";
}
