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
import { Emitter } from "./emitter";
import { vendorError } from "./errors";
import { parseClientId, parseNotice, parseRequest } from "./notice";

/** The parts of the SDK that are used: https://web.sdk.qcloud.com/im/doc/v3/en/SDK.html. */
export interface Sdk {
  on(event: string, handler: (e: { data: never }) => void): void;
  off(event: string, handler: (e: { data: never }) => void): void;
  login(o: { userID: string; userSig: string }): Promise<unknown>;
  logout(): Promise<unknown>;
  isReady(): boolean;
  destroy(): Promise<unknown>;
  setLogLevel(level: number): void;
  registerPlugin(plugins: object): void;
  getGroupList(): Promise<{ data: { groupList: SdkGroup[] } }>;
  getGroupProfile(o: { groupID: string }): Promise<{ data: { group: SdkGroup } }>;
  getGroupMemberList(o: {
    groupID: string;
    count: number;
  }): Promise<{ data: { memberList: { userID: string; nick: string }[] } }>;
  getMessageList(o: { conversationID: string; nextReqMessageID?: string }): Promise<{
    data: { messageList: SdkMessage[]; nextReqMessageID: string; isCompleted: boolean };
  }>;
  createTextMessage(o: object): SdkMessage;
  createImageMessage(o: object): SdkMessage;
  createFileMessage(o: object): SdkMessage;
  createCustomMessage(o: object): SdkMessage;
  sendMessage(m: SdkMessage, o?: object): Promise<{ data: { message: SdkMessage } }>;
  resendMessage(m: SdkMessage): Promise<{ data: { message: SdkMessage } }>;
  setMessageRead(o: { conversationID: string }): Promise<unknown>;
}

export interface SdkGroup {
  groupID: string;
  name: string;
  muteAllMembers: boolean;
  memberCount: number;
  nextMessageSeq?: number;
  lastMessage?: { lastTime?: number };
}

export interface SdkMessage {
  ID: string;
  type: string;
  payload: {
    text?: string;
    data?: string;
    fileUrl?: string;
    fileName?: string;
    fileSize?: number;
    imageInfoArray?: { url?: string; imageUrl?: string; size?: number; type?: number }[];
    /** Of a notice to this person alone. */
    groupProfile?: { groupID?: string };
  };
  conversationType: string;
  to: string;
  from: string;
  nick: string;
  time: number;
  sequence: number;
  isRevoked: boolean;
  isDeleted: boolean;
  isModified: boolean;
  cloudCustomData: string;
}

/** How long a login may take, in milliseconds; the SDK itself tries for ever. */
const loginDeadline = 15_000;

/** What says "writing" to those who are online; it is never stored. */
const typingData = JSON.stringify({ caseroom: { typing: 1 } });
/** What the SDK takes for an image: by the end of its name, and below this size in bytes. */
const imageName = /\.(jpe?g|gif|png|bmp|webp)$/i;
const imageLimit = 20 << 20;
/** Pages without anything to show that are skipped in one go. */
const emptyPages = 10;

/**
 * Tencent's Web SDK. The region follows from the SDKAppID: the SDK itself knows
 * which hosts serve it, wss<region>.im.qcloud.com and their stand-bys.
 */
export class TencentChat extends Emitter implements Chat {
  readonly #sdk: Sdk;
  #userId = "";
  #credentials: Credentials | undefined;
  #loggedIn = false;
  /** By room and oldest message of a page: where the SDK goes on. */
  #next = new Map<string, string>();
  /** By client id: what failed, which the SDK sends again as the same message. */
  #unsent = new Map<string, SdkMessage>();
  #rooms = new Map<string, string>();
  /** A message may have 12 KB with all that is around its text. */
  readonly limits: Limits = { text: 11_000, file: 100 << 20 };
  #off: (() => void)[] = [];

  /** Loads the SDK. It rejects with "blocked" if that fails. */
  static async load(sdkAppId: number): Promise<TencentChat> {
    try {
      const [sdk, group, upload] = await Promise.all([
        import("@tencentcloud/chat/index.es.js"),
        import("@tencentcloud/chat/modules/group-module.js"),
        import("tim-upload-plugin"),
      ]);
      const options = { SDKAppID: sdkAppId, modules: { "group-module": group.default } };
      const chat = sdk.default.create(options) as unknown as Sdk;
      chat.setLogLevel(4);
      chat.registerPlugin({ "tim-upload-plugin": upload.default });
      return new TencentChat(chat);
    } catch {
      throw new ChatError("blocked");
    }
  }

