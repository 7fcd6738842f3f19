// Who there is, and the doors through which the page acts: the same that desks,
// customers and tests use.
import { byId } from "./element.js";

/**
 * @typedef {"zendesk" | "salesforce"} DeskName
 * @typedef {{ id: string, name: string, token: string }} Person
 * @typedef {{ agents: Person[], own: string, key: string, events: string }} DeskConfig
 * @typedef {{ sandbox: string, built: boolean, run: string, customers: Person[], guests: boolean,
 *   schedules: string[], zendesk?: DeskConfig, salesforce?: DeskConfig }} Config
 */

/** @returns {Promise<Config>} */
async function know() {
  for (;;) {
    const res = await fetch("/demo.json").catch(() => undefined);
    if (res?.ok) return res.json();
    await new Promise((done) => setTimeout(done, 500));
  }
}

export const config = await know();

/** @type {Record<DeskName, { title: string, room: (id: string) => string, agentPrefix: string }>} */
export const desks = {
  zendesk: { title: "Zendesk", room: (id) => `ZENDESK#${id}`, agentPrefix: "zd_" },
  salesforce: { title: "Salesforce", room: (id) => id, agentPrefix: "sf_" },
};

/** The desks that the stack has. */
export const here = /** @type {DeskName[]} */ (["zendesk", "salesforce"]).filter((d) => config[d]);

/** @param {DeskName} desk */
export function deskConfig(desk) {
  const c = config[desk];
  if (!c) throw new Error(`the stack has no ${desk}`);
  return c;
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let toastTimer;

/** @param {string} text */
export function complain(text) {
  const toast = byId("toast");
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("shown"), 8000);
}

/**
 * @param {string} method
 * @param {string} url
 * @param {object} [body]
 * @param {Record<string, string>} [headers]
 */
export async function call(method, url, body, headers = {}) {
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

/** @param {string} path */
export const box = (path) => config.sandbox + path;

/** What somebody does in a desk, or to a room behind everybody's back.
 * @param {string} path
 * @param {object} body
 */
export const click = (path, body) => call("POST", box(`/desk/${path}`), body);

/** @type {() => void} */
let after = () => {};

/** @param {() => void} f runs after every click */
export function afterClicks(f) {
  after = f;
}

/** Runs what a click does; an error is shown, and the page looks again at once.
 * @param {() => unknown} f
 */
export function does(f) {
  return async () => {
    try {
      await f();
    } catch (err) {
      complain(err instanceof Error ? err.message : String(err));
    }
    after();
  };
}
