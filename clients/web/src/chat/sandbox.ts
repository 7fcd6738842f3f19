import {
  type Chat,
  ChatError,
  type Credentials,
  type Limits,
  type Member,
  type Message,
  type Page,
  type Room,
} from "./chat";
import { timeout } from "./deadline";
import { Emitter } from "./emitter";
import { vendorError } from "./errors";
import { parseNotice, parseRequest } from "./notice";

interface WireMessage {
  seq: number;
  time: string;
  from: string;
  nick: string;
  type: string;
  text?: string;
  url?: string;
  name?: string;
  size?: number;
  recalled?: boolean;
  edited?: boolean;
  clientId?: string;
  cloudCustomData?: string;
}

interface WireEvent {
  type: string;
  groupId?: string;
  message?: WireMessage;
  seq?: number;
  from?: string;
  reason?: string;
}

/** How long one call may take, in milliseconds. */
const deadline = 15_000;
const pageSize = 20;

/** The chat of the local run: HTTP and server-sent events, with Tencent's numbers for errors. */
export class SandboxChat extends Emitter implements Chat {
  readonly #base: string;
  readonly limits: Limits = { text: 11_000, file: 10 << 20 };
  #session = "";
  #userId = "";
  #credentials: Credentials | undefined;
  #events: EventSource | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #closed = false;

