// What the sandbox holds, in one shape for both desks, and what it should be.
import { deskConfig, desks } from "./world.js";

/**
 * @typedef {import("./world.js").DeskName} DeskName
 * @typedef {{ userId: string }} Member
 * @typedef {{ seq: number, from: string, text: string }} Message
 * @typedef {{ groupId: string, owner?: string, applyJoinOption: string, muteAllMember: boolean,
 *   introduction?: string, members: Member[], messages: Message[] }} Room
 * @typedef {{ id: string, label: string, subject: string, status: string, owner: string, customer?: string, customerName?: string,
 *   deleted: boolean, ended: boolean, closed: boolean, scrubbed: boolean, merged: string, tags?: string[],
 *   externalId?: string | null, requester?: { name: string, email: string },
 *   notes: { text: string, public: boolean }[] }} Ticket
 * @typedef {{ text: string, ok: boolean, quiet?: boolean }} Standing
 */

/**
 * The tickets of a desk, newest first.
 *
 * @param {any} state what GET /state of the sandbox answers
 * @param {DeskName} desk
 * @returns {Ticket[]}
 */
export function tickets(state, desk) {
  if (!state) return [];
  return (desk === "zendesk" ? zendesk(state) : salesforce(state)).reverse();
}

/** @returns {Ticket[]} */
function zendesk(/** @type {any} */ { zendesk: z }) {
  return z.tickets.map((/** @type {any} */ t) => ({
    id: String(t.id),
    label: `#${t.id}`,
    subject: t.subject,
    status: t.status,
    owner: t.assignee_id ? String(t.assignee_id) : "",
    customer: /^caseroom:([^:]+):/.exec(t.external_id ?? "")?.[1],
    deleted: t.status === "deleted",
    ended: t.status === "solved" || t.status === "closed",
    closed: t.status === "closed",
    scrubbed: t.subject === "SCRUBBED",
    merged: t.merged_into ? `#${t.merged_into}` : "",
    tags: t.tags,
    externalId: t.external_id ?? null,
    requester: z.users.find((/** @type {any} */ u) => u.id === t.requester_id),
    customerName: z.users.find((/** @type {any} */ u) => u.id === t.requester_id)?.name,
    notes: t.comments.map((/** @type {any} */ c) => ({ text: c.body, public: c.public })),
  }));
}

/** @returns {Ticket[]} */
function salesforce(/** @type {any} */ { salesforce: s }) {
  return s.cases.map((/** @type {any} */ c) => ({
    id: c.id,
    label: c.caseNumber,
    subject: c.subject,
    status: c.isDeleted ? "deleted" : c.status,
    owner: c.ownerId,
    customer: c.key && c.user ? c.user : undefined,
    customerName: c.suppliedName,
    deleted: c.isDeleted,
    ended: c.isClosed,
    closed: false,
    scrubbed: false,
    merged: c.masterRecordId ?? "",
    notes: [...s.transcripts, ...s.comments]
      .filter((n) => Object.values(n).includes(c.id))
      .map((n) => ({ text: n.Body__c ?? n.CommentBody ?? n.Text__c ?? longest(n), public: false })),
  }));
}

/** @param {object} row */
const longest = (row) =>
  Object.values(row)
    .filter((v) => typeof v === "string")
    .sort((a, b) => b.length - a.length)[0] ?? "";

/**
 * @param {DeskName} desk
 * @param {string} id
 */
export const agentOf = (desk, id) => deskConfig(desk).agents.find((a) => a.id === id);

/**
 * The name of somebody in a ticket's room. The customer's is the desk's: chat
 * profiles hold agents' names only.
 *
 * @param {any} state
 * @param {Ticket} t
 * @param {string} id
 * @returns {string}
 */
export const nameOf = (state, t, id) =>
  (id === t.customer && t.customerName) ||
  state.tencent.accounts.find((/** @type {any} */ a) => a.userId === id)?.nick ||
  (id.startsWith("guest_") ? "a guest" : id);

/**
 * @param {any} state
 * @param {DeskName} desk
 * @param {Ticket} t
 * @returns {Room | undefined}
 */
export const roomOf = (state, desk, t) =>
  state.tencent.groups.find((/** @type {Room} */ g) => g.groupId === desks[desk].room(t.id));

/**
 * What the room must be, by the desk: the table that Sync works by.
 *
 * @param {DeskName} desk
 * @param {Ticket} t
 */
function wanted(desk, t) {
  if (!t.customer) return undefined;
  const members = [t.customer];
  const locked = t.ended || t.deleted;
  const human = desk === "zendesk" || /^005/.test(t.owner) ? t.owner : "";
  if (!locked && human && human !== deskConfig(desk).own) {
    members.push(desks[desk].agentPrefix + human);
  }
  return { members, locked };
}

/**
 * @param {any} state
 * @param {DeskName} desk
 * @param {Ticket} t
 * @returns {Standing}
 */
export function standing(state, desk, t) {
  const w = wanted(desk, t);
  const room = roomOf(state, desk, t);
  if (!w) return { text: "no chat", ok: true, quiet: true };
  if (!room) return { text: "no room", ok: t.deleted || t.ended };
  if (room.owner || room.applyJoinOption !== "DisableApply") {
    return { text: "a squatter's room", ok: false };
  }
  if (room.muteAllMember !== w.locked) {
    return { text: w.locked ? "to be locked" : "to be unlocked", ok: false };
  }
  const is = room.members.map((m) => m.userId).sort();
  if (is.join() !== w.members.sort().join()) return { text: "wrong members", ok: false };
  return { text: w.locked ? "locked" : "in step", ok: true };
}
