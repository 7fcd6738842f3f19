import { ChatError, type Credentials } from "../chat/chat";
import { BaseDesk, type Customer, type Desk, type Reply, type Standing, type Title } from "./desk";

/** How long the page around may take to renew a credential, in milliseconds. */
const renewDeadline = 20_000;
/** How long the page around may take to list its ready-made answers, in milliseconds. */
const repliesDeadline = 15_000;
/** How long to wait before asking again for a first credential, in milliseconds. */
const askAgain = { least: 1_000, most: 60_000 };

/**
 * The desk is the page around this one, as Salesforce's panel is. It receives
 * {type:"caseroom:ready"}, "caseroom:renew", "caseroom:look" and "caseroom:unread"
 * with a count. It sends "caseroom:credentials" with the agent, the room and where
 * its ticket stands. Without a credential it sends "caseroom:error" with retryAfterMs.
 * "caseroom:replies" asks for ready-made answers and brings them.
 *
 * Both ways only configured origins count: what is sent names the origin it is
 * for, and what comes from any other, or from another window, is not heard.
 */
export class FramedDesk extends BaseDesk implements Desk {
  readonly #parents: string[];
  readonly #window: Window;
  #parent = "";
  #heard: { take(c: Credentials): void; fail(err: ChatError): void }[] = [];
  #last: Credentials | undefined;
  #given = "";
  #refusals = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #listed: { groupId: string; take(replies: Reply[] | undefined): void }[] = [];

  #titled: ((titles: Map<string, Title>) => void) | undefined;