  /** @param base where the sandbox listens, such as http://127.0.0.1:3100 */
  constructor(base: string) {
    super();
    this.#base = base.replace(/\/$/, "");
    globalThis.addEventListener?.("offline", this.#offline);
    globalThis.addEventListener?.("online", this.#online);
  }

  async login(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    const { session } = await this.#call<{ session: string }>("POST", "/chat/login", {
      sdkAppId: credentials.sdkAppId,
      userId: credentials.userId,
      userSig: credentials.userSig,
    });
    this.#session = session;
    this.#userId = credentials.userId;
    // The end may have come before the answer.
    if (this.#closed) await this.close();
    else this.#listen();
  }

  async rooms(): Promise<Room[]> {
    return this.#call<Room[]>("GET", "/chat/groups");
  }

  async room(groupId: string): Promise<Room | undefined> {
    return (await this.rooms()).find((r) => r.groupId === groupId);
  }

  async members(groupId: string): Promise<Member[]> {
    return this.#call<Member[]>("GET", "/chat/groups/members", { groupId });
  }

  async history(groupId: string, before?: number): Promise<Page> {
    const page = await this.#call<{ messages: WireMessage[]; complete: boolean }>(
      "GET",
      "/chat/groups/messages",
      { groupId, limit: pageSize, ...(before === undefined ? {} : { before }) },
    );
    return { messages: page.messages.map((m) => this.#message(m)), complete: page.complete };
  }

  async sendText(groupId: string, text: string, clientId: string): Promise<Message> {
    return this.#send(groupId, { type: "text", text }, clientId);
  }

  async sendFile(
    groupId: string,
    file: File,
    clientId: string,
    onProgress: (part: number) => void = () => {},
  ): Promise<Message> {
    const query = new URLSearchParams({ session: this.#session, name: file.name });
    const kept = await upload<{ url: string; name: string; size: number }>(
      `${this.#base}/chat/files?${query}`,
      file,
      onProgress,
    );
    const type = /^image\/(png|jpeg|gif)$/.test(file.type) ? "image" : "file";
    return this.#send(groupId, { type, ...kept }, clientId);
  }

  typing(groupId: string): void {
    this.#quietly("/chat/typing", { session: this.#session, groupId });
  }

  read(groupId: string, seq: number): void {
    this.#quietly("/chat/read", { session: this.#session, groupId, seq });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    this.#events?.close();
    globalThis.removeEventListener?.("offline", this.#offline);
    globalThis.removeEventListener?.("online", this.#online);
    if (this.#session) this.#quietly("/chat/logout", { session: this.#session });
    this.#session = "";
  }

  async #send(
    groupId: string,
    content: { type: string; text?: string; url?: string; name?: string; size?: number },
    clientId: string,
  ): Promise<Message> {
    const { seq, time } = await this.#call<{ seq: number; time: string }>(
      "POST",
      "/chat/groups/send",
      { groupId, clientId, ...content },
    );
    return this.#message({ ...content, seq, time, from: this.#userId, nick: "", clientId });
  }

  #message(m: WireMessage): Message {
    const notice = m.type === "text" ? parseNotice(m.cloudCustomData) : undefined;
    const request = m.type === "custom" ? parseRequest(m.text) : undefined;
    const kind = notice ? "notice" : request ? "request" : m.type;
    return {
      seq: m.seq,
      time: Date.parse(m.time),
      from: m.from,
      nick: m.nick,
      mine: m.from === this.#userId,
      kind: isKind(kind) ? kind : "unsupported",
      state: "sent",
      ...(m.clientId ? { clientId: m.clientId } : {}),
      ...(m.text === undefined ? {} : { text: m.text }),
      ...(m.url === undefined ? {} : { url: m.url }),
      ...(m.name === undefined ? {} : { name: m.name }),
      ...(m.size === undefined ? {} : { size: m.size }),
      ...(notice ? { notice } : {}),
      ...request,
      ...(m.recalled ? { recalled: true } : {}),
      ...(m.edited ? { edited: true } : {}),
    };
  }

  #listen(): void {
    this.#events?.close();
    const query = new URLSearchParams({ session: this.#session });
    const events = new EventSource(`${this.#base}/chat/events?${query}`);
    this.#events = events;
    events.onopen = () => {
      this.#tries = 0;
      this.became("online");
    };
    events.onerror = () => {
      if (["expired", "kicked", "ended"].includes(this.connection)) return;
      this.became(navigator.onLine ? "connecting" : "offline");
      // An EventSource comes back by itself from a lost connection, with
      // Last-Event-ID, but not from a refusal: then only a new login helps.
      if (events.readyState === EventSource.CLOSED) this.#comeBack();
    };
    events.onmessage = ({ data }) => this.#heard(JSON.parse(data) as WireEvent);
  }

  #heard(e: WireEvent): void {
    const groupId = e.groupId ?? "";
    switch (e.type) {
      case "message":
      case "modified":
        if (e.message) this.emit("message", { groupId, message: this.#message(e.message) });
        break;
      case "recalled":
        this.emit("recalled", { groupId, seq: e.seq ?? 0 });
        break;
      case "typing":
        this.emit("typing", { groupId, userId: e.from ?? "" });
        break;
      case "read":
        this.emit("read", { groupId, userId: e.from ?? "", seq: e.seq ?? 0 });
        break;
      case "group":
        this.emit("room", { groupId });
        break;
      case "resync":
        // Events were missed: who listens reads again what it shows.
        this.became("connecting");
        this.became("online");
        break;
      case "kicked":
        this.#end(e.reason === "restApi" || e.reason === "accountDeleted" ? "ended" : "kicked");
        break;
      case "sigExpired":
        this.#end("expired");
        break;
    }
  }

  #end(why: "kicked" | "expired" | "ended"): void {
    this.#events?.close();
    this.#session = "";
    this.became(why);
  }

  #comeBack(): void {
    if (this.#closed) return;
    clearTimeout(this.#again);
    const wait = Math.min(500 * 2 ** this.#tries++, 15_000);
    this.#again = setTimeout(() => {
      if (!this.#credentials) return;
      this.login(this.#credentials).catch((err: unknown) => {
        if (err instanceof ChatError && err.code === "expired") this.#end("expired");
        else this.#comeBack();
      });
    }, wait);
  }

  #offline = (): void => {
    if (this.connection === "online" || this.connection === "connecting") this.became("offline");
  };

  #online = (): void => {
    if (this.connection !== "offline") return;
    this.became("connecting");
    this.#tries = 0;
    if (this.#session) this.#listen();
    else this.#comeBack();
  };

  #quietly(path: string, body: object): void {
    void this.#fetch(path, post(body)).catch(() => {});
  }

  async #call<T>(method: "GET" | "POST", path: string, args: object = {}): Promise<T> {
    const all = { session: this.#session, ...args };
    if (method === "POST") return this.#fetch<T>(path, post(all));
    const query = new URLSearchParams(Object.entries(all).map(([k, v]) => [k, String(v)]));
    return this.#fetch<T>(`${path}?${query}`, { signal: timeout(deadline) });
  }

  async #fetch<T>(path: string, init: RequestInit): Promise<T> {
    let res: Response;
    let answer: unknown;
    try {
      res = await fetch(this.#base + path, init);
      answer = await res.json();
    } catch {
      throw new ChatError("offline");
    }
    if (!res.ok) throw vendorError((answer as { code?: number }).code ?? 0);
    return answer as T;
  }
}

function post(body: object): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: timeout(deadline),
  };
}

/** What fetch does not tell: how much of a body has gone up. */
function upload<T>(url: string, file: File, onProgress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", url);
    xhr.timeout = 4 * deadline;
    xhr.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    xhr.onerror = xhr.ontimeout = () => reject(new ChatError("offline"));
    xhr.onload = () => {
      let answer: unknown;
      try {
        answer = JSON.parse(xhr.responseText);
      } catch {
        reject(new ChatError("offline"));
        return;
      }
      if (xhr.status < 300) resolve(answer as T);
      else reject(vendorError((answer as { code?: number }).code ?? 0));
    };
    xhr.send(file);
  });
}

function isKind(kind: string): kind is Message["kind"] {
  return ["text", "image", "file", "notice", "tip", "request"].includes(kind);
}
