import { LightningElement, wire } from "lwc";
import { CurrentPageReference, NavigationMixin } from "lightning/navigation";
import { getFieldValue, getRecord, notifyRecordUpdateAvailable } from "lightning/uiRecordApi";
import { EnclosingUtilityId, open, updateUtility } from "lightning/platformUtilityBarApi";
import USER_ID from "@salesforce/user/Id";
import NUMBER_FIELD from "@salesforce/schema/Case.CaseNumber";
import CLOSED_FIELD from "@salesforce/schema/Case.IsClosed";
import OWNER_FIELD from "@salesforce/schema/Case.OwnerId";
import OWNER_NAME_FIELD from "@salesforce/schema/Case.Owner.Name";
import NAME_FIELD from "@salesforce/schema/Case.SuppliedName";
import EMAIL_FIELD from "@salesforce/schema/Case.SuppliedEmail";
import CHAT_USER_FIELD from "@salesforce/schema/Case.Caseroom_User__c";
import panelUrl from "@salesforce/apex/CaseroomPanel.panelUrl";
import credentials from "@salesforce/apex/CaseroomPanel.credentials";
import assigned from "@salesforce/apex/CaseroomPanel.assigned";
import titles from "@salesforce/apex/CaseroomPanel.titles";
import replies from "@salesforce/apex/CaseroomReplies.forCase";

const CASE_ID = /^500[A-Za-z0-9]{15}$/;
const USER_PREFIX = "005";
const LABEL = "Customer chat";
// The page asks when its credential ends or is refused. One that asks without end
// would cost a call of the org each time.
const RENEW_EVERY_MS = 30000;
const RETRY_EVERY_MS = 5000;
// An assignment shows nothing in the console, so the panel looks for itself.
const LOOK_EVERY_MS = 30000;
const MAX_BADGE = 99;

/**
 * Hosts the chat page for agents in the utility bar: gives it the running user's
 * credential and the case on screen, shows what it says is unread, and opens when
 * a customer is assigned. The messages are described in clients/salesforce/README.md.
 */
export default class CaseroomPanel extends NavigationMixin(LightningElement) {
  url;
  problem;
  settled = false;

  utilityId;
  origin;
  pageReady = false;
  caseId = null;
  room = null;
  // What the page is told of the room's case.
  ticket = {};
  credential;
  askedAt = null;
  asking = false;
  failed = false;
  known;
  looking;
  unread = 0;
  onMessage = (event) => this.receive(event);

  @wire(EnclosingUtilityId)
  wiredUtility(id) {
    this.utilityId = typeof id === "string" ? id : undefined;
    this.showUnread();
  }

  @wire(panelUrl)
  wiredUrl({ data, error }) {
    if (data === undefined && error === undefined) {
      return;
    }
    this.settled = true;
    this.problem = undefined;
    if (error) {
      this.problem = "Chat could not be loaded: " + reason(error);
    } else if (data) {
      this.setUrl(data);
    }
  }

  @wire(CurrentPageReference)
  wiredPage(page) {
    const id = page?.attributes?.recordId;
    this.caseId = CASE_ID.test(id ?? "") ? id : null;
    // Until the new case is read, and when it cannot be, no room is shown: an
    // answer typed into the last one would reach the wrong customer.
    if (this.room !== this.caseId) {
      this.setRoom(null);
    }
  }

  // Somebody who may not read the chat field gets no room, and no error.
  @wire(getRecord, {
    recordId: "$caseId",
    optionalFields: [
      NUMBER_FIELD,
      CLOSED_FIELD,
      OWNER_FIELD,
      OWNER_NAME_FIELD,
      NAME_FIELD,
      EMAIL_FIELD,
      CHAT_USER_FIELD,
    ],
  })
  wiredCase({ data, error }) {
    if (error?.status === 404 && this.room && this.room === this.caseId) {
      this.setRoom(this.room, { ...this.ticket, standing: { state: "deleted" } });
    } else if (error) {
      this.setRoom(null);
    }
    if (!data || data.id !== this.caseId) {
      return;
    }
    if (!getFieldValue(data, CHAT_USER_FIELD)) {
      this.setRoom(null);
      return;
    }
    const owner = getFieldValue(data, OWNER_FIELD) ?? "";
    this.setRoom(data.id, {
      ticketId: getFieldValue(data, NUMBER_FIELD) ?? data.id,
      // What a web form said: nobody checked it.
      customer: {
        name: getFieldValue(data, NAME_FIELD) ?? "",
        email: getFieldValue(data, EMAIL_FIELD) ?? "",
        unverified: true,
      },
      standing: {
        state: getFieldValue(data, CLOSED_FIELD) ? "ended" : "open",
        // A queue is nobody.
        assignee: owner.startsWith(USER_PREFIX)
          ? { name: getFieldValue(data, OWNER_NAME_FIELD) ?? "", mine: owner === USER_ID }
          : null,
      },
    });
    if (owner === USER_ID) {
      this.assign([data.id]);
    }
  }

