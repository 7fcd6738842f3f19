// The panes where the built clients are missing: as little as a chat needs, over
// the same routes and the same chat.
import { h } from "./element.js";

/**
 * @typedef {import("./world.js").Config} Config
 * @typedef {import("./world.js").DeskName} DeskName
 * @typedef {import("./world.js").Person} Person
 * @typedef {{ sdkAppId: number, userId: string, userSig: string }} Credentials
 */

/** What listens in a pane; a browser has few connections for those. @type {WeakMap<HTMLElement, { close(): void }>} */
const chats = new WeakMap();

/** @param {unknown} err */
const why = (err) => (err instanceof Error ? err.message : String(err));

/**
 * @param {string} url
 * @param {object} body
 * @param {string} [token]
 */
async function post(url, body, token) {
  const res = await fetch(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(url.includes("createticket") ? { "Idempotency-Key": crypto.randomUUID() } : {}),
    },
    body: JSON.stringify(body),
  });
  const answer = await res.json().catch(() => ({}));
  if (!res.ok) throw new Error(answer.detail ?? answer.message ?? `It failed (${res.status}).`);
  return answer;
}

/**
 * A form for a ticket, then its chat.
 *
 * @param {HTMLElement} pane
 * @param {{ config: Config, desk: DeskName, person: Person | undefined }} o
 */
export function plainCustomer(pane, { config, desk, person }) {
  chats.get(pane)?.close();
  const problem = h("p", { role: "alert", class: "bad" });
  const form = h(
    "form",
    { class: "ask" },
    h("label", {}, "Subject", h("input", { name: "subject", required: true, value: "The lamp is dark" })),
    h("label", {}, "What is wrong", h("textarea", { name: "desc", required: true, rows: 4 }, "It does not light.")),
    problem,
    h("button", {}, "Ask"),
  );
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const caseInfo = Object.fromEntries(new FormData(form));
    try {
      const t = await (person
        ? post(`/${desk}/createticket`, { caseInfo }, person.token)
        : post(`/guest/createticket?desk=${desk}`, {
            caseInfo: { ...caseInfo, name: "A guest", email: "guest@customer.example" },
          }));
      const token = person?.token ?? t.guestToken;
      chat(pane, config, t.GroupId, t, () => post("/usersig", {}, token));
    } catch (err) {
      problem.textContent = why(err);
    }
  });
  pane.replaceChildren(form);
}

/**
 * The chat of a ticket, for an agent.
 *
 * @param {HTMLElement} pane
 * @param {{ config: Config, desk: DeskName, agent: Person, groupId: string }} o
 */
export function plainAgent(pane, { config, desk, agent, groupId }) {
  const renew = async () => {
    if (desk === "salesforce") return post("/salesforce/usersig", { userId: agent.id }, config.salesforce?.key);
    const res = await fetch("/zendesk/app", { method: "POST", body: new URLSearchParams({ token: agent.token }) });
    const page = new DOMParser().parseFromString(await res.text(), "text/html");
    const session = JSON.parse(page.getElementById("caseroom-session")?.textContent ?? "{}");
    return post("/usersig", {}, session.sessionToken);
  };
  return chat(pane, config, groupId, undefined, renew);
}

/**
 * @param {HTMLElement} pane
 * @param {Config} config
 * @param {string} groupId
 * @param {Credentials | undefined} first
 * @param {() => Promise<Credentials>} renew
 */
function chat(pane, config, groupId, first, renew) {
  chats.get(pane)?.close();
  const list = h("ol", { "aria-live": "polite" });
  const status = h("p", { class: "faint", role: "status" }, "Connecting …");
  const text = h("input", { "aria-label": "Message", autocomplete: "off" });
  const form = h("form", {}, text, h("button", {}, "Send"));
  pane.replaceChildren(h("div", { class: "chat" }, status, list, form));

  /** @type {Map<number, HTMLElement>} */
  const seen = new Map();
  let session = "";
  let me = first?.userId ?? "";
  /** @type {EventSource | undefined} */
  let events;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;
  let over = false;
  const open = {
    close: () => {
      over = true;
      clearTimeout(again);
      events?.close();
    },
  };
  chats.set(pane, open);
  const get = async (/** @type {string} */ path) => {
    const res = await fetch(`${config.sandbox}${path}&${new URLSearchParams({ session, groupId })}`);
    const answer = await res.json();
    if (!res.ok) throw Object.assign(new Error(answer.message), { code: answer.code });
    return answer;
  };
  const show = (/** @type {any} */ m) => {
    const what = m.recalled
      ? "(recalled)"
      : m.type === "text"
        ? m.text
        : h("a", { href: m.url, target: "_blank", rel: "noreferrer" }, m.name ?? m.type);
    const li = h("li", { class: m.from === me ? "mine" : "" }, h("b", {}, `${m.nick || m.from} `), what);
    const next = [...seen.keys()].filter((seq) => seq > m.seq).sort((a, b) => a - b)[0];
    const old = seen.get(m.seq);
    if (old) old.replaceWith(li);
    else list.insertBefore(li, (next !== undefined && seen.get(next)) || null);
    seen.set(m.seq, li);
    list.scrollTop = list.scrollHeight;
  };
  const read = async () => {
    try {
      const { messages } = await get("/chat/groups/messages?limit=100");
      messages.forEach(show);
      const room = (await get("/chat/groups?")).find((/** @type {any} */ g) => g.groupId === groupId);
      status.textContent = room?.muted ? "The ticket is solved; the chat is locked." : "";
      text.disabled = room?.muted ?? true;
    } catch (err) {
      text.disabled = true;
      const { code } = /** @type {{ code?: number }} */ (err);
      status.textContent =
        code === 10007 ? "Not in this room (yet)." : code === 10010 ? "There is no such room." : "No connection.";
    }
  };
  const login = async () => {
    clearTimeout(again);
    events?.close();
    try {
      const c = first ?? (await renew());
      first = undefined;
      me = c.userId;
      ({ session } = await post(`${config.sandbox}/chat/login`, {
        sdkAppId: c.sdkAppId,
        userId: c.userId,
        userSig: c.userSig,
        session,
      }));
    } catch (err) {
      status.textContent = why(err);
      if (!over) again = setTimeout(login, 3000);
      return;
    }
    if (over) return;
    const stream = new EventSource(`${config.sandbox}/chat/events?session=${session}`);
    events = stream;
    stream.onopen = read;
    stream.onmessage = ({ data }) => {
      const e = JSON.parse(data);
      if (e.type === "sigExpired") void login();
      else if (e.type === "kicked") status.textContent = "Logged in elsewhere.";
      else if (e.groupId === groupId && e.type === "message") show(e.message);
      else void read();
    };
    stream.onerror = () => {
      status.textContent = "No connection.";
      if (stream.readyState === EventSource.CLOSED && !over) again = setTimeout(login, 3000);
    };
  };
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const message = text.value.trim();
    if (!message) return;
    text.value = "";
    try {
      await post(`${config.sandbox}/chat/groups/send`, {
        session,
        groupId,
        type: "text",
        text: message,
        clientId: crypto.randomUUID(),
      });
      await read();
    } catch (err) {
      status.textContent = why(err);
      text.value = message;
    }
  });
  void login();
  return open;
}
