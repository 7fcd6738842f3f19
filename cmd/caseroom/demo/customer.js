// A shop's page with the widget in it, as any site has it.
import { mount } from "/widget.js";

const query = new URLSearchParams(location.search);
const know = await (await fetch("/demo.json")).json();
const person = know.customers.find((c) => c.id === query.get("who"));

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

mount({
  api,
  desk: query.get("desk") ?? undefined,
  chat: { kind: "sandbox", url: know.sandbox },
  container: document.getElementById("chat"),
  ...(person ? { getToken: () => person.token } : {}),
}).open();
