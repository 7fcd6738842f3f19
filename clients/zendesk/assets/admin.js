// The page in Zendesk's navigation bar: it connects the account to caseroom
// through the admin's own session, and shows how that stands.
import { textsFor } from "./texts.js";
import { apiAnswers, webhookTo, Zis, ZisError } from "./zis.js";

const main = document.getElementById("main");

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else if (v !== false && v !== undefined) node.setAttribute(k, v === true ? "" : v);
  }
  node.append(...children);
  return node;
}

async function json(name) {
  const res = await fetch(name);
  if (!res.ok) throw new Error(`${name}: ${res.status}`);
  return res.json();
}

async function start() {
  const client = globalThis.ZAFClient?.init();
  if (!client) {
    main.replaceChildren(el("p", { role: "alert" }, textsFor(navigator.language).outside));
    return;
  }
  const [{ currentUser }, { api, integration }, bundle] = await Promise.all([
    client.get("currentUser"),
    json("config.json"),
    json("bundle.json"),
  ]);
  const t = textsFor(currentUser.locale);
  document.documentElement.lang = currentUser.locale ?? "en";
  if (currentUser.role !== "admin") {
    main.replaceChildren(el("h1", {}, t.title), el("p", { role: "alert" }, t.onlyAdmins));
    return;
  }
  draw({ client, t, api, integration, bundle });
}

function draw({ client, t, api, integration, bundle }) {
  const bearer = el("input", {
    id: "bearer",
    type: "password",
    autocomplete: "off",
    "aria-describedby": "bearer-help",
  });
  const problem = el("p", { role: "alert", class: "bad" });
  const news = el("p", { role: "status", class: "good" });
  const list = el("ol", {});
  const health = el("dl", {});
  const setUp = el("button", { class: "primary", type: "submit" }, t.setUp);
  const again = el("button", { type: "button", onclick: () => busy(look) }, t.lookAgain);
  const stop = el("button", { type: "button", onclick: () => ask.showModal() }, t.uninstall);
  const ask = el(
    "dialog",
    { "aria-labelledby": "sure" },
    el("p", { id: "sure" }, t.sure),
    el(
      "div",
      { class: "buttons" },
      el(
        "button",
        {
          type: "button",
          class: "primary",
          onclick: () => {
            ask.close();
            void busy(uninstall);
          },
        },
        t.yes,
      ),
      el("button", { type: "button", onclick: () => ask.close() }, t.no),
    ),
  );
  const z = new Zis(client, integration, bundle);

  async function busy(work) {
    const buttons = [setUp, again, stop];
    for (const b of buttons) b.disabled = true;
    problem.textContent = "";
    news.textContent = "";
    try {
      await work();
    } catch (err) {
      problem.textContent = t[err.code] ?? t.refused;
      if (err instanceof Failure) err.input.focus();
      else if (!(err instanceof ZisError)) console.error(err);
    } finally {
      for (const b of buttons) b.disabled = false;
    }
  }

  async function install() {
    if (!bearer.value) throw new Failure("noBearer", bearer);
    const steps = [
      ["register", () => z.register()],
      ["connect", () => z.connect(bearer.value)],
      ["upload", () => z.upload()],
      ["install", () => z.install()],
      [
        "check",
        async () => {
          const s = await z.status();
          if (!s.registered || !s.connected || s.installed < s.wanted) throw new ZisError("refused");
        },
      ],
    ];
    const marks = steps.map(() => el("span", { class: "help" }, t.waiting));
    list.replaceChildren(...steps.map(([step], i) => el("li", {}, el("span", {}, t[step]), marks[i])));
    const mark = (i, state, kind) => {
      marks[i].textContent = t[state];
      marks[i].className = kind;
    };
    for (const [i, [, run]] of steps.entries()) {
      mark(i, "running", "help");
      try {
        await run();
      } catch (err) {
        mark(i, "failed", "bad");
        throw err;
      }
      mark(i, "done", "good");
    }
    bearer.value = "";
    await look();
    news.textContent = t.allDone;
  }

  async function uninstall() {
    await z.uninstall();
    list.replaceChildren();
    await look();
    news.textContent = t.stopped;
  }

  async function look() {
    const [answers, status, hook] = await Promise.all([
      apiAnswers(client, api),
      z.status(),
      webhookTo(client, api).catch(() => undefined),
    ]);
    const row = (label, text, good) =>
      el("div", {}, el("dt", {}, label), el("dd", { class: good ? "good" : "bad" }, text));
    const yes = (v) => (v ? t.good : t.bad);
    health.replaceChildren(
      row(t.api, yes(answers), answers),
      row(t.registered, yes(status.registered), status.registered),
      row(t.connected, yes(status.connected), status.connected),
      row(t.installed, `${status.installed} / ${status.wanted}`, status.installed === status.wanted),
      // The flow is one way to hear of changes, a webhook is the other.
      row(
        t.webhook,
        hook ? `${hook.name}: ${hook.active ? t.active : t.inactive}` : t.none,
        hook?.active || status.installed === status.wanted,
      ),
    );
  }

  const form = el(
    "form",
    {
      onsubmit: (e) => {
        e.preventDefault();
        void busy(install);
      },
    },
    el("p", {}, t.name, " ", el("code", {}, integration)),
    el("label", {}, t.bearer, bearer, el("span", { class: "help", id: "bearer-help" }, t.bearerHelp)),
    el("div", { class: "buttons" }, setUp),
  );
  main.removeAttribute("aria-busy");
  main.replaceChildren(
    el("h1", {}, t.title),
    el("p", {}, t.lead),
    el("h2", {}, t.setUp),
    form,
    problem,
    news,
    list,
    el("h2", {}, t.health),
    health,
    el("div", { class: "buttons" }, again, stop),
    ask,
  );
  void busy(look);
}

/** A field that must be mended first. */
class Failure extends Error {
  constructor(code, input) {
    super(code);
    this.code = code;
    this.input = input;
  }
}

start().catch((err) => {
  console.error(err);
  main.replaceChildren(el("p", { role: "alert", class: "bad" }, textsFor(navigator.language).offline));
});
