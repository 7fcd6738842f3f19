// The desk's pane: the ticket, and what an agent can do with it.
import { h, part } from "./element.js";
import { agentOf, nameOf, roomOf, standing } from "./tickets.js";
import { click, deskConfig, desks, does } from "./world.js";

/**
 * @typedef {import("./tickets.js").Ticket} Ticket
 * @typedef {import("./tickets.js").Standing} Standing
 * @typedef {import("./world.js").DeskName} DeskName
 */

/** @param {Standing} s */
export const badge = (s) => h("span", { class: `badge ${s.quiet ? "" : s.ok ? "good" : "bad"}` }, s.text);

/**
 * @param {string} label
 * @param {() => unknown} f
 * @param {boolean} [on]
 * @param {string} [look]
 */
export function button(label, f, on = true, look = "") {
  return h("button", { type: "button", class: look, "data-key": label, disabled: !on, onclick: does(f) }, label);
}

let moreOpen = false;

/**
 * @param {any} state
 * @param {DeskName} desk
 * @param {Ticket | undefined} t
 * @param {Ticket[]} list
 */
export function drawTicket(state, desk, t, list) {
  if (!t) {
    part("ticket", ["none", list.length > 0], () => [
      h(
        "p",
        { class: "empty" },
        list.length > 0
          ? "Write a ticket as the customer, or choose one above."
          : "There is no ticket yet. Write one as the customer.",
      ),
    ]);
    return;
  }
  const room = roomOf(state, desk, t);
  const s = standing(state, desk, t);
  /** @type {[string, string][]} */
  const others = list
    .filter((x) => x.id !== t.id && !x.deleted && !x.closed)
    .map((x) => [x.id, `${x.label} ${x.subject}`]);
  const names = room?.members.map((m) => nameOf(state, t, m.userId)).join(", ") || "nobody";
  const shown = [desk, t, s, others, names, room?.muteAllMember, room?.messages.length];
  part("ticket", shown, () => [
    h("h3", { class: "title" }, `${t.label} ${t.subject}`),
    h(
      "dl",
      {},
      ...row("Status", t.merged ? `${t.status}, merged into ${t.merged}` : t.status),
      ...row("Owner", owner(desk, t)),
      ...row("Customer", t.customer ? nameOf(state, t, t.customer) : "has no chat"),
      ...(t.tags ? row("Tags", t.tags.join(" ") || "none") : []),
      ...row(
        "Room",
        badge(s),
        room
          ? ` ${names}; ${room.messages.length} messages${room.muteAllMember && s.text !== "locked" ? "; locked" : ""}`
          : "",
      ),
    ),
    ...(desk === "zendesk" ? zendeskActions(t, others) : salesforceActions(t, others)),
    h(
      "div",
      { class: "filed" },
      h("h3", {}, "On the ticket"),
      h(
        "ol",
        { class: "comments", tabindex: 0, "aria-label": "Comments" },
        ...t.notes.map((n) => h("li", {}, h("pre", {}, n.text))),
      ),
    ),
  ]);
}

/**
 * @param {DeskName} desk
 * @param {Ticket} t
 */
function owner(desk, t) {
  if (t.owner === deskConfig(desk).own) return "caseroom's own user";
  return agentOf(desk, t.owner)?.name ?? (t.owner && desk === "salesforce" ? "a queue" : "nobody");
}

/**
 * @param {string} name
 * @param {...(Node | string)} values
 */
const row = (name, ...values) => [h("dt", {}, name), h("dd", {}, ...values)];

/** @param {...(Node | string | false)} buttons */
const bar = (...buttons) => h("div", { class: "bar" }, ...buttons);

/** @param {...(Node | string | false)} buttons */
function more(...buttons) {
  return h(
    "details",
    {
      class: "more",
      open: moreOpen,
      ontoggle: (e) => {
        moreOpen = e.currentTarget.open;
      },
    },
    h("summary", { "data-key": "more" }, "More of what agents do"),
    bar(...buttons),
  );
}

/** @param {[string, string][]} others */
function into(others) {
  return h(
    "select",
    { "aria-label": "Merge into", "data-key": "into" },
    ...others.map(([id, text]) => h("option", { value: id }, text)),
  );
}

/**
 * @param {Ticket} t
 * @param {[string, string][]} others
 */
