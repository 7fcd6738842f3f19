// What goes wrong, what mends it, and what the stack calls meanwhile.
import { button } from "./desk.js";
import { byId, h, part } from "./element.js";
import { roomOf } from "./tickets.js";
import { box, call, click, config, deskConfig, desks, does } from "./world.js";

/**
 * @typedef {import("./tickets.js").Ticket} Ticket
 * @typedef {import("./world.js").DeskName} DeskName
 * @typedef {{ vendor: string, kind: string, op?: string, status?: number, times?: number, delay?: number }} Fault
 * @typedef {{ seq: number, time: string, vendor: string, op: string, status: number, fault?: string,
 *   detail?: Record<string, string> }} Call
 */

/** @type {{ label: string, fault: Fault }[]} */
const breaks = [
  { label: "Zendesk answers 503", fault: { vendor: "zendesk", kind: "status", status: 503 } },
  { label: "Zendesk says 403 to all", fault: { vendor: "zendesk", kind: "status", status: 403 } },
  { label: "Salesforce answers 503", fault: { vendor: "salesforce", kind: "status", status: 503 } },
  { label: "Tencent's servers answer 503", fault: { vendor: "tencent", kind: "status", status: 503 } },
  { label: "Tencent does it, the answer is lost", fault: { vendor: "tencent", kind: "reset-after" } },
  { label: "The chat's network is down", fault: { vendor: "chat", kind: "reset-before" } },
];

/**
 * @param {Fault} a
 * @param {Fault} b
 */
const same = (a, b) =>
  a.vendor === b.vendor &&
  a.kind === b.kind &&
  (a.status ?? 0) === (b.status ?? 0) &&
  (a.op ?? "") === (b.op ?? "") &&
  !a.times;

/**
 * @param {Fault[]} faults
 * @param {Fault} fault
 */
async function toggle(faults, fault) {
  if (!faults.some((f) => same(f, fault))) {
    await call("POST", box("/faults"), fault);
    return;
  }
  const left = faults.filter((f) => !same(f, fault));
  await call("DELETE", box("/faults"));
  for (const f of left) await call("POST", box("/faults"), f);
}

/** @type {Record<string, string>} */
const kinds = { lose: "is lost", duplicate: "comes twice", delay: "is 10 s late", reorder: "is overtaken" };

/**
 * @param {any} state
 * @param {DeskName} desk
 * @param {Ticket | undefined} t
 * @param {Fault[]} faults
 * @param {{ customer: string, agent: string }} who IM ids, empty if unknown
 */
export function drawTrouble(state, desk, t, faults, who) {
  /**
   * @param {string} kind
   * @param {number} [seconds]
   */
  const next = (kind, seconds) =>
    button(kinds[kind] ?? kind, () =>
      call("POST", box("/faults"), { vendor: desk, times: 1, kind, ...(seconds ? { delay: seconds * 1e9 } : {}) }),
    );
  part("events", desk, () => [next("lose"), next("duplicate"), next("delay", 10), next("reorder", 15)]);

  const known = breaks.filter(
    (b) => (b.fault.vendor !== "zendesk" && b.fault.vendor !== "salesforce") || config[b.fault.vendor],
  );
  const down = known.map((b) => faults.some((f) => same(f, b.fault)));
  part("breaks", [down, faults], () =>
    known.map((b, i) =>
      h(
        "button",
        {
          type: "button",
          "data-key": b.label,
          "aria-pressed": String(down[i]),
          onclick: does(() => toggle(faults, b.fault)),
        },
        b.label,
      ),
    ),
  );
  const waiting = faults
    .filter((f) => f.times)
    .map(
      (f) =>
        `${desks[/** @type {DeskName} */ (f.vendor)]?.title ?? f.vendor}: the next one ${kinds[f.kind] ?? f.kind}${(f.times ?? 1) > 1 ? ` (${f.times} times)` : ""}`,
    );
  const broken = known.filter((_, i) => down[i]).map((b) => b.label);
  const armed = [...broken, ...waiting].join(" · ");
  if (byId("armed").textContent !== armed) byId("armed").textContent = armed;

  const room = t && roomOf(state, desk, t);
  const group = t ? desks[desk].room(t.id) : "";
  const agentIn = deskConfig(desk)
    .agents.map((a) => desks[desk].agentPrefix + a.id)
    .find((id) => room?.members.some((m) => m.userId === id));
  /**
   * @param {string} path
   * @param {object} [more]
   */
  const inRoom =
    (path, more = {}) =>
    () =>
      click(`tencent/${path}`, { groupId: group, ...more });
  part("meddle", [group, room !== undefined, room?.muteAllMember, agentIn, t?.customer], () => [
    button("Let a stranger in", inRoom("add", { userId: "stranger" }), room !== undefined),
    button("Throw the agent out", inRoom("remove", { userId: agentIn }), agentIn !== undefined),
    button(
      "The customer leaves",
      inRoom("quit", { userId: t?.customer }),
      room !== undefined && t?.customer !== undefined,
    ),
    button("Lock it", inRoom("mute", { muted: true }), room !== undefined && !room.muteAllMember),
    button("Unlock it", inRoom("mute", { muted: false }), room?.muteAllMember ?? false),
    button("Destroy it", inRoom("destroy"), room !== undefined, "danger"),
    button(
      "Squat on its id",
      async () => {
        if (room) await click("tencent/destroy", { groupId: group });
        await click("tencent/squat", { groupId: group, userId: "squatter" });
      },
      t?.customer !== undefined,
      "danger",
    ),
  ]);
  part("expire", who, () => [
    button(
      "Expire the customer's UserSig",
      () => click("tencent/expire", { userId: who.customer }),
      who.customer !== "",
    ),
    button("Expire the agent's UserSig", () => click("tencent/expire", { userId: who.agent }), who.agent !== ""),
  ]);
  part("repair", [desk, t?.id, faults.length, config.schedules], () => [
    button("Mend everything", () => call("DELETE", box("/faults")), true, faults.length > 0 ? "primary" : ""),
    button("Tell the stack of this ticket again", () => t && tell(desk, t.id), t !== undefined),
    button("Deliver late notifications now", () => call("POST", box("/flush"))),
    ...config.schedules.map((s) => button(`Run ${spoken(s)} now`, () => call("POST", `/demo/schedules/${s}`))),
  ]);
}

