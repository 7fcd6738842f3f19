// The page at the local run's root: everybody who has a part in a ticket, side
// by side, over the sandbox. It acts through the same doors as the desks, the
// customers and the tests do; what it shows is read back from the sandbox.
import { badge, button, drawSteps, drawTicket, first } from "./desk.js";
import { byId, h, part } from "./element.js";
import { plainAgent, plainCustomer } from "./plain.js";
import { agentOf, standing, tickets } from "./tickets.js";
import { drawCalls, drawTrouble } from "./trouble.js";
import { afterClicks, box, call, click, complain, config, deskConfig, desks, does, here } from "./world.js";
import { ZafHost } from "./zafhost.js";

/**
 * @typedef {import("./world.js").DeskName} DeskName
 * @typedef {import("./tickets.js").Ticket} Ticket
 */

const languages = [
  ["en", "English"],
  ["ja", "日本語"],
  ["zh", "中文"],
  ["ru", "Русский"],
  ["rtl", "English, right to left"],
];

/**
 * @typedef {{ run: string, desk: DeskName, customer: string, language: string,
 *   agent: Record<DeskName, number>, ticket: Record<DeskName, string> }} Chosen
 */

/** @type {Chosen} */
const fresh = {
  run: config.run,
  desk: here[0] ?? "zendesk",
  customer: config.customers[0]?.id ?? "guest",
  language: "en",
  agent: { zendesk: 0, salesforce: 0 },
  ticket: { zendesk: "", salesforce: "" },
};

/** A reload shows the same again, until another run. @returns {Chosen} */
function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem("demo") ?? "{}");
    return kept.run === config.run ? { ...fresh, ...kept } : fresh;
  } catch {
    return fresh;
  }
}

const chosen = remembered();

// What the sandbox holds.

/** @type {any} */
let state;
/** @type {import("./trouble.js").Call[]} */
let calls = [];
/** @type {import("./trouble.js").Fault[]} */
let faults = [];
let lastCall = 0;
let looking = false;
let again = false;

async function look() {
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  do {
    again = false;
    await lookOnce();
  } while (again);
  looking = false;
}

async function lookOnce() {
  try {
    const [s, c, f] = await Promise.all([
      call("GET", box("/state")),
      call("GET", box(`/calls?since=${lastCall}`)),
      call("GET", box("/faults")),
    ]);
    state = s;
    faults = f;
    /** @type {import("./trouble.js").Call[]} */
    const newer = c.reverse();
    const seen = new Set(newer.map((x) => x.seq));
    calls = [...newer, ...calls.filter((x) => !seen.has(x.seq))].slice(0, 300);
    // A call that still ran is asked for again, for as long as one may run.
    const running = calls.findLast((x) => x.status === 0 && Date.now() - Date.parse(x.time) < 30_000);
    lastCall = running ? running.seq - 1 : (calls[0]?.seq ?? 0);
    byId("pulse").textContent = "";
  } catch {
    byId("pulse").textContent = "The local run does not answer. Start it again with make run.";
    return;
  }
  draw();
}

function draw() {
  const { desk } = chosen;
  const list = tickets(state, desk);
  if (chosen.ticket[desk] && !list.some((t) => t.id === chosen.ticket[desk])) {
    chosen.ticket[desk] = "";
    panes();
  }
  follow(desk, list);
  part("desks", [desk, here], () =>
    here.map((d) =>
      h(
        "button",
        { type: "button", "aria-pressed": String(d === desk), "data-key": d, onclick: () => choose({ desk: d }) },
        desks[d].title,
      ),
    ),
  );
  const rows = list.map((t) => ({ t, s: standing(state, desk, t) }));
  part("tickets", [desk, chosen.ticket, rows.map(({ t, s }) => [t.id, t.subject, t.status, t.owner, s])], () =>
    rows.map(({ t, s }) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            "data-key": `t${t.id}`,
            "aria-pressed": String(t.id === chosen.ticket[desk]),
            onclick: () => choose({ ticket: t.id }),
          },
          h("span", {}, t.label),
          h("span", { class: "subject" }, t.subject),
          h("span", { class: "faint" }, [t.status, agentOf(desk, t.owner)?.name].filter(Boolean).join(", ")),
          badge(s),
        ),
      ),
    ),
  );
  const t = list.find((x) => x.id === chosen.ticket[desk]);
  drawSteps(state, desk, t);
  drawTicket(state, desk, t, list);
  const shown = t ? `${t.label} ${t.subject}: ${t.status}; the room: ${standing(state, desk, t).text}` : "";
  if (byId("said").textContent !== shown) byId("said").textContent = shown;
  drawFollow(desk, t);
  const customer = chosen.customer === "guest" ? (t?.customer ?? "") : chosen.customer;
  drawTrouble(state, desk, t, faults, { customer, agent: desks[desk].agentPrefix + current().id });
  drawCalls(calls, state.aws.queues);
}

