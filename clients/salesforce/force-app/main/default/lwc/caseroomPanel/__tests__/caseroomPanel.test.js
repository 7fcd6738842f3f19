import { createElement } from "@lwc/engine-dom";
import { CurrentPageReference, navigate } from "lightning/navigation";
import { getRecord, notifyRecordUpdateAvailable } from "lightning/uiRecordApi";
import { EnclosingUtilityId, open, updateUtility } from "lightning/platformUtilityBarApi";
import CaseroomPanel from "c/caseroomPanel";
import panelUrl from "@salesforce/apex/CaseroomPanel.panelUrl";
import credentials from "@salesforce/apex/CaseroomPanel.credentials";
import assigned from "@salesforce/apex/CaseroomPanel.assigned";
import titles from "@salesforce/apex/CaseroomPanel.titles";
import replies from "@salesforce/apex/CaseroomReplies.forCase";

jest.mock(
  "@salesforce/apex/CaseroomPanel.panelUrl",
  () => {
    const { createApexTestWireAdapter } = require("@salesforce/sfdx-lwc-jest");
    return { default: createApexTestWireAdapter(jest.fn()) };
  },
  { virtual: true },
);
jest.mock("@salesforce/apex/CaseroomPanel.credentials", () => ({ default: jest.fn() }), { virtual: true });
jest.mock("@salesforce/apex/CaseroomPanel.assigned", () => ({ default: jest.fn() }), { virtual: true });
jest.mock("@salesforce/apex/CaseroomReplies.forCase", () => ({ default: jest.fn() }), { virtual: true });
jest.mock("@salesforce/apex/CaseroomPanel.titles", () => ({ default: jest.fn() }), { virtual: true });
jest.mock("@salesforce/user/Id", () => ({ default: "005Hs0000000Ab1IAE" }), { virtual: true });

const ME = "005Hs0000000Ab1IAE";
const OTHER = "005Hs0000000Ab2IAE";
const CASE = "500Hs0000004C93IAE";
const ORIGIN = "https://panel.example.com";
const CREDENTIAL = {
  userId: "sf_" + ME,
  userSig: "eJyrVgrx",
  sdkAppId: 1400000000,
  expiresAt: "2026-11-23T08:00:00Z",
};

async function settle() {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
}

let element;
let sent;
let frame;

async function panel(url = ORIGIN + "/panel.html") {
  element = createElement("c-caseroom-panel", { is: CaseroomPanel });
  document.body.appendChild(element);
  EnclosingUtilityId.emit("utility-1");
  panelUrl.emit(url);
  await settle();
  const iframe = element.shadowRoot.querySelector("iframe");
  sent = [];
  frame = undefined;
  if (iframe) {
    frame = iframe.contentWindow;
    frame.postMessage = (message, target) => sent.push({ message, target });
  }
}

async function say(data, { origin = ORIGIN, source = frame } = {}) {
  window.dispatchEvent(new MessageEvent("message", { data, origin, source }));
  await settle();
}

async function look(id, fields) {
  CurrentPageReference.emit({ type: "standard__recordPage", attributes: { recordId: id } });
  await settle();
  await record(id, fields);
}

async function record(id, { owner, user, closed = false }) {
  const value = (of) => ({ value: of, displayValue: null });
  const name = { [ME]: "Alex Agent", [OTHER]: "Billie Agent" }[owner] ?? "Support queue";
  getRecord.emit({
    id,
    apiName: "Case",
    fields: {
      CaseNumber: value("00001026"),
      IsClosed: value(closed),
      OwnerId: value(owner),
      Owner: { value: { fields: { Name: value(name) } }, displayValue: name },
      SuppliedName: value("Dana"),
      SuppliedEmail: value(null),
      Caseroom_User__c: value(user),
    },
  });
  await settle();
}

beforeEach(() => {
  jest.useFakeTimers();
  assigned.mockReset().mockResolvedValue([]);
  titles.mockReset().mockResolvedValue([]);
  replies.mockReset().mockResolvedValue([]);
  notifyRecordUpdateAvailable.mockReset().mockResolvedValue(undefined);
  credentials.mockReset().mockResolvedValue(CREDENTIAL);
  open.mockReset().mockResolvedValue(true);
  navigate.mockReset();
  updateUtility.mockReset().mockResolvedValue(true);
});

afterEach(() => {
  jest.useRealTimers();
  while (document.body.firstChild) {
    document.body.removeChild(document.body.firstChild);
  }
});

