import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { sdkCodes } from "../../src/chat/errors";
import { parseNotice } from "../../src/chat/notice";
import { type Sdk, type SdkMessage, TencentChat } from "../../src/chat/tencent";
import { credentials } from "./fakes";

/** The SDK's surface, with its own events, answers and numbers. */
class FakeSdk {
  handlers = new Map<string, Set<(e: { data: never }) => void>>();
  logins: { userID: string; userSig: string }[] = [];
  loginError: { code: number } | undefined;
  pages: { messageList: SdkMessage[]; nextReqMessageID: string; isCompleted: boolean }[] = [];
  asked: (string | undefined)[] = [];
  sendError: { code: number } | undefined;
  options: object[] = [];
  created: { cloudCustomData?: string }[] = [];
  resent: SdkMessage[] = [];
  /** Who is logged in; somebody may be while the caller has given up. */
  user = "";
  ready = false;
  groups = ["ZENDESK#1"];

  on(event: string, f: (e: { data: never }) => void) {
    const all = this.handlers.get(event) ?? new Set();
    this.handlers.set(event, all.add(f));
  }
  off(event: string, f: (e: { data: never }) => void) {
    this.handlers.get(event)?.delete(f);
  }
  fire(event: string, data: unknown = []) {
    for (const f of [...(this.handlers.get(event) ?? [])]) f({ data: data as never });
  }
  async login(o: { userID: string; userSig: string }) {
    this.logins.push(o);
    if (this.loginError) throw this.loginError;
    // The SDK takes whoever logs in while somebody is for a repetition, and says nothing.
    if (this.user) return;
    this.user = o.userID;
    this.ready = true;
    this.fire("sdkStateReady");
  }
  async logout() {
    this.user = "";
    this.ready = false;
  }
  isReady() {
    return this.ready;
  }
  kickOut(type: string) {
    this.user = "";
    this.ready = false;
    this.fire("kickedOut", { type });
  }
  async getGroupList() {
    return {
      data: {
        groupList: this.groups.map((groupID) => ({
          groupID,
          name: "n",
          muteAllMembers: false,
          memberCount: 2,
        })),
      },
    };
  }
  async getGroupProfile() {
    return {
      data: { group: { groupID: "ZENDESK#1", name: "n", muteAllMembers: true, memberCount: 2 } },
    };
  }
  async getMessageList(o: { nextReqMessageID?: string }) {
    this.asked.push(o.nextReqMessageID);
    return { data: this.pages.shift() };
  }
  createTextMessage(o: { payload: { text: string }; cloudCustomData: string }) {
    this.created.push(o);
    return sdkMessage(0, { payload: o.payload, from: "dana" });
  }
  createImageMessage(o: { payload: { file: File } }) {
    return sdkMessage(0, { type: "TIMImageElem", payload: { fileName: o.payload.file.name } });
  }
  createFileMessage(o: { payload: { file: File } }) {
    return sdkMessage(0, { type: "TIMFileElem", payload: { fileName: o.payload.file.name } });
  }
  createCustomMessage(o: { payload: { data: string } }) {
    return sdkMessage(0, { type: "TIMCustomElem", payload: o.payload });
  }
  async sendMessage(m: SdkMessage, o: object = {}) {
    this.options.push(o);
    if (this.sendError) throw this.sendError;
    return { data: { message: { ...m, sequence: 9 } } };
  }
  async resendMessage(m: SdkMessage) {
    this.resent.push(m);
    return { data: { message: { ...m, sequence: 9 } } };
  }
  destroy = vi.fn(async () => {});
}

function sdkMessage(sequence: number, more: Partial<SdkMessage> = {}): SdkMessage {
  return {
    ID: `m${sequence}`,
    type: "TIMTextElem",
    payload: { text: `text ${sequence}` },
    conversationType: "GROUP",
    to: "ZENDESK#1",
    from: "zd_1",
    nick: "Alex",
    time: 100,
    sequence,
    isRevoked: false,
    isDeleted: false,
    isModified: false,
    cloudCustomData: "",
    ...more,
  };
}

let sdk: FakeSdk;
let chat: TencentChat;
beforeEach(async () => {
  sdk = new FakeSdk();
  chat = new TencentChat(sdk as unknown as Sdk);
});

test("a login waits until the SDK is ready", async () => {
  await chat.login(credentials());
  expect(chat.connection).toBe("online");
  expect(sdk.logins).toEqual([{ userID: "dana", userSig: "sig" }]);
});

