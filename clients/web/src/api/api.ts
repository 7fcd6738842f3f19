import { ChatError, type Credentials } from "../chat/chat";
import { timeout } from "../chat/deadline";

/** How the caller proves who they are. */
export type Proof =
  /** A login, guest or agent-session token. */
  | { bearer: string }
  /** The login cookie of the API's domain. */
  | { cookie: true }
  /** Nobody: a guest's first ticket. */
  | { nobody: true };

export interface CaseInfo {
  subject: string;
  desc: string;
  name?: string;
  email?: string;
  /** The language of what they wrote; a BCP 47 tag. */
  locale?: string;
}

/** What createticket answers. */
export interface Ticket extends Credentials {
  groupId: string;
  ticketId: string;
  idempotencyKey: string;
  /** Only for guests. */
  guestToken?: string;
}

/** A refusal: an RFC 9457 problem, the gateway's own answer, or no answer at all. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    /** 0: no answer came. */
    readonly status: number,
    /** caseroom's code, such as "invalid" or "unavailable"; "offline" without an answer. */
    readonly code: string,
    /** What the API says should be mended. */
    readonly detail: string,
    /** Seconds; 0 if it does not say. */
    readonly retryAfter: number,
    readonly ticketId = "",
  ) {
    super(`caseroom: ${code} (${status})`);
  }

  /** Whether the same request may succeed later. A retry with the same key is always safe. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const deadline = 30_000;

/** The caseroom API, as far as browsers use it: docs/openapi.yaml. */
export class Api {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base.replace(/\/$/, "");
  }

  async createTicket(
    o: {
      desk?: "zendesk" | "salesforce";
      guest: boolean;
      proof: Proof;
      key: string;
      /** The token of the challenge that a guest passed. */
      challenge?: string;
    },
    caseInfo: CaseInfo,
  ): Promise<Ticket> {
    const path = o.guest
      ? `/guest/createticket${o.desk ? `?desk=${o.desk}` : ""}`
      : `${o.desk ? `/${o.desk}` : ""}/createticket`;
    const { GroupId, ...rest } = await this.#post<Ticket & { GroupId: string }>(
      path,
      o.proof,
      { caseInfo, ...(o.challenge ? { challenge: o.challenge } : {}) },
      { "Idempotency-Key": o.key },
    );
    return { ...rest, groupId: GroupId };
  }

  async userSig(proof: Proof): Promise<Credentials> {
    return this.#post<Credentials>("/usersig", proof, {});
  }

  /** Asks for something that takes no parameters, such as GET /calendar. */
  async ask<T>(method: "GET" | "POST", path: string, proof: Proof): Promise<T> {
    return this.#send<T>(method, path, proof);
  }

  async #post<T>(
    path: string,
    proof: Proof,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    return this.#send<T>("POST", path, proof, body, headers);
  }

  async #send<T>(
    method: "GET" | "POST",
    path: string,
    proof: Proof,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<T> {
    let res: Response;
    let answer: unknown;
    try {
      res = await fetch(this.#base + path, {
        method,
        headers: {
          ...(body ? { "Content-Type": "application/json" } : {}),
          ...("bearer" in proof ? { Authorization: `Bearer ${proof.bearer}` } : {}),
          ...headers,
        },
        credentials: "cookie" in proof ? "include" : "omit",
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: timeout(deadline),
      });
      answer = await res.json().catch(() => ({}));
    } catch {
      throw new ApiError(0, "offline", "", 0);
    }
    if (!res.ok) {
      const p = (answer ?? {}) as { code?: string; detail?: string; ticketId?: string };
      const wait = Number(res.headers.get("Retry-After"));
      throw new ApiError(
        res.status,
        p.code ?? codes[res.status] ?? "internal",
        p.detail ?? "",
        Number.isFinite(wait) && wait > 0 ? wait : 0,
        p.ticketId,
      );
    }
    return answer as T;
  }
}

/** The gateway's own answers carry no code. */
const codes: Record<number, string> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  413: "too_large",
  429: "rate_limited",
  503: "unavailable",
  504: "timeout",
};

/** What a failed renewal of a credential means to the chat. */
export function asChatError(err: unknown): ChatError {
  if (err instanceof ChatError) return err;
  if (!(err instanceof ApiError)) return new ChatError("unknown");
  if (err.status === 0) return new ChatError("offline");
  if (err.status === 401 || err.status === 403) return new ChatError("refused", err.status);
  if (err.status === 429 || err.status === 503 || err.status === 504) return new ChatError("busy");
  return new ChatError("unknown", err.status);
}