describe("credentials", () => {
  it("go to the page once it is ready, and to its origin only", async () => {
    await panel();
    expect(sent).toEqual([]);
    await say({ type: "caseroom:ready" });
    expect(credentials).toHaveBeenCalledWith();
    expect(sent).toEqual([
      { target: ORIGIN, message: { type: "caseroom:credentials", desk: "salesforce", ...CREDENTIAL, groupId: null } },
    ]);
  });

  it.each([
    ["another origin", { origin: "https://panel.example.com.evil.example" }],
    ["the same host over http", { origin: "http://panel.example.com" }],
    ["another port", { origin: "https://panel.example.com:8443" }],
    ["another window of the right origin", { source: window }],
    ["no window", { source: null }],
  ])("are not given to %s", async (_, from) => {
    await panel();
    await say({ type: "caseroom:ready" }, from);
    expect(credentials).not.toHaveBeenCalled();
    expect(sent).toEqual([]);
  });

  it("are not given before the page is ready", async () => {
    await panel();
    await say({ type: "caseroom:renew" });
    expect(credentials).not.toHaveBeenCalled();
  });

  it("carry nothing else that Apex might answer", async () => {
    credentials.mockResolvedValue({ ...CREDENTIAL, secret: "x" });
    await panel();
    await say({ type: "caseroom:ready" });
    expect(sent[0].message).not.toHaveProperty("secret");
  });

  it("are renewed, but not without end", async () => {
    await panel();
    await say({ type: "caseroom:ready" });
    await say({ type: "caseroom:renew" });
    expect(credentials).toHaveBeenCalledTimes(1);
    expect(sent).toHaveLength(2);
    jest.advanceTimersByTime(30000);
    await say({ type: "caseroom:renew" });
    expect(credentials).toHaveBeenCalledTimes(2);
    // A page that was loaded again has nothing.
    await say({ type: "caseroom:ready" });
    expect(credentials).toHaveBeenCalledTimes(2);
    expect(sent).toHaveLength(4);
  });

  it("are asked for once at a time", async () => {
    let answer;
    credentials.mockReturnValue(new Promise((resolve) => (answer = resolve)));
    await panel();
    await say({ type: "caseroom:ready" });
    await say({ type: "caseroom:renew" });
    answer(CREDENTIAL);
    await settle();
    expect(credentials).toHaveBeenCalledTimes(1);
    expect(sent).toHaveLength(1);
  });

  it("that are refused are told to agent and page, and asked for again soon", async () => {
    credentials.mockRejectedValueOnce({ body: { message: "503 unavailable: Send it again." } });
    await panel();
    await say({ type: "caseroom:ready" });
    const refusal = { target: ORIGIN, message: { type: "caseroom:error", code: "credentials", retryAfterMs: 5000 } };
    expect(sent).toEqual([refusal]);
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain("503 unavailable");
    await say({ type: "caseroom:renew" });
    expect(sent).toEqual([refusal, refusal]);
    jest.advanceTimersByTime(5000);
    await say({ type: "caseroom:renew" });
    expect(sent[2].message.userSig).toBe(CREDENTIAL.userSig);
    expect(element.shadowRoot.querySelector('[role="alert"]')).toBeNull();
  });
});

describe("the room", () => {
  it("is the case on screen, when it is ours", async () => {
    await panel();
    await look(CASE, { owner: ME, user: "u_1" });
    await say({ type: "caseroom:ready" });
    expect(sent[0].message.groupId).toBe(CASE);
    expect(sent[0].message.customer).toEqual({ name: "Dana", email: "", unverified: true });
    await look("500Hs0000004C94IAE", { owner: ME, user: null });
    expect(sent[1]).toEqual({
      target: ORIGIN,
      message: { type: "caseroom:credentials", desk: "salesforce", ...CREDENTIAL, groupId: null },
    });
  });

  it("is none on other pages", async () => {
    await panel();
    await say({ type: "caseroom:ready" });
    await look(CASE, { owner: ME, user: "u_1" });
    CurrentPageReference.emit({ type: "standard__recordPage", attributes: { recordId: "001Hs0000004C93IAE" } });
    await settle();
    expect(sent.slice(1).map((s) => s.message.groupId)).toEqual([CASE, null]);
  });

  it("is none while the next case is read, and when it may not be", async () => {
    await panel();
    await look(CASE, { owner: ME, user: "u_1" });
    await say({ type: "caseroom:ready" });
    CurrentPageReference.emit({ type: "standard__recordPage", attributes: { recordId: "500Hs0000004C94IAE" } });
    await settle();
    expect(sent.map((s) => s.message.groupId)).toEqual([CASE, null]);
    await look(CASE, { owner: ME, user: "u_1" });
    getRecord.error({ message: "no access" }, 403);
    await settle();
    expect(sent.map((s) => s.message.groupId)).toEqual([CASE, null, CASE, null]);
  });

  it("stays when the page of the same case says so again", async () => {
    await panel();
    await say({ type: "caseroom:ready" });
    await look(CASE, { owner: ME, user: "u_1" });
    await look(CASE, { owner: ME, user: "u_1" });
    expect(sent.map((s) => s.message.groupId)).toEqual([null, CASE]);
  });

  it("ignores a record that comes late", async () => {
    await panel();
    await say({ type: "caseroom:ready" });
    await look(CASE, { owner: ME, user: "u_1" });
    await record("500Hs0000004C94IAE", { owner: ME, user: "u_2" });
    expect(sent).toHaveLength(2);
  });
});