test.each([
  [70001, "expired"],
  [70003, "refused"],
  [2801, "offline"],
  [60007, "busy"],
  [72000, "plan"],
  [70398, "plan"],
])("a login that fails with %i is %s, and says no UserSig", async (code, want) => {
  sdk.loginError = { code };
  const err = await chat.login(credentials({ userSig: "secret" })).catch((e) => e);
  expect(err).toMatchObject({ code: want, vendorCode: code });
  expect(JSON.stringify(err) + err.stack).not.toContain("secret");
});

test("a renewed UserSig is kept until the SDK wants one", async () => {
  await chat.login(credentials());
  await chat.login(credentials({ userSig: "second" }));
  expect(sdk.logins).toHaveLength(1);
  sdk.kickOut("userSigExpired");
  await vi.waitFor(() => expect(chat.connection).toBe("online"));
  expect(sdk.logins[1]?.userSig).toBe("second");
});

test("without a good one it has expired", async () => {
  await chat.login(credentials({ expiresAt: new Date(Date.now() - 1).toISOString() }));
  sdk.kickOut("userSigExpired");
  expect(chat.connection).toBe("expired");
});

test("another login ends this one", async () => {
  await chat.login(credentials());
  sdk.kickOut("multipleAccount");
  expect(chat.connection).toBe("kicked");
  sdk.fire("netStateChange", { state: "connected" });
  expect(chat.connection).toBe("kicked");
});

test("the network goes and comes", async () => {
  await chat.login(credentials());
  sdk.fire("netStateChange", { state: "disconnected" });
  expect(chat.connection).toBe("offline");
  sdk.fire("netStateChange", { state: "connecting" });
  expect(chat.connection).toBe("connecting");
  sdk.fire("netStateChange", { state: "connected" });
  expect(chat.connection).toBe("online");
});

test("history goes on where the SDK says, without tips and deleted messages", async () => {
  await chat.login(credentials());
  sdk.pages = [
    {
      messageList: [
        sdkMessage(5),
        sdkMessage(6, { type: "TIMGroupTipElem" }),
        sdkMessage(7, { isDeleted: true }),
        sdkMessage(8, { from: "dana", isRevoked: true }),
      ],
      nextReqMessageID: "next",
      isCompleted: false,
    },
    { messageList: [sdkMessage(4)], nextReqMessageID: "", isCompleted: true },
  ];
  const page = await chat.history("ZENDESK#1");
  expect(page.messages.map((m) => [m.seq, m.mine, m.recalled])).toEqual([
    [5, false, undefined],
    [8, true, true],
  ]);
  expect(page.complete).toBe(false);
  const older = await chat.history("ZENDESK#1", 5);
  expect(older).toMatchObject({ complete: true, messages: [{ seq: 4 }] });
  expect(sdk.asked).toEqual([undefined, "next"]);
});

test("what arrives is told apart", async () => {
  await chat.login(credentials());
  const heard: unknown[] = [];
  chat.on("message", (e) => heard.push(["message", e.message.kind, e.message.text, e.message.url]));
  chat.on("typing", (e) => heard.push(["typing", e.userId]));
  chat.on("room", (e) => heard.push(["room", e.groupId]));
  chat.on("recalled", (e) => heard.push(["recalled", e.seq]));
  sdk.fire("onMessageReceived", [
    sdkMessage(1),
    sdkMessage(2, { cloudCustomData: '{"caseroom":{"kind":"joined"}}' }),
    sdkMessage(3, {
      type: "TIMFileElem",
      payload: { fileUrl: "https://f", fileName: "f", fileSize: 3 },
      cloudCustomData: '{"caseroom":{"kind":"joined"}}',
    }),
    sdkMessage(4, {
      type: "TIMImageElem",
      payload: { imageInfoArray: [{ imageUrl: "https://i" }] },
    }),
    sdkMessage(5, { type: "TIMCustomElem", payload: { data: '{"caseroom":{"typing":1}}' } }),
    sdkMessage(6, { type: "TIMCustomElem", payload: { data: "x" } }),
    sdkMessage(7, { type: "TIMGroupTipElem" }),
    sdkMessage(8, { conversationType: "C2C" }),
  ]);
  sdk.fire("onMessageRevoked", [sdkMessage(1)]);
  expect(heard).toEqual([
    ["message", "text", "text 1", undefined],
    ["message", "notice", "text 2", undefined],
    ["message", "file", undefined, "https://f"],
    ["message", "image", undefined, "https://i"],
    ["typing", "zd_1"],
    ["message", "unsupported", undefined, undefined],
    ["room", "ZENDESK#1"],
    ["recalled", 1],
  ]);
});

