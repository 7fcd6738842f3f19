// The page at the local run's root: everybody who has a part in a ticket, side
// by side, over the sandbox. It acts through the same doors as the desks, the
// customers and the tests do; what it shows is read back from the sandbox.
import { h } from "./element.js";
import { plainCustomer, plainAgent } from "./plain.js";
import { ZafHost } from "./zafhost.js";

const $ = (id) => document.getElementById(id);

let toastTimer;
function complain(text) {
  $("toast").textContent = text;
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 6000);
}

async function know() {
  for (;;) {
    const res = await fetch("/demo.json").catch(() => undefined);
    if (res?.ok) return res.json();
    await new Promise((done) => setTimeout(done, 500));
  }
}

const config = await know();
const desks = {
  zendesk: { title: "Zendesk", room: (id) => `ZENDESK#${id}`, agentPrefix: "zd_" },
  salesforce: { title: "Salesforce", room: (id) => id, agentPrefix: "sf_" },
};
const here = Object.keys(desks).filter((d) => config[d]);

const chosen = {
  desk: here[0],
  customer: config.customers[0].id,
  agent: { zendesk: 0, salesforce: 0 },
  ticket: { zendesk: undefined, salesforce: undefined },
};

async function call(method, url, body, headers = {}) {
  const res = await fetch(url, {
    method,
    headers: { ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await res.text();
  if (!res.ok) {
    let why = text;
    try {
      const answer = JSON.parse(text);
      why = answer.error ?? answer.detail ?? answer.message ?? text;
    } catch {
      // plain text
    }
    throw new Error(`${why || res.statusText} (${res.status})`);
  }
  return text ? JSON.parse(text) : undefined;
}

/** Runs what a click does; an error is shown, and the page looks again at once. */
function does(f) {
  return async () => {
    try {
      await f();
    } catch (err) {
      complain(err.message);
    }
    void look();
  };
}

const box = (path) => config.sandbox + path;
const click = (path, body) => call("POST", box(`/desk/${path}`), body);

// What the sandbox holds.

let state;
let calls = [];
let faults = [];
let lastCall = 0;

async function look() {
  try {
    const [s, c, f] = await Promise.all([
      call("GET", box("/state")),
      call("GET", box(`/calls?since=${lastCall}`)),
      call("GET", box("/faults")),
    ]);
    state = s;
    faults = f;
    const seen = new Set(c.map((x) => x.seq));
    calls = [...c.reverse(), ...calls.filter((x) => !seen.has(x.seq))].slice(0, 300);
    // A call that still ran is asked for again, for as long as one may run.
    const running = calls.findLast((x) => x.status === 0 && Date.now() - Date.parse(x.time) < 30_000);
    lastCall = running ? running.seq - 1 : (calls[0]?.seq ?? 0);
    $("pulse").textContent = "";
  } catch {
    $("pulse").textContent = "The local run does not answer. Start it again with make run.";
    return;
  }
  draw();
}

/** The tickets of a desk in one shape, newest first. */
function tickets(desk) {
  if (!state) return [];
  const list =
    desk === "zendesk"
      ? state.zendesk.tickets.map((t) => ({
          id: String(t.id),
          label: `#${t.id}`,
          subject: t.subject,
          status: t.status,
          owner: t.assignee_id ? String(t.assignee_id) : "",
          customer: /^caseroom:([^:]+):/.exec(t.external_id ?? "")?.[1],
          deleted: t.status === "deleted",
          ended: t.status === "solved" || t.status === "closed",
          closed: t.status === "closed",
          merged: t.merged_into ? `#${t.merged_into}` : "",
          tags: t.tags,
          externalId: t.external_id ?? null,
          requester: state.zendesk.users.find((u) => u.id === t.requester_id),
          notes: t.comments.map((c) => ({ text: c.body, public: c.public })),
        }))
      : state.salesforce.cases.map((c) => ({
          id: c.id,
          label: c.caseNumber,
          subject: c.subject,
          status: c.isDeleted ? "deleted" : c.status,
          owner: c.ownerId,
          customer: c.key && c.user ? c.user : undefined,
          deleted: c.isDeleted,
          ended: c.isClosed,
          closed: false,
          merged: c.masterRecordId ?? "",
          notes: [...state.salesforce.transcripts, ...state.salesforce.comments]
            .filter((n) => Object.values(n).includes(c.id))
            .map((n) => ({ text: n.Body__c ?? n.CommentBody ?? n.Text__c ?? longest(n), public: false })),
        }));
  return list.reverse();
}

const longest = (row) =>
  Object.values(row)
    .filter((v) => typeof v === "string")
    .sort((a, b) => b.length - a.length)[0] ?? "";

function agentOf(desk, id) {
  return config[desk].agents.find((a) => a.id === id);
}

const nick = (id) => state.tencent.accounts.find((a) => a.userId === id)?.nick || id;

/** What the room must be, by the desk: the table that Sync works by. */
function wanted(desk, t) {
  if (!t.customer) return undefined;
  const members = [t.customer];
  const locked = t.ended || t.deleted;
  const human = desk === "zendesk" ? t.owner : /^005/.test(t.owner) ? t.owner : "";
  if (!locked && human && human !== config[desk].own) members.push(desks[desk].agentPrefix + human);
  return { members, locked };
}

const roomOf = (desk, t) => state.tencent.groups.find((g) => g.groupId === desks[desk].room(t.id));

function standing(desk, t) {
  const w = wanted(desk, t);
  const room = roomOf(desk, t);
  if (!w) return { text: "no chat: not made by caseroom", ok: true, quiet: true };
  if (!room) return { text: "no room", ok: t.deleted || t.ended };
  if (room.owner || room.applyJoinOption !== "DisableApply") return { text: "a squatter's room", ok: false };
  const is = room.members.map((m) => m.userId).sort();
  if (room.muteAllMember !== w.locked) return { text: w.locked ? "to be locked" : "to be unlocked", ok: false };
  if (is.join() !== w.members.sort().join()) return { text: "wrong members", ok: false };
  return { text: w.locked ? "locked" : "in step", ok: true };
}

// Drawing. A part is drawn again only when what it shows has changed, so that
// nobody loses the focus or a text.

const drawn = new Map();
function part(id, what, make) {
  const key = JSON.stringify(what);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  const focus = document.activeElement?.dataset?.key;
  $(id).replaceChildren(...make());
  if (focus) $(id).querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();
}

function draw() {
  const desk = chosen.desk;
  const list = tickets(desk);
  if (!list.some((t) => t.id === chosen.ticket[desk])) {
    chosen.ticket[desk] = (list.find((t) => t.customer) ?? list[0])?.id;
    panes();
  }
  follow(desk, list);
  part("desks", [desk, here], () =>
    here.map((d) =>
      h("button", { type: "button", "aria-pressed": String(d === desk), "data-key": d, onclick: () => choose({ desk: d }) }, desks[d].title),
    ),
  );
  part("tickets", [desk, chosen.ticket, list.map((t) => [t.id, t.subject, t.status, t.owner, standing(desk, t)])], () =>
    list.map((t) => {
      const s = standing(desk, t);
      return h(
        "li",
        {},
        h(
          "button",
          { type: "button", "data-key": `t${t.id}`, "aria-pressed": String(t.id === chosen.ticket[desk]), onclick: () => choose({ ticket: t.id }) },
          h("span", {}, t.label),
          h("span", { class: "subject" }, t.subject),
          h("span", { class: "faint" }, [t.status, agentOf(desk, t.owner)?.name].filter(Boolean).join(", ")),
          h("span", { class: `badge ${s.quiet ? "faint" : s.ok ? "good" : "bad"}` }, s.text),
        ),
      );
    }),
  );
  const t = list.find((x) => x.id === chosen.ticket[desk]);
  drawTicket(desk, t, list);
  drawWires(desk, t);
}

let newest = {};
/** Selects the ticket that a customer has just made. */
function follow(desk, list) {
  const top = list.find((t) => t.customer);
  if (newest[desk] !== undefined && top && newest[desk] !== top.id && list.findIndex((t) => t.id === newest[desk]) > 0) {
    chosen.ticket[desk] = top.id;
    panes();
  }
  newest[desk] = top?.id;
}

function drawTicket(desk, t, list) {
  if (!t) {
    part("ticket", "none", () => [h("p", { class: "faint" }, "There is no ticket yet. Write one on the left.")]);
    return;
  }
  const room = roomOf(desk, t);
  const s = standing(desk, t);
  const others = list.filter((x) => x.id !== t.id && !x.deleted && !x.closed).map((x) => [x.id, `${x.label} ${x.subject}`]);
  const shown = { desk, t, s, others, room: room && [room.members, room.muteAllMember, room.introduction, room.messages.length, room.owner] };
  part("ticket", shown, () => [
    h("h3", {}, `${t.label} ${t.subject}`),
    h(
      "dl",
      {},
      ...row("Status", t.merged ? `${t.status}, merged into ${t.merged}` : t.status),
      ...row("Owner", agentOf(desk, t.owner)?.name ?? (t.owner && desk === "salesforce" ? "a queue" : "nobody")),
      ...row("Customer", t.customer ? nick(t.customer) : "has no chat"),
      ...(t.tags ? row("Tags", t.tags.join(" ") || "none") : []),
      ...row(
        "Room",
        h("span", { class: `badge ${s.quiet ? "faint" : s.ok ? "good" : "bad"}` }, s.text),
        room ? ` ${room.members.map((m) => nick(m.userId)).join(", ") || "empty"}; ${room.messages.length} messages${room.muteAllMember ? "; locked" : ""}` : "",
      ),
    ),
    ...actions(desk, t, others),
    h("h3", {}, "On the ticket"),
    h("ol", { class: "comments", tabindex: "0", "aria-label": "Comments" }, ...t.notes.map((n) => h("li", {}, h("pre", {}, n.text)))),
  ]);
}

const row = (name, ...values) => [h("dt", {}, name), h("dd", {}, ...values)];

function button(label, f, on = true) {
  return h("button", { type: "button", "data-key": label, disabled: !on, onclick: does(f) }, label);
}

function actions(desk, t, others) {
  const live = !t.deleted;
  const open = live && !t.ended;
  const agents = config[desk].agents;
  const merge = h("select", { "aria-label": "Merge into", "data-key": "into" }, ...others.map(([id, text]) => h("option", { value: id }, text)));
  const room = desks[desk].room(t.id);
  const inRoom = (path, more = {}) => () => click(`tencent/${path}`, { groupId: room, ...more });
  const exists = roomOf(desk, t) !== undefined;
  const agentIn = agents.map((a) => desks[desk].agentPrefix + a.id).find((id) => roomOf(desk, t)?.members.some((m) => m.userId === id));
  const desktop =
    desk === "zendesk"
      ? zendeskActions(Number(t.id), t, { live, open, agents, merge, others })
      : salesforceActions(t.id, t, { live, open, agents, merge, others });
  return [
    h("h3", {}, "The agent's clicks"),
    h("div", { class: "bar" }, ...desktop),
    h("h3", {}, "Somebody meddles with the room"),
    h(
      "div",
      { class: "bar" },
      button("Let a stranger in", inRoom("add", { userId: "stranger" }), exists),
      button("Throw the agent out", inRoom("remove", { userId: agentIn }), agentIn !== undefined),
      button("The customer leaves", inRoom("quit", { userId: t.customer }), exists && t.customer !== undefined),
      button("Lock it", inRoom("mute", { muted: true }), exists),
      button("Unlock it", inRoom("mute", { muted: false }), exists),
      button("Destroy it", inRoom("destroy"), exists),
      button(
        "Squat on its id",
        async () => {
          if (roomOf(desk, t)) await click("tencent/destroy", { groupId: room });
          await click("tencent/squat", { groupId: room, userId: "squatter" });
        },
        t.customer !== undefined,
      ),
    ),
  ];
}

function zendeskActions(ticket, t, { live, open, agents, merge, others }) {
  const changeable = live && !t.closed;
  const status = (s) => () => click("zendesk/status", { ticket, status: s });
  return [
    ...agents.map((a) => button(`Assign ${a.name.split(" ")[0]}`, () => click("zendesk/assign", { ticket, agent: Number(a.id) }), changeable && t.owner !== a.id)),
    button("Unassign", () => click("zendesk/assign", { ticket, agent: 0 }), changeable && t.owner !== ""),
    button("Pending", status("pending"), open),
    button("Solve", status("solved"), open),
    button("Reopen", status("open"), changeable && t.status === "solved"),
    button("Close for good", status("closed"), changeable),
    button("Delete", () => click("zendesk/delete", { ticket }), live),
    button("Mark as spam", () => click("zendesk/spam", { ticket }), live),
    button("Undelete", () => click("zendesk/undelete", { ticket }), t.deleted && t.subject !== "SCRUBBED"),
    button("Delete for ever", () => click("zendesk/purge", { ticket }), t.deleted && t.subject !== "SCRUBBED"),
    button("Add a note", () => click("zendesk/comment", { ticket, author: Number(agents[0].id), body: "Looked at it." }), changeable),
    button("Replace the tags", () => click("zendesk/tag", { ticket, tags: ["vip"] }), changeable),
    h("span", { class: "bar" }, button("Merge into", () => click("zendesk/merge", { ticket: Number(merge.value), sources: [ticket] }), changeable && others.length > 0), merge),
  ];
}

function salesforceActions(id, t, { live, open, agents, merge, others }) {
  return [
    ...agents.map((a) => button(`Give to ${a.name.split(" ")[0]}`, () => click("salesforce/owner", { case: id, owner: a.id }), live && t.owner !== a.id)),
    button("Back to the queue", () => click("salesforce/queue", { case: id }), live && /^005/.test(t.owner)),
    ...agents.map((a) =>
      button(
        `Omni routes to ${a.name.split(" ")[0]}, who accepts`,
        async () => {
          const { agentWork } = await click("salesforce/agentwork", { case: id, user: a.id });
          await click("salesforce/agentwork/status", { agentWork, status: "Opened" });
        },
        open,
      ),
    ),
    button("Escalate", () => click("salesforce/status", { case: id, status: "Escalated" }), open),
    button("Close", () => click("salesforce/close", { case: id }), open),
    button("Reopen", () => click("salesforce/reopen", { case: id }), live && t.ended),
    button("Delete", () => click("salesforce/delete", { case: id }), live),
    button("Undelete", () => click("salesforce/undelete", { case: id }), t.deleted),
    button("Add a comment", () => click("salesforce/comment", { case: id, body: "Looked at it." }), live),
    h("span", { class: "bar" }, button("Merge into", () => click("salesforce/merge", { case: merge.value, loser: id }), live && others.length > 0), merge),
  ];
}

// The wires: what goes wrong, and what mends it.

const breaks = [
  { label: "Zendesk answers 503", fault: { vendor: "zendesk", kind: "status", status: 503 } },
  { label: "Salesforce answers 503", fault: { vendor: "salesforce", kind: "status", status: 503 } },
  { label: "Tencent's servers answer 503", fault: { vendor: "tencent", kind: "status", status: 503 } },
  { label: "Tencent does it, the answer is lost", fault: { vendor: "tencent", kind: "reset-after" } },
  { label: "The chat's network is down", fault: { vendor: "chat", kind: "reset-before" } },
];

const same = (a, b) => a.vendor === b.vendor && a.kind === b.kind && (a.op ?? "") === (b.op ?? "") && !a.times;

async function toggle(fault) {
  const on = faults.some((f) => same(f, fault));
  if (!on) {
    await call("POST", box("/faults"), fault);
    return;
  }
  const left = faults.filter((f) => !same(f, fault));
  await call("DELETE", box("/faults"));
  for (const f of left) await call("POST", box("/faults"), f);
}

function drawWires(desk, t) {
  const next = (label, fault) => button(label, () => call("POST", box("/faults"), { vendor: desk, times: 1, ...fault }));
  part("events", desk, () => [
    next("is lost", { kind: "lose" }),
    next("comes twice", { kind: "duplicate" }),
    next("is 10 s late", { kind: "delay", delay: 10e9 }),
    next("is overtaken", { kind: "reorder", delay: 15e9 }),
  ]);
  const down = breaks.map((b) => faults.some((f) => same(f, b.fault)));
  part("breaks", down, () => [
    ...breaks.map((b, i) =>
      h("button", { type: "button", "data-key": b.label, "aria-pressed": String(down[i]), onclick: does(() => toggle(b.fault)) }, b.label),
    ),
    button("Mend everything", () => call("DELETE", box("/faults"))),
  ]);
  const waiting = faults.filter((f) => f.times).map((f) => `${f.kind} ${f.vendor} ×${f.times}`);
  const armed = waiting.length ? `Waiting to strike: ${waiting.join(", ")}` : "";
  if ($("armed").textContent !== armed) $("armed").textContent = armed;
  part("repair", [desk, t?.id, config.schedules], () => [
    button("Tell the stack of this ticket again", () => tell(desk, t.id), t !== undefined),
    button("Deliver late notifications now", () => call("POST", box("/flush"))),
    ...config.schedules.map((s) => button(`Run ${spoken(s)} now`, () => call("POST", `/demo/schedules/${s}`))),
  ]);
  const queues = state.aws.queues.map((q) => [q.name, q.visible, q.inFlight]);
  part("queues", queues, () => [
    h("span", { class: "faint" }, queues.map(([name, n, m]) => `${name}: ${n} waiting, ${m} at work`).join(" · ")),
  ]);
  const quiet = $("quiet").checked;
  const rows = calls.filter((c) => !quiet || (c.vendor !== "chat" && c.vendor !== "aws")).slice(0, 100);
  part("calls", rows.map((c) => [c.seq, c.status]), () =>
    rows.map((c) =>
      h(
        "tr",
        {},
        h("td", {}, c.time.slice(11, 23)),
        h("td", {}, c.vendor),
        h("td", {}, c.op),
        h("td", { class: c.fault || c.status >= 400 ? "bad" : "" }, [c.status || "none", c.fault].filter(Boolean).join(" ")),
        h("td", {}, Object.entries(c.detail ?? {}).map(([k, v]) => `${k} ${v}`).join(", ")),
      ),
    ),
  );
}

/** ReconcileZendeskSchedule is "reconcile zendesk". */
const spoken = (schedule) => schedule.replace(/Schedule$/, "").replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

function tell(desk, id) {
  const body = desk === "zendesk" ? { ticketId: id } : { cases: [id] };
  return call("POST", `/${desk}/events`, body, { Authorization: `Bearer ${config[desk].events}` });
}

// The panes.

let shownCustomer;
let shownAgent;
let zaf;

function panes() {
  const { desk, customer } = chosen;
  const who = `${desk} ${customer}`;
  if (shownCustomer !== who) {
    shownCustomer = who;
    const pane = $("customer-pane");
    const person = config.customers.find((c) => c.id === customer);
    if (config.built) {
      const src = `/demo/customer.html?${new URLSearchParams({ who: customer, desk })}`;
      pane.replaceChildren(h("iframe", { src, title: "The customer's browser" }));
    } else {
      plainCustomer(pane, { config, desk, person });
    }
  }
  const agent = config[desk].agents[chosen.agent[desk]];
  const ticket = chosen.ticket[desk];
  const room = ticket && `${desk} ${agent.id} ${ticket}`;
  if (shownAgent === room) return;
  shownAgent = room;
  const pane = $("agent-pane");
  zaf?.close();
  zaf = undefined;
  if (!ticket) {
    pane.replaceChildren(h("p", { class: "empty" }, "The chat of the selected ticket appears here."));
  } else if (!config.built) {
    plainAgent(pane, { config, desk, agent, groupId: desks[desk].room(ticket) });
  } else if (desk === "zendesk") {
    openInZendesk(pane, agent, ticket);
  } else {
    openInSalesforce(pane, agent, ticket);
  }
}

/** Opens the app as Zendesk does: a form with a token signed for this agent. */
function openInZendesk(pane, agent, ticket) {
  const guid = crypto.randomUUID();
  const frame = h("iframe", { name: `app-${guid}`, title: "The agent's panel in Zendesk" });
  const query = new URLSearchParams({ origin: location.origin, app_guid: guid });
  const form = h(
    "form",
    { method: "post", action: `/zendesk/app?${query}`, target: `app-${guid}`, hidden: true },
    h("input", { type: "hidden", name: "token", value: agent.token }),
  );
  pane.replaceChildren(frame, form);
  zaf = new ZafHost(frame, {
    ticket: () => tickets("zendesk").find((t) => t.id === ticket),
    agent,
    groupId: desks.zendesk.room(ticket),
  });
  form.submit();
}

/** Does what the component in Salesforce's utility bar does around the panel. */
function openInSalesforce(pane, agent, ticket) {
  const frame = h("iframe", { src: "/panel.html", title: "The agent's panel in Salesforce" });
  const hear = async ({ source, origin, data }) => {
    if (source !== frame.contentWindow || origin !== location.origin) return;
    if (data?.type !== "caseroom:ready" && data?.type !== "caseroom:renew") return;
    try {
      const credentials = await call("POST", "/salesforce/usersig", { userId: agent.id }, { Authorization: `Bearer ${config.salesforce.key}` });
      const row = state.salesforce.cases.find((c) => c.id === ticket);
      const customer = { name: row?.suppliedName, email: row?.suppliedEmail, unverified: true };
      source.postMessage({ type: "caseroom:credentials", ...credentials, groupId: ticket, ticketId: row?.caseNumber, customer }, origin);
    } catch (err) {
      complain(err.message);
    }
  };
  addEventListener("message", hear);
  zaf = { close: () => removeEventListener("message", hear) };
  pane.replaceChildren(frame);
}

// What is chosen.

function choose(change) {
  if (change.desk) chosen.desk = change.desk;
  if (change.ticket) chosen.ticket[chosen.desk] = change.ticket;
  if (change.customer) chosen.customer = change.customer;
  if (change.agent !== undefined) chosen.agent[chosen.desk] = change.agent;
  drawAgents();
  if (state) draw();
  panes();
}

function drawAgents() {
  const desk = chosen.desk;
  part("agent", desk, () => config[desk].agents.map((a, i) => h("option", { value: i, selected: i === chosen.agent[desk] }, a.name)));
}

$("customer").append(
  ...config.customers.map((c) => h("option", { value: c.id }, c.name)),
  ...(config.guests ? [h("option", { value: "guest" }, "A guest")] : []),
);
$("customer").addEventListener("change", (e) => choose({ customer: e.target.value }));
$("agent").addEventListener("change", (e) => choose({ agent: Number(e.target.value) }));
$("stray").addEventListener("click", does(() => click(`${chosen.desk}/create`, { subject: "A call about an invoice" })));
$("quiet").addEventListener("change", draw);
$("expire-customer").addEventListener(
  "click",
  does(() => {
    const t = tickets(chosen.desk).find((x) => x.id === chosen.ticket[chosen.desk]);
    const user = chosen.customer === "guest" ? t?.customer : chosen.customer;
    if (!user) throw new Error("This customer has no login yet.");
    return click("tencent/expire", { userId: user });
  }),
);
$("expire-agent").addEventListener(
  "click",
  does(() => click("tencent/expire", { userId: desks[chosen.desk].agentPrefix + config[chosen.desk].agents[chosen.agent[chosen.desk]].id })),
);

drawAgents();
panes();
for (;;) {
  await look();
  await new Promise((done) => setTimeout(done, document.hidden ? 3000 : 500));
}