describe("the case of the room", () => {
  const standing = () => sent.at(-1).message.standing;

  it("is told by its number, with its owner and whether it is closed", async () => {
    await panel();
    await say({ type: "caseroom:ready" });
    await look(CASE, { owner: ME, user: "u_1" });
    expect(sent.at(-1).message.ticketId).toBe("00001026");
    expect(standing()).toEqual({ state: "open", assignee: { name: "Alex Agent", mine: true } });
    await record(CASE, { owner: OTHER, user: "u_1" });
    expect(standing()).toEqual({ state: "open", assignee: { name: "Billie Agent", mine: false } });
    await record(CASE, { owner: "00GHs0000004C93MAE", user: "u_1" });
    expect(standing()).toEqual({ state: "open", assignee: null });
    await record(CASE, { owner: ME, user: "u_1", closed: true });
    expect(standing()).toEqual({ state: "ended", assignee: { name: "Alex Agent", mine: true } });
  });

  it("is read again when the page asks where it stands", async () => {
    await panel();
    await say({ type: "caseroom:ready" });
    await say({ type: "caseroom:look" });
    expect(notifyRecordUpdateAvailable).not.toHaveBeenCalled();
    await look(CASE, { owner: ME, user: "u_1" });
    await say({ type: "caseroom:look" });
    expect(notifyRecordUpdateAvailable).toHaveBeenCalledWith([{ recordId: CASE }]);
    getRecord.error({ message: "gone" }, 404);
    await settle();
    expect(sent.at(-1).message.groupId).toBe(CASE);
    expect(standing()).toEqual({ state: "deleted" });
  });

  it("fills in the quick texts, for itself alone", async () => {
    replies.mockResolvedValue([{ title: "Greeting", text: "Hello Dana", secret: "x" }]);
    await panel();
    await say({ type: "caseroom:ready" });
    await say({ type: "caseroom:replies", groupId: CASE });
    expect(replies).not.toHaveBeenCalled();
    await look(CASE, { owner: ME, user: "u_1" });
    await say({ type: "caseroom:replies", groupId: "500Hs0000004C94IAE" });
    expect(replies).not.toHaveBeenCalled();
    await say({ type: "caseroom:replies", groupId: CASE });
    expect(replies).toHaveBeenCalledWith({ caseId: CASE });
    const message = { type: "caseroom:replies", groupId: CASE };
    expect(sent.at(-1)).toEqual({
      target: ORIGIN,
      message: { ...message, replies: [{ title: "Greeting", text: "Hello Dana" }] },
    });
    replies.mockRejectedValue(new Error("offline"));
    await say({ type: "caseroom:replies", groupId: CASE });
    expect(sent.at(-1)).toEqual({ target: ORIGIN, message });
  });
});

describe("the list of chats", () => {
  it("is told what its cases are called, and of nothing else", async () => {
    titles.mockResolvedValue([{ groupId: CASE, title: "00001026 Lamp", secret: "x" }]);
    await panel();
    await say({ type: "caseroom:titles", groupIds: [CASE, "ZENDESK#5", 7] });
    expect(titles).toHaveBeenCalledWith({ ids: [CASE] });
    const message = { type: "caseroom:titles", titles: [{ groupId: CASE, title: "00001026 Lamp" }] };
    expect(sent.at(-1)).toEqual({ target: ORIGIN, message });
    titles.mockRejectedValue(new Error("offline"));
    await say({ type: "caseroom:titles", groupIds: [CASE] });
    expect(sent.at(-1).message.titles).toEqual([]);
    titles.mockClear();
    await say({ type: "caseroom:titles" });
    expect(titles).not.toHaveBeenCalled();
  });
});