test("a notice names the agents whom caseroom named, and the survivor of a merge", () => {
  const said = '{"caseroom":{"kind":"joined","agents":"Alex Agent, Billie Agent"}}';
  expect(parseNotice(said)).toEqual({ kind: "joined", agents: "Alex Agent, Billie Agent" });
  expect(parseNotice('{"caseroom":{"kind":"joined","agents":7}}')).toEqual({ kind: "joined" });
  expect(parseNotice('{"caseroom":{"kind":"elsewhere"}}')).toBeUndefined();
});

test("sending; a locked room says so; typing is never stored", async () => {
  await chat.login(credentials());
  expect(await chat.sendText("ZENDESK#1", "hi", "c1")).toMatchObject({
    seq: 9,
    clientId: "c1",
    mine: true,
    state: "sent",
  });
  chat.typing("ZENDESK#1");
  expect(sdk.options.at(-1)).toMatchObject({ onlineUserOnly: true });
  sdk.sendError = { code: 10017 };
  await expect(chat.sendText("ZENDESK#1", "hi", "c2")).rejects.toMatchObject({ code: "muted" });
});

test("a room is one's own, with its fresh lock", async () => {
  await chat.login(credentials());
  expect(await chat.room("ZENDESK#1")).toMatchObject({ muted: true });
  expect(await chat.room("ZENDESK#2")).toBeUndefined();
});

test("closing lets go of the SDK", async () => {
  await chat.login(credentials());
  await chat.close();
  expect(sdk.destroy).toHaveBeenCalled();
  expect([...sdk.handlers.values()].every((h) => h.size === 0)).toBe(true);
});

test("a login that came through after its deadline is taken as it is", async () => {
  vi.useFakeTimers();
  try {
    const login = sdk.login.bind(sdk);
    sdk.login = () => new Promise(() => {});
    const late = chat.login(credentials()).catch((e) => e);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await late).toMatchObject({ code: "offline" });
    sdk.login = login;
    await sdk.login({ userID: "dana", userSig: "sig" });
    await chat.login(credentials());
    expect(chat.connection).toBe("online");
  } finally {
    vi.useRealTimers();
  }
});

test("another person is logged in only once the first is out", async () => {
  await chat.login(credentials());
  await chat.login(credentials({ userId: "robin" }));
  expect(sdk.user).toBe("robin");
});

test("who is taken out of a room hears it, by a notice and by the list of rooms", async () => {
  await chat.login(credentials());
  await chat.rooms();
  const heard: string[] = [];
  chat.on("room", (e) => heard.push(e.groupId));
  sdk.fire("onGroupListUpdated", []);
  expect(heard).toEqual(["ZENDESK#1"]);
  sdk.fire("onMessageReceived", [
    sdkMessage(1, {
      type: "TIMGroupSystemNoticeElem",
      conversationType: "@TIM#SYSTEM",
      to: "dana",
      payload: { groupProfile: { groupID: "ZENDESK#2" } },
    }),
  ]);
  expect(heard).toEqual(["ZENDESK#1", "ZENDESK#2"]);
});

test("pages of nothing but tips lead to what is behind them", async () => {
  await chat.login(credentials());
  const tips = [sdkMessage(9, { type: "TIMGroupTipElem" })];
  sdk.pages = [
    { messageList: tips, nextReqMessageID: "a", isCompleted: false },
    { messageList: tips, nextReqMessageID: "b", isCompleted: false },
    { messageList: [sdkMessage(4)], nextReqMessageID: "c", isCompleted: false },
    { messageList: [sdkMessage(3)], nextReqMessageID: "", isCompleted: true },
  ];
  expect(await chat.history("ZENDESK#1")).toMatchObject({
    complete: false,
    messages: [{ seq: 4 }],
  });
  expect(await chat.history("ZENDESK#1", 4)).toMatchObject({
    complete: true,
    messages: [{ seq: 3 }],
  });
  expect(sdk.asked).toEqual([undefined, "a", "b", "c"]);
});