/** ReconcileZendeskSchedule is "reconcile zendesk".
 * @param {string} schedule
 */
const spoken = (schedule) =>
  schedule
    .replace(/Schedule$/, "")
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toLowerCase();

/**
 * @param {DeskName} desk
 * @param {string} id
 */
function tell(desk, id) {
  const body = desk === "zendesk" ? { ticketId: id } : { cases: [id] };
  return call("POST", `/${desk}/events`, body, { Authorization: `Bearer ${deskConfig(desk).events}` });
}

/** What an operation does, in words. @type {Record<string, string>} */
const words = {
  webhook: "The desk says that a ticket changed",
  callout: "The desk says that a case changed",
  tickets_create: "A ticket is made",
  tickets_show_many: "Tickets are read",
  tickets_show: "A ticket is read",
  tickets_list: "The key is looked up",
  tickets_comments: "Its comments are read",
  tickets_update: "A note is filed",
  incremental_tickets_cursor: "What changed is listed",
  search_export: "Open tickets are listed",
  oauth_tokens: "A token is fetched",
  oauth_token: "A token is fetched",
  sobject_create: "A case is made",
  sobject_get_by_key: "A case is looked up by its key",
  sobject_upsert: "A transcript is filed",
  query: "Records are read",
  query_all: "Cases are read, or what changed",
  account_import: "A person gets a chat account",
  create_group: "A room is made",
  get_group_info: "Rooms are read",
  get_appid_group_list: "All rooms are listed",
  modify_group_base_info: "A room's state is written",
  add_group_member: "Somebody comes into the room",
  delete_group_member: "Somebody leaves the room",
  send_group_msg: "caseroom says something",
  group_msg_get_simple: "Messages are read",
  destroy_group: "A room is destroyed",
};

/** Ids of transport that tell a reader nothing. */
const noise = new Set(["invocation", "webhook"]);

/**
 * @param {Call[]} calls newest first
 * @param {{ name: string, visible: number, inFlight: number }[]} queues
 */
export function drawCalls(calls, queues) {
  const busy = queues.filter((q) => q.visible + q.inFlight > 0);
  const text = busy.length
    ? busy.map((q) => `${q.name}: ${q.visible} waiting, ${q.inFlight} at work`).join(" · ")
    : "All queues are empty.";
  if (byId("queues").textContent !== text) byId("queues").textContent = text;
  const quiet = /** @type {HTMLInputElement} */ (byId("quiet")).checked;
  const rows = calls.filter((c) => !quiet || (c.vendor !== "chat" && c.vendor !== "aws")).slice(0, 100);
  part(
    "calls",
    rows.map((c) => [c.seq, c.status]),
    () =>
      rows.map((c) =>
        h(
          "tr",
          {},
          h("td", {}, new Date(c.time).toLocaleTimeString("en-GB")),
          h("td", {}, c.vendor),
          h("td", {}, ...(words[c.op] ? [words[c.op], h("code", {}, c.op)] : [c.op])),
          h("td", {}, about(c)),
          h(
            "td",
            { class: c.fault || c.status >= 400 ? "bad" : "" },
            [c.status || "none", c.fault].filter(Boolean).join(" "),
          ),
        ),
      ),
  );
}

/** @param {Call} c */
function about(c) {
  return Object.entries(c.detail ?? {})
    .filter(([k]) => !noise.has(k))
    .map(([k, v]) => `${k} ${v}`)
    .join(", ");
}