  constructor(parents: string[], page: Window = window) {
    super();
    this.#parents = parents;
    this.#window = page;
    const around = page.location.ancestorOrigins?.[0] ?? "";
    if (page.parent === page || (around && !parents.includes(around))) {
      this.set({ phase: "stranger", origin: around || page.location.origin });
      return;
    }
    page.addEventListener("message", this.#message);
    for (const origin of parents) this.#post({ type: "caseroom:ready" }, origin);
  }

  async renew(): Promise<Credentials> {
    const held = this.#last;
    this.#last = undefined;
    if (held && Date.parse(held.expiresAt) > Date.now()) return held;
    return new Promise<Credentials>((resolve, reject) => {
      const late = setTimeout(() => waiting.fail(new ChatError("offline")), renewDeadline);
      const done = () => {
        clearTimeout(late);
        this.#heard = this.#heard.filter((w) => w !== waiting);
      };
      const waiting = {
        take(c: Credentials) {
          done();
          resolve(c);
        },
        fail(err: ChatError) {
          done();
          reject(err);
        },
      };
      this.#heard.push(waiting);
      this.#ask();
    });
  }

  #unasked: ((c: Credentials) => void) | undefined;

  onCredentials(listener: (c: Credentials) => void): void {
    this.#unasked = listener;
  }

  unread(count: number): void {
    if (this.#parent) this.#post({ type: "caseroom:unread", count }, this.#parent);
  }

  look(): void {
    if (this.#parent) this.#post({ type: "caseroom:look" }, this.#parent);
  }

  replies(): Promise<Reply[]> {
    const groupId = this.state.phase === "ticket" ? this.state.groupId : "";
    return new Promise((resolve, reject) => {
      const waiting = {
        groupId,
        take: (replies: Reply[] | undefined) => {
          clearTimeout(late);
          this.#listed = this.#listed.filter((w) => w !== waiting);
          if (replies) resolve(replies);
          else reject(new Error("no replies"));
        },
      };
      const late = setTimeout(() => waiting.take(undefined), repliesDeadline);
      this.#listed.push(waiting);
      this.#post({ type: "caseroom:replies", groupId }, this.#parent);
    });
  }

  /** The page around fills in what it lists. */
  async fill(reply: Reply): Promise<string> {
    return reply.text;
  }

  titles(groupIds: string[]): Promise<Map<string, Title>> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#titled = undefined;
        reject(new Error("no titles"));
      }, repliesDeadline);
      this.#titled = (titles) => {
        clearTimeout(late);
        this.#titled = undefined;
        resolve(titles);
      };
      this.#post({ type: "caseroom:titles", groupIds }, this.#parent);
    });
  }

  open(groupId: string): void {
    this.#post({ type: "caseroom:open", groupId }, this.#parent);
  }

  /** The unread count is what the page around shows. */
  call(): void {}

  #ask(): void {
    for (const origin of this.#parent ? [this.#parent] : this.#parents) {
      this.#post({ type: "caseroom:renew" }, origin);
    }
  }

  /**
   * Whoever waits for a credential hears at once that there is none and tries
   * again in their own time. Before the first one nobody waits, so it is asked
   * for here, less and less often: each time costs the page around a call.
   */
  #refused(retryAfterMs: number): void {
    for (const w of [...this.#heard]) w.fail(new ChatError("refused"));
    if (this.state.phase !== "waiting") return;
    const wait = Math.max(retryAfterMs, askAgain.least) * 2 ** Math.min(this.#refusals++, 10);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#ask(), Math.min(wait, askAgain.most));
  }

  #post(message: object, origin: string): void {
    this.#window.parent.postMessage(message, origin);
  }

  #message = (e: MessageEvent): void => {
    if (e.source !== this.#window.parent || !this.#parents.includes(e.origin)) return;
    const retryAfterMs = parseRefusal(e.data);
    if (retryAfterMs !== undefined) {
      this.#parent = e.origin;
      this.#refused(retryAfterMs);
      return;
    }
    const listed = parseReplies(e.data);
    if (listed) {
      for (const w of this.#listed) if (w.groupId === listed.groupId) w.take(listed.replies);
      return;
    }
    const titles = parseTitles(e.data);
    if (titles) {
      this.#titled?.(titles);
      return;
    }
    const m = parseCredentials(e.data);
    if (!m) return;
    this.#parent = e.origin;
    this.#refusals = 0;
    clearTimeout(this.#again);
    const waiting = [...this.#heard];
    const known = m.credentials.userSig === this.#given;
    this.#given = m.credentials.userSig;
    if (waiting.length > 0) for (const w of waiting) w.take(m.credentials);
    // The same one comes again with every room: that is no reason to log in again.
    else if (!known) {
      // The first ones wait for whoever asks; later ones are told.
      if (this.#unasked) this.#unasked(m.credentials);
      else this.#last = m.credentials;
    }
    this.set(
      m.groupId
        ? {
            phase: "ticket",
            groupId: m.groupId,
            ticketId: m.ticketId,
            ...(m.customer ? { customer: m.customer } : {}),
            ...(m.standing ? { standing: m.standing } : {}),
          }
        : { phase: "noTicket" },
    );
  };
}

interface Given {
  credentials: Credentials;
  groupId: string;
  ticketId: string;
  customer?: Customer;
  standing?: Standing;
}

/** Reads a message "caseroom:credentials"; undefined if it is none, or not whole. */
export function parseCredentials(data: unknown): Given | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const d = data as Record<string, unknown>;
  if (d.type !== "caseroom:credentials") return undefined;
  const sdkAppId = Number(d.sdkAppId);
  if (typeof d.userId !== "string" || !d.userId || typeof d.userSig !== "string" || !d.userSig) {
    return undefined;
  }
  if (!Number.isSafeInteger(sdkAppId) || sdkAppId <= 0) return undefined;
  if (typeof d.expiresAt !== "string" || Number.isNaN(Date.parse(d.expiresAt))) return undefined;
  const groupId = typeof d.groupId === "string" ? d.groupId : "";
  const customer = parseCustomer(d.customer);
  const standing = parseStanding(d.standing);
  return {
    credentials: { sdkAppId, userId: d.userId, userSig: d.userSig, expiresAt: d.expiresAt },
    groupId,
    ticketId: typeof d.ticketId === "string" && d.ticketId ? d.ticketId : ticketOf(groupId),
    ...(customer ? { customer } : {}),
    ...(standing ? { standing } : {}),
  };
}

/**
 * Reads a message "caseroom:error": after how many milliseconds to ask again, 0 if
 * it does not say; undefined if it is none.
 */
export function parseRefusal(data: unknown): number | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const d = data as Record<string, unknown>;
  if (d.type !== "caseroom:error" || d.code !== "credentials") return undefined;
  return typeof d.retryAfterMs === "number" && d.retryAfterMs > 0 ? d.retryAfterMs : 0;
}

/**
 * Reads a message "caseroom:replies"; undefined if it is none. The page around had
 * none to give if it lists none.
 */
export function parseReplies(
  data: unknown,
): { groupId: string; replies: Reply[] | undefined } | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const d = data as Record<string, unknown>;
  if (d.type !== "caseroom:replies" || typeof d.groupId !== "string") return undefined;
  if (!Array.isArray(d.replies)) return { groupId: d.groupId, replies: undefined };
  const replies = d.replies.flatMap((v: unknown, i): Reply[] => {
    const r = (v ?? {}) as Record<string, unknown>;
    if (typeof r.title !== "string" || typeof r.text !== "string" || !r.text.trim()) return [];
    return [{ id: String(i), title: r.title, text: r.text }];
  });
  return { groupId: d.groupId, replies };
}

/** Reads a message "caseroom:titles"; undefined if it is none. */
export function parseTitles(data: unknown): Map<string, Title> | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const d = data as Record<string, unknown>;
  if (d.type !== "caseroom:titles" || !Array.isArray(d.titles)) return undefined;
  const titles = new Map<string, Title>();
  for (const v of d.titles) {
    const { groupId, title, customer } = (v ?? {}) as Record<string, unknown>;
    if (typeof groupId !== "string" || typeof title !== "string") continue;
    titles.set(groupId, { title, ...(typeof customer === "string" ? { customer } : {}) });
  }
  return titles;
}

function parseStanding(v: unknown): Standing | undefined {
  if (typeof v !== "object" || v === null) return undefined;
  const { state, assignee } = v as Record<string, unknown>;
  if (state !== "open" && state !== "ended" && state !== "deleted") return undefined;
  if (assignee === null) return { state, assignee };
  const a = (assignee ?? {}) as Record<string, unknown>;
  if (typeof a.name !== "string") return { state };
  return { state, assignee: { name: a.name, mine: a.mine === true } };
}

function parseCustomer(v: unknown): Customer | undefined {
  if (typeof v !== "object" || v === null) return undefined;
  const c = v as Record<string, unknown>;
  return {
    ...(typeof c.name === "string" && c.name ? { name: c.name } : {}),
    ...(typeof c.email === "string" && c.email ? { email: c.email } : {}),
    ...(c.unverified === true ? { unverified: true } : {}),
  };
}

/** The ticket of a room: ZENDESK#<ticket>, or the case's own id. */
export function ticketOf(groupId: string): string {
  return groupId.replace(/^ZENDESK#/, "");
}
