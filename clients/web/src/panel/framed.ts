import { ChatError, type Credentials } from "../chat/chat";
import { BaseDesk, type Customer, type Desk } from "./desk";

/** How long the page around may take to renew a credential, in milliseconds. */
const renewDeadline = 20_000;

/**
 * The desk is the page around this one, as Salesforce's panel is. It gets
 * {type:"caseroom:ready"}, "caseroom:renew" and "caseroom:unread" with a count,
 * and sends "caseroom:credentials" with who the agent is and the room.
 *
 * Both ways only configured origins count: what is sent names the origin it is
 * for, and what comes from any other, or from another window, is not heard.
 */
export class FramedDesk extends BaseDesk implements Desk {
  readonly #parents: string[];
  readonly #window: Window;
  #parent = "";
  #heard: ((c: Credentials) => void)[] = [];
  #last: Credentials | undefined;

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
      const late = setTimeout(() => reject(new ChatError("offline")), renewDeadline);
      this.#heard.push((c) => {
        clearTimeout(late);
        resolve(c);
      });
      for (const origin of this.#parent ? [this.#parent] : this.#parents) {
        this.#post({ type: "caseroom:renew" }, origin);
      }
    });
  }

  #unasked: ((c: Credentials) => void) | undefined;

  onCredentials(listener: (c: Credentials) => void): void {
    this.#unasked = listener;
  }

  unread(count: number): void {
    if (this.#parent) this.#post({ type: "caseroom:unread", count }, this.#parent);
  }

  #post(message: object, origin: string): void {
    this.#window.parent.postMessage(message, origin);
  }

  #message = (e: MessageEvent): void => {
    if (e.source !== this.#window.parent || !this.#parents.includes(e.origin)) return;
    const m = parseCredentials(e.data);
    if (!m) return;
    this.#parent = e.origin;
    const waiting = this.#heard;
    this.#heard = [];
    if (waiting.length > 0) for (const take of waiting) take(m.credentials);
    else {
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
          }
        : { phase: "noTicket" },
    );
  };
}

/** Reads a message "caseroom:credentials"; undefined if it is none, or not whole. */
export function parseCredentials(
  data: unknown,
):
  | { credentials: Credentials; groupId: string; ticketId: string; customer?: Customer }
  | undefined {
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
  return {
    credentials: { sdkAppId, userId: d.userId, userSig: d.userSig, expiresAt: d.expiresAt },
    groupId,
    ticketId: typeof d.ticketId === "string" && d.ticketId ? d.ticketId : ticketOf(groupId),
    ...(customer ? { customer } : {}),
  };
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
