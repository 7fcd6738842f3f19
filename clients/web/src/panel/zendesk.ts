import { type Api, ApiError, asChatError } from "../api/api";
import { ChatError, type Credentials } from "../chat/chat";
import type { AgentApi } from "./agent";
import { BaseDesk, type Desk, type Reply, type Standing, type Title } from "./desk";
import { ticketOf } from "./framed";
import { listMacros, wordsFor } from "./macros";

/** The parts of Zendesk's app framework that are used. */
export interface ZafClient {
  get(paths: string[]): Promise<Record<string, unknown>>;
  on(event: string, handler: () => void): void;
  invoke(what: string, ...args: unknown[]): Promise<unknown>;
  context(): Promise<{ location?: string }>;
  /** Zendesk's API with the agent's session; it rejects with an object that has the status. */
  request<T>(options: { url: string; type: "GET" }): Promise<T>;
}

/** The session that the page of POST /zendesk/app carries. */
export interface AppSession {
  sessionToken: string;
  expiresAt: string;
}

const paths = [
  "ticket.id",
  "ticket.externalId",
  "ticket.tags",
  "ticket.requester",
  "ticket.status",
  "ticket.assignee",
  "currentUser",
];

interface Person {
  id?: number | string;
  name?: string;
  email?: string;
}

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
  readonly #client: ZafClient;
  #me = "";
  /** What Zendesk itself answered, of the ticket that is open. */
  #asked: { ticketId: string; standing: Standing } | undefined;

  constructor(session: AppSession, api: Api, client: ZafClient) {
    super();
    this.#session = session;
    this.#api = api;
    this.#client = client;
    const read = () => void this.#read();
    for (const event of ["ticket.tags.changed", "ticket.requester.id.changed"]) {
      client.on(event, read);
    }
    // Each open ticket has an instance of its own; this one came to the front.
    client.on("app.activated", () => {
      this.inFront();
      read();
    });
    client.on("ticket.submit.done", () => this.look());
    void client.invoke("resize", { width: "100%", height: "560px" }).catch(() => {});
    read();
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

  look(): void {
    const state = this.state;
    if (state.phase !== "ticket") return;
    void this.#ask(state.ticketId).then((standing) => {
      const now = this.state;
      if (!standing || now.phase !== "ticket" || now.ticketId !== state.ticketId) return;
      this.#asked = { ticketId: now.ticketId, standing };
      this.set({ ...now, standing });
    });
  }

  replies(): Promise<Reply[]> {
    return listMacros(this.#client);
  }

  async fill(reply: Reply): Promise<string> {
    if (this.state.phase !== "ticket") return reply.text;
    return wordsFor(this.#client, this.state.ticketId, reply);
  }

  async titles(groupIds: string[]): Promise<Map<string, Title>> {
    // More than a hundred chats are nobody's.
    const ids = groupIds.map(ticketOf).slice(0, 100).join(",");
    const { tickets, users = [] } = await this.#get<{
      tickets: { id: number; subject?: string; requester_id?: number }[];
      users?: Person[];
    }>(`/api/v2/tickets/show_many.json?ids=${ids}&include=users`);
    return new Map(
      tickets.map((t) => {
        const customer = users.find((u) => u.id === t.requester_id)?.name;
        const title = `#${t.id} ${t.subject ?? ""}`.trim();
        return [`ZENDESK#${t.id}`, { title, ...(customer ? { customer } : {}) }];
      }),
    );
  }

  open(groupId: string): void {
    void this.#client.invoke("routeTo", "ticket", Number(ticketOf(groupId))).catch(() => {});
    void this.#client.invoke("popover", "hide").catch(() => {});
  }

  call(groupId: string, text: string): void {
    // Zendesk shows what it gets as markup.
    const plain = `#${ticketOf(groupId)}: ${shorten(text)}`.replace(
      /[&<>"']/g,
      (c) => `&#${c.charCodeAt(0)};`,
    );
    void this.#client.invoke("notify", plain, "notice").catch(() => {});
  }

  /** Reads the form on the screen, which may hold what nobody has saved. */
  async #read(): Promise<void> {
    const got = await this.#client.get(paths).catch(() => ({}) as Record<string, unknown>);
    const id = got["ticket.id"];
    const external = got["ticket.externalId"];
    const tags = Array.isArray(got["ticket.tags"]) ? got["ticket.tags"] : [];
    // Tickets of other channels have no room.
    const ours =
      typeof external === "string" && external
        ? external.startsWith("caseroom:")
        : tags.includes("caseroom");
    if (!id || !ours) {
      this.set({ phase: "noTicket" });
      return;
    }
    const requester = got["ticket.requester"] as Person | undefined;
    const assignee = (got["ticket.assignee"] as { user?: Person } | undefined)?.user;
    this.#me = String((got.currentUser as Person | undefined)?.id ?? "");
    const ticketId = String(id);
    const asked = this.#asked?.ticketId === ticketId ? this.#asked.standing : undefined;
    this.set({
      phase: "ticket",
      groupId: `ZENDESK#${id}`,
      ticketId,
      customer: {
        ...(requester?.name ? { name: requester.name } : {}),
        ...(requester?.email ? { email: requester.email } : {}),
        ...(tags.includes("caseroom_unverified") ? { unverified: true } : {}),
      },
      standing: asked ?? this.#standing(got["ticket.status"], assignee),
    });
  }

  /** Asks Zendesk for the ticket as it is; undefined if it does not say. */
  async #ask(ticketId: string): Promise<Standing | undefined> {
    try {
      const { ticket } = await this.#get<{ ticket: { status: string; assignee_id?: number } }>(
        `/api/v2/tickets/${ticketId}.json`,
      );
      const person = ticket.assignee_id ? await this.#person(ticket.assignee_id) : undefined;
      return this.#standing(ticket.status, person);
    } catch (err) {
      return (err as { status?: number } | undefined)?.status === 404
        ? { state: "deleted" }
        : undefined;
    }
  }

  async #person(id: number): Promise<Person> {
    const got = await this.#get<{ user: Person }>(`/api/v2/users/${id}.json`).catch(
      () => undefined,
    );
    return got?.user ?? { id };
  }

  #standing(status: unknown, assignee: Person | undefined): Standing {
    const ended = status === "solved" || status === "closed";
    return {
      state: status === "deleted" ? "deleted" : ended ? "ended" : "open",
      assignee: assignee?.id
        ? { name: assignee.name ?? "", mine: String(assignee.id) === this.#me }
        : null,
    };
  }

  #get<T>(url: string): Promise<T> {
    return this.#client.request<T>({ url, type: "GET" });
  }
}

const longestCall = 120;

function shorten(text: string): string {
  const all = [...text];
  return all.length > longestCall ? `${all.slice(0, longestCall).join("")}…` : text;
}

/** Where in Zendesk this page of the app stands, such as "ticket_sidebar" or "top_bar". */
export async function location(client: ZafClient): Promise<string> {
  return (await client.context().catch(() => undefined))?.location ?? "ticket_sidebar";
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
