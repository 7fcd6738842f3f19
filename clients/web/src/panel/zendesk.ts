import { type Api, ApiError, asChatError } from "../api/api";
import { ChatError, type Credentials } from "../chat/chat";
import type { AgentApi } from "./agent";
import { BaseDesk, type Desk } from "./desk";

/** The parts of Zendesk's app framework that are used. */
export interface ZafClient {
  get(paths: string[]): Promise<Record<string, unknown>>;
  on(event: string, handler: () => void): void;
  invoke(what: string, ...args: unknown[]): Promise<unknown>;
}

/** The session that the page of POST /zendesk/app carries. */
export interface AppSession {
  sessionToken: string;
  expiresAt: string;
}

const paths = ["ticket.id", "ticket.externalId", "ticket.tags", "ticket.requester"];

/** The desk is Zendesk's agent workspace: the panel runs in a ticket's sidebar. */
export class ZendeskDesk extends BaseDesk implements Desk {
  readonly agent: AgentApi = {
    ask: async <T>(method: "GET" | "POST", path: string) => {
      if (this.#over) throw new ApiError(401, "unauthorized", "", 0);
      return this.#api.ask<T>(method, path, { bearer: this.#session.sessionToken });
    },
  };
  readonly #session: AppSession;
  readonly #api: Api;

  constructor(session: AppSession, api: Api, client: ZafClient) {
    super();
    this.#session = session;
    this.#api = api;
    const look = () => void this.#look(client);
    for (const event of ["app.activated", "ticket.tags.changed", "ticket.requester.id.changed"]) {
      client.on(event, look);
    }
    void client.invoke("resize", { width: "100%", height: "560px" }).catch(() => {});
    look();
  }

  async renew(): Promise<Credentials> {
    if (this.#over) throw new ChatError("refused");
    try {
      return await this.#api.userSig({ bearer: this.#session.sessionToken });
    } catch (err) {
      throw asChatError(err);
    }
  }

  get #over(): boolean {
    return Date.parse(this.#session.expiresAt) <= Date.now();
  }

  onCredentials(): void {}

  unread(): void {}

  async #look(client: ZafClient): Promise<void> {
    const got = await client.get(paths).catch(() => ({}) as Record<string, unknown>);
    const id = got["ticket.id"];
    const external = got["ticket.externalId"];
    // Tickets of other channels have no room.
    const ours = typeof external !== "string" || external.startsWith("caseroom:");
    if (!id || !ours) {
      this.set({ phase: "noTicket" });
      return;
    }
    const tags = got["ticket.tags"];
    const requester = got["ticket.requester"] as { name?: string; email?: string } | undefined;
    this.set({
      phase: "ticket",
      groupId: `ZENDESK#${id}`,
      ticketId: String(id),
      customer: {
        ...(requester?.name ? { name: requester.name } : {}),
        ...(requester?.email ? { email: requester.email } : {}),
        ...(Array.isArray(tags) && tags.includes("caseroom_unverified")
          ? { unverified: true }
          : {}),
      },
    });
  }
}

/** The language that the agent uses Zendesk in, such as "zh-cn"; empty if it does not say. */
export async function agentLanguage(client: ZafClient): Promise<string> {
  const path = "currentUser.locale";
  const got = await client.get([path]).catch(() => ({}) as Record<string, unknown>);
  const tag = got[path];
  try {
    return typeof tag === "string" && tag ? new Intl.Locale(tag).toString() : "";
  } catch {
    return ""; // No tag that a browser knows: texts and numbers need one.
  }
}

/** Loads Zendesk's script; its client exists only inside Zendesk. */
export async function loadZaf(src: string): Promise<ZafClient> {
  await new Promise<void>((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.onload = () => resolve();
    script.onerror = () => reject(new ChatError("blocked"));
    document.head.append(script);
  });
  const zaf = (globalThis as { ZAFClient?: { init(): ZafClient | false } }).ZAFClient;
  const client = zaf?.init();
  if (!client) throw new ChatError("refused");
  return client;
}
