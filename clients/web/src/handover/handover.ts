import { timeout } from "../chat/deadline";

/**
 * Zendesk's own chats for who is signed in at the site: their JWT comes from
 * GET /generate/token, by the login's cookie or by its token in a header.
 */

export interface HandOver {
  /** The address of the caseroom API. */
  api: string;
  /** Returns the login token for the Authorization header; without it the cookie is sent. */
  getToken?: () => string | undefined | Promise<string | undefined>;
  fetch?: typeof fetch;
  /** Waits between tries of a busy API, in milliseconds. */
  waits?: number[];
}

/** Why there is no JWT. */
export class HandOverError extends Error {
  override name = "HandOverError";
  constructor(
    /** signIn: nobody is signed in. noEmail: the login has no verified address, which Chat needs. */
    readonly code: "signIn" | "noEmail" | "unavailable" | "off",
  ) {
    super(`hand-over: ${code}`);
  }
}

/** Zendesk's Chat Web SDK: https://developer.zendesk.com/documentation/classic-web-sdks/chat-web-sdk/ */
export interface ZChat {
  init(options: {
    account_key: string;
    authentication: { jwt_fn: (callback: (jwt: string) => void) => void };
  }): void;
  on(event: string, handler: (data: never) => void): void;
  sendChatMsg(text: string, done: (err?: unknown) => void): void;
}

/** Messaging's widget: https://developer.zendesk.com/api-reference/widget-messaging/web/authentication/ */
export type ZE = (
  area: "messenger",
  command: "loginUser" | "logoutUser" | "open",
  jwt?: (callback: (jwt: string) => void) => void,
  done?: (error: unknown) => void,
) => void;

/** Gets the visitor's JWT. Each is good for a few minutes, so it is asked for when it is needed. */
export async function visitorJwt(o: HandOver, purpose: "chat" | "messaging"): Promise<string> {
  const url = `${o.api.replace(/\/$/, "")}/generate/token${purpose === "messaging" ? "?for=messaging" : ""}`;
  const waits = o.waits ?? [500, 2_000];
  for (let i = 0; ; i++) {
    const res = await ask(o, url);
    if (res?.ok) return ((await res.json()) as { token: string }).token;
    if (res?.status === 401 || res?.status === 403) throw new HandOverError("signIn");
    if (res?.status === 422) throw new HandOverError("noEmail");
    if (res?.status === 404) throw new HandOverError("off");
    const wait = waits[i];
    if (wait === undefined) throw new HandOverError("unavailable");
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function ask(o: HandOver, url: string): Promise<Response | undefined> {
  const token = await o.getToken?.();
  if (o.getToken && !token) throw new HandOverError("signIn");
  try {
    return await (o.fetch ?? fetch)(url, {
      ...(token
        ? { headers: { Authorization: `Bearer ${token}` }, credentials: "omit" as const }
        : { credentials: "include" as const }),
      signal: timeout(15_000),
    });
  } catch {
    return undefined;
  }
}

/**
 * Starts Zendesk Chat as the visitor. The first JWT is fetched before the SDK
 * starts, because a visitor who is not signed in would become an anonymous one,
 * and a chat cannot change hands later.
 */
export async function startChat(
  zChat: ZChat,
  accountKey: string,
  o: HandOver,
  onError: (err: HandOverError) => void,
): Promise<void> {
  let first: string | undefined = await visitorJwt(o, "chat");
  zChat.init({
    account_key: accountKey,
    authentication: {
      jwt_fn: (callback) => {
        const jwt = first;
        first = undefined;
        if (jwt) callback(jwt);
        else visitorJwt(o, "chat").then(callback, onError);
      },
    },
  });
}

/** Signs the visitor in at Messaging's widget, and again whenever it asks. */
export async function loginMessaging(
  zE: ZE,
  o: HandOver,
  onError: (err: HandOverError) => void,
): Promise<void> {
  let first: string | undefined = await visitorJwt(o, "messaging");
  await new Promise<void>((resolve, reject) => {
    zE(
      "messenger",
      "loginUser",
      (callback) => {
        const jwt = first;
        first = undefined;
        if (jwt) callback(jwt);
        else visitorJwt(o, "messaging").then(callback, onError);
      },
      (error) => (error ? reject(new HandOverError("unavailable")) : resolve()),
    );
  });
}
