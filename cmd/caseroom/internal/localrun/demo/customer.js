// A shop's page with the widget in it, as any site has it.
import { mount } from "/widget.js";

const query = new URLSearchParams(location.search);
/** @type {{ run: string, sandbox: string, customers: { id: string, token: string }[] }} */
const know = await (await fetch("/demo.json")).json();
const person = know.customers.find((c) => c.id === query.get("who"));

// What was remembered of another run names tickets that are not there, or are
// somebody else's.
if (localStorage.getItem("demo:run") !== know.run) {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith("demo:") || key.startsWith("caseroom:")) localStorage.removeItem(key);
  }
  localStorage.setItem("demo:run", know.run);
}

// Everybody has a browser of their own here: what the widget remembers is kept
// by person and desk.
const api = location.origin;
const slot = `demo:${query.get("who")}:${query.get("desk")}`;
const current = localStorage.getItem("demo:current");
const key = `caseroom:${api}`;
if (current !== slot) {
  const kept = localStorage.getItem(key);
  if (current && kept !== null) localStorage.setItem(current, kept);
  const own = localStorage.getItem(slot);
  if (own === null) localStorage.removeItem(key);
  else localStorage.setItem(key, own);
  localStorage.setItem("demo:current", slot);
}

const lang = query.get("lang");
const desk = query.get("desk");
mount({
  api,
  ...(desk === "zendesk" || desk === "salesforce" ? { desk } : {}),
  chat: { kind: "sandbox", url: know.sandbox },
  ...(lang ? { lang } : {}),
  ...(query.get("dir") === "rtl" ? { dir: "rtl" } : {}),
  container: /** @type {HTMLElement} */ (document.getElementById("chat")),
  ...(person ? { getToken: () => person.token } : {}),
}).open();