describe("the utility bar", () => {
  it("shows how much is unread", async () => {
    await panel();
    expect(updateUtility).toHaveBeenLastCalledWith("utility-1", {
      label: "Customer chat",
      highlighted: false,
    });
    await say({ type: "caseroom:unread", count: 3 });
    expect(updateUtility).toHaveBeenLastCalledWith(
      "utility-1",
      expect.objectContaining({ label: "Customer chat (3)", highlighted: true }),
    );
    await say({ type: "caseroom:unread", count: 1000 });
    expect(updateUtility).toHaveBeenLastCalledWith(
      "utility-1",
      expect.objectContaining({ label: "Customer chat (99+)" }),
    );
    await say({ type: "caseroom:unread", count: 0 });
    expect(updateUtility).toHaveBeenLastCalledWith("utility-1", expect.objectContaining({ highlighted: false }));
  });

  it.each([
    ["less than nothing", -1],
    ["a fraction", 1.5],
    ["a text", "3"],
    ["nothing", undefined],
  ])("does not count %s", async (_, count) => {
    await panel();
    updateUtility.mockClear();
    await say({ type: "caseroom:unread", count });
    expect(updateUtility).not.toHaveBeenCalled();
  });

  it("opens when the page says that a customer was assigned", async () => {
    await panel();
    await say({ type: "caseroom:assigned", groupId: CASE });
    expect(open).toHaveBeenCalledWith("utility-1", { autoFocus: true });
  });

  it("opens when a case became mine, not for those that were", async () => {
    assigned.mockResolvedValue([CASE]);
    await panel();
    expect(open).not.toHaveBeenCalled();
    jest.advanceTimersByTime(30000);
    await settle();
    expect(open).not.toHaveBeenCalled();
    assigned.mockResolvedValue(["500Hs0000004C94IAE", CASE]);
    jest.advanceTimersByTime(30000);
    await settle();
    expect(open).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(30000);
    await settle();
    expect(open).toHaveBeenCalledTimes(1);
  });

  it("opens at once when the case on screen becomes mine", async () => {
    await panel();
    await look(CASE, { owner: OTHER, user: "u_1" });
    expect(open).not.toHaveBeenCalled();
    await record(CASE, { owner: ME, user: "u_1" });
    expect(open).toHaveBeenCalledTimes(1);
    await record(CASE, { owner: ME, user: "u_1" });
    expect(open).toHaveBeenCalledTimes(1);
  });

  it("waits for the next look when one fails", async () => {
    assigned.mockRejectedValueOnce(new Error("offline"));
    await panel();
    assigned.mockResolvedValue([CASE]);
    jest.advanceTimersByTime(30000);
    await settle();
    expect(open).not.toHaveBeenCalled();
    expect(element.shadowRoot.querySelector('[role="alert"]')).toBeNull();
  });

  it("that does not answer does not stop the chat", async () => {
    updateUtility.mockRejectedValue(new Error("LWS is off"));
    await panel();
    await say({ type: "caseroom:ready" });
    expect(sent).toHaveLength(1);
  });

  it("is left alone where there is none", async () => {
    element = createElement("c-caseroom-panel", { is: CaseroomPanel });
    document.body.appendChild(element);
    await settle();
    expect(updateUtility).not.toHaveBeenCalled();
  });
});

describe("the page", () => {
  it("may send the agent to a case, and nowhere else", async () => {
    await panel();
    await say({ type: "caseroom:open", groupId: CASE });
    await say({ type: "caseroom:open", groupId: "001Hs0000004C93IAE" });
    await say({ type: "caseroom:open", groupId: CASE + "/../../setup" });
    await say({ type: "caseroom:open" });
    expect(navigate.mock.calls).toEqual([
      [{ type: "standard__recordPage", attributes: { recordId: CASE, objectApiName: "Case", actionName: "view" } }],
    ]);
  });

  it.each([[null], ["caseroom:ready"], [7], [{ type: "other" }]])("may say %j without effect", async (data) => {
    await panel();
    await say(data);
    expect(credentials).not.toHaveBeenCalled();
  });

  it("must be https", async () => {
    await panel("http://panel.example.com/");
    expect(element.shadowRoot.querySelector("iframe")).toBeNull();
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain("https");
  });

  it("is missing when chat is off", async () => {
    await panel("");
    expect(element.shadowRoot.querySelector("iframe")).toBeNull();
    expect(element.shadowRoot.textContent).toContain("switched off");
  });

  it("may fail to be found", async () => {
    await panel("");
    panelUrl.error({ message: "No access" });
    await settle();
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain("could not be loaded");
  });

  it("is not heard after the panel is gone", async () => {
    await panel();
    document.body.removeChild(element);
    await say({ type: "caseroom:ready" });
    jest.advanceTimersByTime(60000);
    await settle();
    expect(credentials).not.toHaveBeenCalled();
    expect(assigned).toHaveBeenCalledTimes(1);
  });
});