function current() {
  const { desk } = chosen;
  const agent = deskConfig(desk).agents[chosen.agent[desk]];
  if (!agent) throw new Error("the stack has no agents");
  return agent;
}

/** Offers the chair of the agent who has the ticket.
 * @param {DeskName} desk
 * @param {Ticket | undefined} t
 */
function drawFollow(desk, t) {
  const { agents } = deskConfig(desk);
  const i = agents.findIndex((a) => a.id === t?.owner);
  const other = i >= 0 && i !== chosen.agent[desk] ? agents[i] : undefined;
  part("follow", [desk, other?.id], () =>
    other ? [button(`Be ${first(other)}`, () => choose({ agent: i }), true, "small primary")] : [],
  );
}

/** @type {Partial<Record<DeskName, string>>} */
const newest = {};

/** Selects the ticket that a customer has just made.
 * @param {DeskName} desk
 * @param {Ticket[]} list
 */
function follow(desk, list) {
  const top = list.find((t) => t.customer)?.id ?? "";
  const before = newest[desk];
  newest[desk] = top;
  if (before === undefined || top === before || !top) return;
  if (before && !list.some((t) => t.id === before)) return;
  choose({ ticket: top });
}

// The panes.

let shownCustomer = "";
let shownAgent = "";
/** @type {{ close(): void } | undefined} */
let host;

function panes() {
  const { desk, customer, language } = chosen;
  const who = `${desk} ${customer} ${language}`;
  if (shownCustomer !== who) {
    shownCustomer = who;
    const pane = byId("customer-pane");
    const person = config.customers.find((c) => c.id === customer);
    if (config.built) {
      const query = new URLSearchParams({ who: customer, desk });
      if (language === "rtl") query.set("dir", "rtl");
      else if (language !== "en") query.set("lang", language);
      const src = `/demo/customer.html?${query}`;
      pane.replaceChildren(h("iframe", { src, title: "The customer's browser" }));
    } else {
      plainCustomer(pane, { config, desk, person });
    }
  }
  const agent = current();
  const ticket = chosen.ticket[desk];
  const room = `${desk} ${agent.id} ${ticket}`;
  if (shownAgent === room) return;
  shownAgent = room;
  const pane = byId("agent-pane");
  host?.close();
  host = undefined;
  if (!ticket) {
    pane.replaceChildren(
      h("p", { class: "empty" }, `What ${first(agent)} sees in ${desks[desk].title} beside a ticket appears here.`),
    );
  } else if (!config.built) {
    host = plainAgent(pane, { config, desk, agent, groupId: desks[desk].room(ticket) });
  } else if (desk === "zendesk") {
    openInZendesk(pane, agent, ticket);
  } else {
    openInSalesforce(pane, agent, ticket);
  }
}

/** Opens the app as Zendesk does: a form with a token signed for this agent.
 * @param {HTMLElement} pane
 * @param {import("./world.js").Person} agent
 * @param {string} ticket
 */
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
  host = new ZafHost(frame, {
    ticket: () => tickets(state, "zendesk").find((t) => t.id === ticket),
    agent,
    agents: deskConfig("zendesk").agents,
    api: (path) => call("POST", `${config.sandbox}/desk/zendesk/request`, { agent: Number(agent.id), path }),
  });
  form.submit();
}

// What the org's Quick Text might hold.
const quickTexts = [
  { title: "Greeting", text: "Hello! I am looking at your case." },
  { title: "More", text: "Could you tell me a little more?" },
];

/** Does what the component in Salesforce's utility bar does around the panel.
 * @param {HTMLElement} pane
 * @param {import("./world.js").Person} agent
 * @param {string} ticket
 */