  connectedCallback() {
    window.addEventListener("message", this.onMessage);
    this.look();
    // eslint-disable-next-line @lwc/lwc/no-async-operation
    this.looking = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  disconnectedCallback() {
    window.removeEventListener("message", this.onMessage);
    clearInterval(this.looking);
  }

  async look() {
    try {
      const ids = await assigned();
      if (this.known) {
        this.assign(ids);
      }
      this.known = new Set(ids);
    } catch {
      // The next look is soon.
    }
  }

  /** Opens the panel for cases that were not the agent's when it last looked. */
  assign(ids) {
    if (this.known && ids.some((id) => !this.known.has(id))) {
      ids.forEach((id) => this.known.add(id));
      this.show();
    }
  }

  setUrl(text) {
    try {
      const url = new URL(text);
      if (url.protocol !== "https:" || url.username || url.password) {
        throw new TypeError("not https");
      }
      this.origin = url.origin;
      this.url = url.href;
    } catch {
      this.problem = "The address of the chat page is not an https URL.";
    }
  }

  setRoom(room, ticket = {}) {
    const changed = room !== this.room || JSON.stringify(ticket) !== JSON.stringify(this.ticket);
    this.room = room;
    this.ticket = ticket;
    if (changed && this.credential) {
      this.postCredentials();
    }
  }

  /** Everything that is not from our frame and its one origin is somebody else's. */
  receive(event) {
    const frame = this.refs?.frame?.contentWindow;
    if (!frame || event.source !== frame || event.origin !== this.origin) {
      return;
    }
    const message = event.data;
    if (typeof message !== "object" || message === null) {
      return;
    }
    switch (message.type) {
      case "caseroom:ready":
        // The page has loaded, perhaps again: what it was given is gone.
        this.pageReady = true;
        this.sendCredentials();
        break;
      case "caseroom:renew":
        this.sendCredentials();
        break;
      case "caseroom:unread":
        if (Number.isInteger(message.count) && message.count >= 0) {
          this.unread = message.count;
          this.showUnread();
        }
        break;
      case "caseroom:assigned":
        this.show();
        break;
      case "caseroom:look":
        if (this.room) {
          notifyRecordUpdateAvailable([{ recordId: this.room }]);
        }
        break;
      case "caseroom:titles":
        this.sendTitles(message.groupIds);
        break;
      case "caseroom:replies":
        this.sendReplies(message.groupId);
        break;
      case "caseroom:open":
        if (CASE_ID.test(message.groupId)) {
          this[NavigationMixin.Navigate]({
            type: "standard__recordPage",
            attributes: { recordId: message.groupId, objectApiName: "Case", actionName: "view" },
          });
        }
        break;
      default:
    }
  }

  async sendCredentials() {
    if (!this.pageReady || this.asking) {
      return;
    }
    const pause = this.failed ? RETRY_EVERY_MS : RENEW_EVERY_MS;
    if (this.askedAt !== null && Date.now() - this.askedAt < pause) {
      this.postCredentials();
      return;
    }
    this.asking = true;
    try {
      const { userId, userSig, sdkAppId, expiresAt } = await credentials();
      this.credential = { userId, userSig, sdkAppId, expiresAt };
      this.failed = false;
      this.problem = undefined;
    } catch (error) {
      this.credential = undefined;
      this.failed = true;
      this.problem = "Chat could not sign you in: " + reason(error);
    }
    this.asking = false;
    this.askedAt = Date.now();
    this.postCredentials();
  }

  postCredentials() {
    if (!this.credential) {
      this.post({ type: "caseroom:error", code: "credentials", retryAfterMs: RETRY_EVERY_MS });
      return;
    }
    this.post({
      type: "caseroom:credentials",
      desk: "salesforce",
      ...this.credential,
      groupId: this.room,
      ...(this.room && this.ticket),
    });
  }

  async sendTitles(groupIds) {
    const ids = Array.isArray(groupIds) ? groupIds.filter((id) => CASE_ID.test(id)) : [];
    let known = [];
    try {
      known = ids.length ? await titles({ ids }) : [];
    } catch {
      // The list of chats does without.
    }
    this.post({
      type: "caseroom:titles",
      titles: known.map(({ groupId, title }) => ({ groupId, title })),
    });
  }

  async sendReplies(groupId) {
    // Only of the case on screen: the texts are filled in with its fields.
    if (!this.room || groupId !== this.room) {
      return;
    }
    const message = { type: "caseroom:replies", groupId };
    try {
      const texts = await replies({ caseId: groupId });
      this.post({ ...message, replies: texts.map(({ title, text }) => ({ title, text })) });
    } catch {
      this.post(message); // The page says that there are none to be read.
    }
  }

  post(message) {
    // Never "*": a page that was navigated away must not read a credential.
    this.refs?.frame?.contentWindow?.postMessage(message, this.origin);
  }

  async show() {
    if (this.utilityId) {
      await this.quietly(() => open(this.utilityId, { autoFocus: true }));
    }
  }

  async showUnread() {
    if (!this.utilityId) {
      return;
    }
    const count = this.unread > MAX_BADGE ? `${MAX_BADGE}+` : this.unread;
    await this.quietly(() =>
      updateUtility(this.utilityId, {
        label: this.unread ? `${LABEL} (${count})` : LABEL,
        highlighted: this.unread > 0,
      }),
    );
  }

  // The bar may be closing, or Lightning Web Security off: the chat goes on.
  async quietly(work) {
    try {
      await work();
    } catch (error) {
      this.problem = "The utility bar does not answer: " + reason(error);
    }
  }
}

function reason(error) {
  return error?.body?.message ?? error?.message ?? "unknown";
}