  constructor(sdk: Sdk) {
    super();
    this.#sdk = sdk;
    this.#hear("onMessageReceived", (list: SdkMessage[]) => {
      for (const m of list) this.#received(m);
    });
    this.#hear("onMessageModified", (list: SdkMessage[]) => {
      for (const m of list) {
        if (m.conversationType === "GROUP") this.#received({ ...m, isModified: true });
      }
    });
    this.#hear("onMessageRevoked", (list: SdkMessage[]) => {
      for (const m of list) this.emit("recalled", { groupId: m.to, seq: m.sequence });
    });
    this.#hear("onGroupListUpdated", (list: SdkGroup[]) => {
      // It comes with every message. Who was taken out of a room hears it by its absence.
      const before = this.#rooms;
      this.#rooms = known(list);
      for (const groupId of new Set([...before.keys(), ...this.#rooms.keys()])) {
        if (before.get(groupId) !== this.#rooms.get(groupId)) this.emit("room", { groupId });
      }
    });
    this.#hear("netStateChange", ({ state }: { state: string }) => {
      if (["expired", "kicked", "ended"].includes(this.connection)) return;
      if (state === "connected") this.became(this.#loggedIn ? "online" : "connecting");
      else this.became(state === "connecting" ? "connecting" : "offline");
    });
    this.#hear("kickedOut", ({ type }: { type: string }) => {
      this.#loggedIn = false;
      if (type === "userSigExpired") this.#lapsed();
      else this.became(type === "REST_API_Kick" ? "ended" : "kicked");
    });
  }

  async login(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    // The SDK takes no new UserSig while it is logged in; it says when it
    // wants one.
    const same = credentials.userId === this.#userId;
    if (this.#loggedIn && same) return;
    // It takes anybody's login for a repeated one while somebody is logged in.
    if (this.#userId && !same) {
      this.#loggedIn = false;
      await this.#sdk.logout().catch(() => {});
    }
    this.#userId = credentials.userId;
    const ready = this.#ready();
    try {
      await withDeadline(
        // A login that came through after its deadline is ready already.
        this.#try(() =>
          this.#sdk.login({ userID: credentials.userId, userSig: credentials.userSig }),
        ).then(() => (this.#sdk.isReady() ? undefined : ready.happened)),
      );
    } finally {
      ready.forget();
    }
    this.#loggedIn = true;
    this.became("online");
  }

  async rooms(): Promise<Room[]> {
    const { data } = await this.#try(() => this.#sdk.getGroupList());
    this.#rooms = known(data.groupList);
    return data.groupList.map(room);
  }

  async room(groupId: string): Promise<Room | undefined> {
    // The list says whether this person is in; the profile is fresh.
    if (!(await this.rooms()).some((r) => r.groupId === groupId)) return undefined;
    try {
      const { data } = await this.#try(() => this.#sdk.getGroupProfile({ groupID: groupId }));
      return room(data.group);
    } catch (err) {
      if (err instanceof ChatError && (err.code === "gone" || err.code === "not_member")) {
        return undefined;
      }
      throw err;
    }
  }

  async members(groupId: string): Promise<Member[]> {
    const { data } = await this.#try(() =>
      this.#sdk.getGroupMemberList({ groupID: groupId, count: 30 }),
    );
    return data.memberList.map((m) => ({ userId: m.userID, nick: m.nick }));
  }

  async history(groupId: string, before?: number): Promise<Page> {
    let next = before === undefined ? undefined : this.#next.get(`${groupId}\n${before}`);
    if (before !== undefined && !next) return { messages: [], complete: true };
    for (let i = 0; ; i++) {
      const { data } = await this.#try(() =>
        this.#sdk.getMessageList({
          conversationID: `GROUP${groupId}`,
          ...(next ? { nextReqMessageID: next } : {}),
        }),
      );
      const messages = data.messageList
        .filter((m) => !m.isDeleted && m.type !== "TIMGroupTipElem")
        .map((m) => this.#message(m));
      next = data.isCompleted ? undefined : data.nextReqMessageID;
      // A page may hold nothing that is shown; it still leads to an older one.
      if (messages.length === 0 && next && i < emptyPages) continue;
      const oldest = messages[0]?.seq ?? before;
      if (next && oldest !== undefined) this.#next.set(`${groupId}\n${oldest}`, next);
      return { messages, complete: !next || oldest === undefined };
    }
  }

  async sendText(groupId: string, text: string, clientId: string): Promise<Message> {
    return this.#send(clientId, () =>
      this.#sdk.createTextMessage(this.#to(groupId, { text }, clientId)),
    );
  }

  async sendFile(
    groupId: string,
    file: File,
    clientId: string,
    onProgress: (part: number) => void = () => {},
  ): Promise<Message> {
    return this.#send(clientId, () => {
      const named = withExtension(file);
      const options = { ...this.#to(groupId, { file: named }, clientId), onProgress };
      return imageName.test(named.name) && file.size < imageLimit
        ? this.#sdk.createImageMessage(options)
        : this.#sdk.createFileMessage(options);
    });
  }

  typing(groupId: string): void {
    const message = this.#sdk.createCustomMessage(
      this.#to(groupId, { data: typingData, description: "", extension: "" }),
    );
    void this.#sdk
      .sendMessage(message, {
        onlineUserOnly: true,
        messageControlInfo: { excludedFromUnreadCount: true, excludedFromLastMessage: true },
      })
      .catch(() => {});
  }

  read(groupId: string): void {
    void this.#sdk.setMessageRead({ conversationID: `GROUP${groupId}` }).catch(() => {});
  }

  async close(): Promise<void> {
    for (const off of this.#off) off();
    this.#unsent.clear();
    this.#loggedIn = false;
    await this.#sdk.destroy().catch(() => {});
  }

  #lapsed(): void {
    const c = this.#credentials;
    if (!c || Date.parse(c.expiresAt) <= Date.now()) {
      this.became("expired");
      return;
    }
    this.became("connecting");
    this.login(c).catch(() => this.became("expired"));
  }

  #received(m: SdkMessage): void {
    if (m.type === "TIMGroupSystemNoticeElem") {
      // In a conversation of its own: this person was taken in or out.
      const groupId = m.payload.groupProfile?.groupID;
      if (groupId) this.emit("room", { groupId });
      return;
    }
    if (m.conversationType !== "GROUP") return;
    if (m.type === "TIMGroupTipElem") {
      this.emit("room", { groupId: m.to });
    } else if (m.type === "TIMCustomElem" && m.payload.data === typingData) {
      this.emit("typing", { groupId: m.to, userId: m.from });
    } else {
      this.emit("message", { groupId: m.to, message: this.#message(m) });
    }
  }

  async #send(clientId: string, create: () => SdkMessage): Promise<Message> {
    const failed = this.#unsent.get(clientId);
    const message = failed ?? create();
    this.#unsent.set(clientId, message);
    const { data } = await this.#try(() =>
      failed ? this.#sdk.resendMessage(failed) : this.#sdk.sendMessage(message),
    );
    this.#unsent.delete(clientId);
    return { ...this.#message(data.message), clientId, mine: true };
  }

  /** The client id lets the message be known again when its answer was lost. */
  #to(groupId: string, payload: object, clientId?: string): object {
    return {
      to: groupId,
      conversationType: "GROUP",
      payload,
      ...(clientId ? { cloudCustomData: JSON.stringify({ caseroom: { clientId } }) } : {}),
    };
  }

  #message(m: SdkMessage): Message {
    const notice = m.type === "TIMTextElem" ? parseNotice(m.cloudCustomData) : undefined;
    const request = m.type === "TIMCustomElem" ? parseRequest(m.payload.data) : undefined;
    const image = m.payload.imageInfoArray?.find((i) => i.url || i.imageUrl);
    const url = m.payload.fileUrl ?? image?.url ?? image?.imageUrl;
    const size = m.payload.fileSize ?? image?.size;
    const mine = m.from === this.#userId;
    const clientId = mine ? parseClientId(m.cloudCustomData) : undefined;
    const kinds: Record<string, Message["kind"]> = {
      TIMTextElem: "text",
      TIMImageElem: "image",
      TIMFileElem: "file",
    };
    return {
      seq: m.sequence,
      time: m.time * 1000,
      from: m.from,
      nick: m.nick,
      mine,
      kind: notice ? "notice" : request ? "request" : (kinds[m.type] ?? "unsupported"),
      state: "sent",
      ...(clientId ? { clientId } : {}),
      ...(m.payload.text === undefined ? {} : { text: m.payload.text }),
      ...(url ? { url } : {}),
      ...(m.payload.fileName ? { name: m.payload.fileName } : {}),
      ...(size === undefined ? {} : { size }),
      ...(notice ? { notice } : {}),
      ...request,
      ...(m.isRevoked ? { recalled: true } : {}),
      ...(m.isModified ? { edited: true } : {}),
    };
  }

  #hear<T>(event: string, handler: (data: T) => void): void {
    const listener = (e: { data: never }) => handler(e.data as T);
    this.#sdk.on(event, listener);
    this.#off.push(() => this.#sdk.off(event, listener));
  }

  /** No call is taken before the SDK says it is ready, which may follow login's answer. */
  #ready(): { happened: Promise<void>; forget: () => void } {
    let forget = () => {};
    const happened = new Promise<void>((resolve) => {
      const listener = () => resolve();
      this.#sdk.on("sdkStateReady", listener);
      forget = () => this.#sdk.off("sdkStateReady", listener);
    });
    return { happened, forget };
  }

  async #try<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (err) {
      throw vendorError((err as { code?: number }).code ?? 0);
    }
  }
}

function room(g: SdkGroup): Room {
  return {
    groupId: g.groupID,
    name: g.name,
    muted: g.muteAllMembers,
    memberCount: g.memberCount,
    ...(g.nextMessageSeq ? { lastSeq: g.nextMessageSeq - 1 } : {}),
    ...(g.lastMessage?.lastTime ? { lastTime: g.lastMessage.lastTime * 1000 } : {}),
  };
}

/** What of each room is told about, as one string. */
function known(list: SdkGroup[]): Map<string, string> {
  return new Map(
    list.map((g) => [g.groupID, JSON.stringify([g.name, g.muteAllMembers, g.memberCount])]),
  );
}

/** A picture from the clipboard may have a name without the end by which the SDK knows it. */
function withExtension(file: File): File {
  const type = /^image\/(png|jpeg|gif|bmp|webp)$/.exec(file.type)?.[1];
  if (!type || imageName.test(file.name)) return file;
  return new File([file], `${file.name || "image"}.${type}`, { type: file.type });
}

async function withDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ChatError("offline")), loginDeadline);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