function openInSalesforce(pane, agent, ticket) {
  const frame = h("iframe", { src: "/panel.html", title: "The agent's panel in Salesforce" });
  /** @param {MessageEvent} e */
  const hear = async ({ source, origin, data }) => {
    const panel = frame.contentWindow;
    if (!panel || source !== panel || origin !== location.origin) return;
    if (data?.type === "caseroom:replies") {
      panel.postMessage({ type: data.type, groupId: data.groupId, replies: quickTexts }, origin);
    }
    if (data?.type === "caseroom:titles") {
      const titles = tickets(state, "salesforce")
        .filter((t) => data.groupIds.includes(t.id))
        .map((t) => ({ groupId: t.id, title: `${t.label} ${t.subject}` }));
      panel.postMessage({ type: data.type, titles }, origin);
    }
    if (data?.type === "caseroom:open") choose({ ticket: data.groupId });
    if (!["caseroom:ready", "caseroom:renew", "caseroom:look"].includes(data?.type)) return;
    try {
      const credentials = await call(
        "POST",
        "/salesforce/usersig",
        { userId: agent.id },
        { Authorization: `Bearer ${deskConfig("salesforce").key}` },
      );
      const row = state.salesforce.cases.find((/** @type {any} */ c) => c.id === ticket);
      const owner = deskConfig("salesforce").agents.find(({ id }) => id === row?.ownerId);
      const standing = {
        state: row?.isDeleted ? "deleted" : row?.isClosed ? "ended" : "open",
        assignee: owner ? { name: owner.name, mine: owner.id === agent.id } : null,
      };
      const customer = { name: row?.suppliedName, email: row?.suppliedEmail, unverified: true };
      panel.postMessage(
        {
          type: "caseroom:credentials",
          ...credentials,
          groupId: ticket,
          ticketId: row?.caseNumber,
          customer,
          standing,
        },
        origin,
      );
    } catch (err) {
      panel.postMessage({ type: "caseroom:error", code: "credentials", retryAfterMs: 2000 }, origin);
      complain(err instanceof Error ? err.message : String(err));
    }
  };
  addEventListener("message", hear);
  host = { close: () => removeEventListener("message", hear) };
  pane.replaceChildren(frame);
}

// What is chosen.

/** @param {{ desk?: DeskName, ticket?: string, customer?: string, language?: string, agent?: number }} change */
function choose(change) {
  if (change.desk) chosen.desk = change.desk;
  if (change.ticket) chosen.ticket[chosen.desk] = change.ticket;
  if (change.customer) chosen.customer = change.customer;
  if (change.language) chosen.language = change.language;
  if (change.agent !== undefined) chosen.agent[chosen.desk] = change.agent;
  try {
    sessionStorage.setItem("demo", JSON.stringify(chosen));
  } catch {
    // Then a reload begins anew.
  }
  drawChoices();
  if (state) draw();
  panes();
}

function drawChoices() {
  const { desk } = chosen;
  part("agent", [desk, chosen.agent[desk]], () =>
    deskConfig(desk).agents.map((a, i) => h("option", { value: i, selected: i === chosen.agent[desk] }, a.name)),
  );
  part("customer", chosen.customer, () =>
    [...config.customers, ...(config.guests ? [{ id: "guest", name: "A guest" }] : [])].map((c) =>
      h("option", { value: c.id, selected: c.id === chosen.customer }, c.name),
    ),
  );
  part("language", chosen.language, () =>
    languages.map(([tag, name]) => h("option", { value: tag, selected: tag === chosen.language }, name)),
  );
}

/**
 * @param {string} id
 * @param {(value: string) => void} f
 */
function onChoice(id, f) {
  byId(id).addEventListener("change", (e) => f(/** @type {HTMLSelectElement} */ (e.currentTarget).value));
}

byId("language").hidden = !config.built;
onChoice("customer", (customer) => choose({ customer }));
onChoice("language", (language) => choose({ language }));
onChoice("agent", (i) => choose({ agent: Number(i) }));
byId("stray").addEventListener(
  "click",
  does(() => click(`${chosen.desk}/create`, { subject: "A call about an invoice" })),
);
byId("quiet").addEventListener("change", () => state && draw());
afterClicks(() => void look());

drawChoices();
panes();
for (;;) {
  await look();
  await new Promise((done) => setTimeout(done, document.hidden ? 3000 : 500));
}