function zendeskActions(t, others) {
  const ticket = Number(t.id);
  const { agents, own } = deskConfig("zendesk");
  const live = !t.deleted;
  const open = live && !t.ended;
  const changeable = live && !t.closed;
  const merge = into(others);
  /** @param {string} s */
  const status = (s) => () => click("zendesk/status", { ticket, status: s });
  /** @param {string} agent */
  const assign = (agent) => () => click("zendesk/assign", { ticket, agent: Number(agent) });
  return [
    bar(
      ...agents.map((a) =>
        button(`Assign ${first(a)}`, assign(a.id), changeable && t.owner !== a.id, t.owner ? "" : "primary"),
      ),
      button("Unassign", assign("0"), changeable && t.owner !== ""),
    ),
    bar(
      button("Pending", status("pending"), open && t.status !== "pending"),
      button("Solve", status("solved"), open),
      button("Reopen", status("open"), changeable && t.status === "solved"),
      button("Delete", () => click("zendesk/delete", { ticket }), live, "danger"),
      button("Undelete", () => click("zendesk/undelete", { ticket }), t.deleted && !t.scrubbed),
    ),
    more(
      button("Close for good", status("closed"), changeable),
      button("Mark as spam", () => click("zendesk/spam", { ticket }), live),
      button("Delete for ever", () => click("zendesk/purge", { ticket }), t.deleted && !t.scrubbed, "danger"),
      button(
        "Add a note",
        () => click("zendesk/comment", { ticket, author: Number(agents[0]?.id), body: "Looked at it." }),
        changeable,
      ),
      button("Replace the tags", () => click("zendesk/tag", { ticket, tags: ["vip"] }), changeable),
      button("Assign caseroom's own user", assign(own), changeable && t.owner !== own),
      bar(
        button(
          "Merge into",
          () => click("zendesk/merge", { ticket: Number(merge.value), sources: [ticket] }),
          changeable && others.length > 0,
        ),
        merge,
      ),
    ),
  ];
}

/**
 * @param {Ticket} t
 * @param {[string, string][]} others
 */
function salesforceActions(t, others) {
  const { agents } = deskConfig("salesforce");
  const live = !t.deleted;
  const open = live && !t.ended;
  const merge = into(others);
  const queued = !/^005/.test(t.owner);
  return [
    bar(
      ...agents.map((a) =>
        button(
          `Give to ${first(a)}`,
          () => click("salesforce/owner", { case: t.id, owner: a.id }),
          live && t.owner !== a.id,
          queued ? "primary" : "",
        ),
      ),
      button("Back to the queue", () => click("salesforce/queue", { case: t.id }), live && !queued),
    ),
    bar(
      button(
        "Escalate",
        () => click("salesforce/status", { case: t.id, status: "Escalated" }),
        open && t.status !== "Escalated",
      ),
      button("Close", () => click("salesforce/close", { case: t.id }), open),
      button("Reopen", () => click("salesforce/reopen", { case: t.id }), live && t.ended),
      button("Delete", () => click("salesforce/delete", { case: t.id }), live, "danger"),
      button("Undelete", () => click("salesforce/undelete", { case: t.id }), t.deleted),
    ),
    more(
      ...agents.map((a) =>
        button(
          `Omni routes to ${first(a)}, who accepts`,
          async () => {
            const { agentWork } = await click("salesforce/agentwork", { case: t.id, user: a.id });
            await click("salesforce/agentwork/status", { agentWork, status: "Opened" });
          },
          open,
        ),
      ),
      button("Add a comment", () => click("salesforce/comment", { case: t.id, body: "Looked at it." }), live),
      bar(
        button(
          "Merge into",
          () => click("salesforce/merge", { case: merge.value, loser: t.id }),
          live && others.length > 0,
        ),
        merge,
      ),
    ),
  ];
}

/** @param {{ name: string }} person */
export const first = (person) => person.name.split(" ")[0];

/**
 * The four steps of a chat, for who has not read anything.
 *
 * @param {any} state
 * @param {DeskName} desk
 * @param {Ticket | undefined} t
 */
export function drawSteps(state, desk, t) {
  const room = t && roomOf(state, desk, t);
  const agent = t && agentOf(desk, t.owner);
  const prefix = desks[desk].agentPrefix;
  /** @param {(from: string) => boolean} who */
  const said = (who) => room?.messages.some((m) => who(m.from)) ?? false;
  const filed = t?.notes.some((n) => n.text.includes("customer ")) ?? false;
  const [one] = deskConfig(desk).agents;
  const solve = desk === "zendesk" ? "Solve" : "Close";
  /** @type {[string, string, boolean][]} */
  const steps = [
    ["Write a ticket", "as the customer", t?.customer !== undefined],
    [
      desk === "zendesk" ? "Assign it" : "Give it to an agent",
      `${one ? first(one) : "somebody"} gets into its room`,
      agent !== undefined || (t?.ended ?? false),
    ],
    ["Chat", "as the customer and as the agent", said((f) => f === t?.customer) && said((f) => f.startsWith(prefix))],
    [`${solve} it`, "the transcript goes onto the ticket", (t?.ended ?? false) && filed],
  ];
  const now = steps.findIndex(([, , done]) => !done);
  part("steps", [desk, steps], () =>
    steps.map(([title, hint, done], i) =>
      h(
        "li",
        { class: done ? "done" : i === now ? "now" : "", ...(i === now ? { "aria-current": "step" } : {}) },
        h("span", { class: "dot", "aria-hidden": "true" }, done ? "✓" : String(i + 1)),
        h(
          "span",
          {},
          h("b", {}, title, h("span", { class: "hidden" }, done ? ", done" : "")),
          h("span", { class: "faint" }, hint),
        ),
      ),
    ),
  );
}