test("what failed is sent again as the same message, and known again in the history", async () => {
  await chat.login(credentials());
  sdk.sendError = { code: 2801 };
  await expect(chat.sendText("ZENDESK#1", "hi", "c1")).rejects.toMatchObject({ code: "offline" });
  const cloudCustomData = sdk.created[0]?.cloudCustomData ?? "";
  sdk.pages = [
    {
      messageList: [
        sdkMessage(5, { from: "dana", cloudCustomData }),
        sdkMessage(6, { from: "zd_1", cloudCustomData }),
      ],
      nextReqMessageID: "",
      isCompleted: true,
    },
  ];
  const { messages } = await chat.history("ZENDESK#1");
  expect(messages.map((m) => m.clientId)).toEqual(["c1", undefined]);
  await chat.sendText("ZENDESK#1", "hi", "c1");
  expect(sdk.created).toHaveLength(1);
  expect(sdk.resent).toHaveLength(1);
});

test("a login that the operator ended is told from one that another window took", async () => {
  await chat.login(credentials());
  sdk.kickOut("REST_API_Kick");
  expect(chat.connection).toBe("ended");
  sdk.fire("netStateChange", { state: "connected" });
  expect(chat.connection).toBe("ended");
});

test("a list of rooms that says nothing new tells nobody", async () => {
  await chat.login(credentials());
  await chat.rooms();
  const heard: string[] = [];
  chat.on("room", (e) => heard.push(e.groupId));
  const group = { groupID: "ZENDESK#1", name: "n", muteAllMembers: false, memberCount: 2 };
  sdk.fire("onGroupListUpdated", [{ ...group, lastMessage: { lastTime: 7 } }]);
  expect(heard).toEqual([]);
  sdk.fire("onGroupListUpdated", [{ ...group, memberCount: 3 }]);
  expect(heard).toEqual(["ZENDESK#1"]);
});

test("an image is what the SDK takes for one: by the end of its name, and below 20 MB", async () => {
  await chat.login(credentials());
  const sent = async (name: string, type: string, size = 3) => {
    const file = new File([new Uint8Array(size)], name, { type });
    const m = await chat.sendFile("ZENDESK#1", file, `${name}-${size}`);
    return [m.kind, m.name];
  };
  expect(await sent("a.PNG", "image/png")).toEqual(["image", "a.PNG"]);
  expect(await sent("photo", "image/jpeg")).toEqual(["image", "photo.jpeg"]);
  expect(await sent("scan.tiff", "image/tiff")).toEqual(["file", "scan.tiff"]);
  expect(await sent("a.png", "image/png", 20 << 20)).toEqual(["file", "a.png"]);
});

test("who changed a message later is heard, and the history says it too", async () => {
  await chat.login(credentials());
  const heard: unknown[] = [];
  chat.on("message", (e) => heard.push([e.message.seq, e.message.edited]));
  sdk.fire("onMessageModified", [sdkMessage(4)]);
  expect(heard).toEqual([[4, true]]);
});

test("the request is the room's first message; names of cards are nobody's", async () => {
  await chat.login(credentials());
  const data = '{"caseroom":{"kind":"request","subject":"Lamp","text":"It is dark."}}';
  sdk.pages = [
    {
      messageList: [
        sdkMessage(1, { type: "TIMCustomElem", from: "administrator", payload: { data } }),
        sdkMessage(2, { nameCard: "Alex (Support)", nick: "" } as never),
      ],
      nextReqMessageID: "",
      isCompleted: true,
    },
  ];
  const { messages } = await chat.history("ZENDESK#1");
  expect(messages[0]).toMatchObject({ kind: "request", subject: "Lamp", text: "It is dark." });
  expect(messages[1]?.nick).toBe("");
});

test("every number of the SDK's own stands in its package", () => {
  const read = (file: string) =>
    readFileSync(
      resolve(import.meta.dirname, "../../node_modules/@tencentcloud/chat", file),
      "utf8",
    );
  const code = read("index.es.js");
  const table = /\{NO_SDKAPPID:[^{}]*\}/.exec(code)?.[0] ?? "";
  const made = new Set([...table.matchAll(/:([\de]+)/g)].map((m) => Number(m[1])));
  expect(made.size).toBeGreaterThan(80);
  expect(Object.keys(sdkCodes).filter((n) => !made.has(Number(n)))).toEqual([]);
  // What an image is, and the names of what is heard.
  expect(code).toContain('"jpg","jpeg","gif","png","bmp","image","webp"');
  expect(code).toContain("I:20971520");
  expect(code).toContain('"REST_API_Kick"');
  expect(code).toContain('"onMessageModified"');
});
