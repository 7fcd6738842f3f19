import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";
import { Site } from "./site";

export interface Stack {
  gateway: string;
  sandbox: string;
  /** Hosts the build, and the shop's page with the widget. */
  site: string;
  /** Another origin: a page like Salesforce's around the panel. */
  desk: string;
  /** An origin that nobody configured. */
  stranger: string;
  tokens: { login: string; guest: string; zendeskApp: string; salesforceKey: string };
  browser: string;
}

declare module "vitest" {
  interface ProvidedContext {
    stack: Stack | undefined;
  }
}

/** The first is what make chromium installs. */
const browsers = process.env.CASEROOM_BROWSER
  ? [process.env.CASEROOM_BROWSER]
  : ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const web = resolve(import.meta.dirname, "../..");
const root = resolve(web, "../..");

/** Runs the whole of caseroom on free ports, and the pages as a host would serve them. */
export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const browser = browsers.find((path) => existsSync(path));
  if (!browser) {
    const why = `There is no browser at ${browsers.join(" or ")}: make chromium, or set CASEROOM_BROWSER.`;
    if (process.env.CI) throw new Error(why);
    console.warn(`\n*** ${why} The tests in a browser are SKIPPED. ***\n`);
    project.provide("stack", undefined);
    return undefined;
  }
  const dist = join(web, "dist");
  if (!existsSync(join(dist, "widget.js"))) throw new Error("dist is not built: npm run build");
  const dir = mkdtempSync(join(tmpdir(), "caseroom-web-"));
  const hosted = new Site(dist);
  const around = new Site(dist);
  const unknown = new Site(dist);
  const site = await hosted.listen();
  const desk = await around.listen();
  const stranger = await unknown.listen();

  const binary = join(dir, "caseroom");
  execFileSync("go", ["build", "-trimpath", "-o", binary, "./cmd/caseroom"], {
    cwd: root,
    env: { ...process.env, CGO_ENABLED: "0" },
    stdio: "inherit",
  });
  const ready = join(dir, "ready.json");
  const child = spawn(
    binary,
    [
      "run",
      "--gateway-addr=127.0.0.1:0",
      "--sandbox-addr=127.0.0.1:0",
      `--ready-file=${ready}`,
      `--param=AllowedOrigins=${site}`,
      `--param=PanelUrl=${site}`,
    ],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
  );
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      log = (log + text).slice(-4000);
    });
  }
  const ended = new Promise<void>((done) => child.on("exit", () => done()));
  const stop = async () => {
    if (child.exitCode === null) child.kill("SIGINT");
    await ended;
    await Promise.all([hosted.close(), around.close(), unknown.close()]);
    rmSync(dir, { recursive: true, force: true });
  };
  const deadline = Date.now() + 900_000;
  while (!existsSync(ready)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`caseroom run did not come up:\n${log}`);
    }
    await new Promise((again) => setTimeout(again, 100));
  }
  const up = JSON.parse(readFileSync(ready, "utf8")) as Pick<
    Stack,
    "gateway" | "sandbox" | "tokens"
  >;
  pages(hosted, around, unknown, { ...up, site, desk });
  project.provide("stack", { ...up, site, desk, stranger, browser });
  return stop;
}

type Addresses = Pick<Stack, "gateway" | "sandbox" | "site" | "desk">;

function pages(hosted: Site, around: Site, unknown: Site, a: Addresses): void {
  const widget = (more = "", lang = "", before = "") =>
    `<h1>Shop</h1><p>Lamps of all kinds.</p>${before}
     <script type="module" src="/widget.js" data-caseroom-api="${a.gateway}" data-caseroom-sandbox="${a.sandbox}" ${more}${lang ? ` data-caseroom-lang="${lang}"` : ""}></script>`;
  // A shop's policy that says nothing of styles but forbids inline ones.
  const csp = `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${a.gateway} ${a.sandbox}; img-src ${a.sandbox}`;
  hosted.html("/plain", "<h1>Empty</h1>");
  hosted.html("/shop", widget(), csp);
  hosted.html("/shop/salesforce", widget('data-caseroom-desk="salesforce"'), csp);
  for (const lang of ["ja", "zh", "ru"]) hosted.html(`/shop/${lang}`, widget("", lang), csp);
  hosted.html("/shop/underscore", widget("", "ja_JP"), csp);
  // Its policy would have to let the service's script in.
  hosted.html("/shop/challenge", widget('data-caseroom-challenge="turnstile 0x4AAA"'));
  // What other people's pages do to what is on them.
  hosted.html(
    "/shop/hostile",
    `<style>
       :not(:defined), body > :not(h1):not(script) { display: none !important; opacity: 0.1; transform: scale(2) }
       * { font-family: fantasy !important; all: revert; letter-spacing: 9px }
       caseroom-widget { position: static !important; opacity: 0 !important; pointer-events: none !important }
     </style>
     <script>document.addEventListener("keydown", (e) => { if (e.key === "s") globalThis.pressed = 1; });</script>
     ${widget()}`,
    `default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; connect-src ${a.gateway} ${a.sandbox}; require-trusted-types-for 'script'; trusted-types 'none'`,
  );
  hosted.html(
    "/shop/hours",
    widget(
      'data-caseroom-hours="UTC mon-fri 09:00-17:00" data-caseroom-expected-wait="10 minutes"',
    ),
    csp,
  );
  hosted.html(
    "/shop/branded",
    `<script>globalThis.heard = []; for (const e of ["open", "close", "ticket", "message"]) document.addEventListener("caseroom:" + e, () => heard.push("caseroom:" + e));</script>
     ${widget('data-caseroom-title="Lamp help" data-caseroom-greeting="Ask us about lamps." data-caseroom-color="#7a1fa2" data-caseroom-position="left" data-caseroom-logo="data:image/gif;base64,R0lGODlhAQABAIAAAP///////yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="')}`,
  );
  hosted.html(
    "/shop/account",
    `<script src="/login.js"></script>${widget('data-caseroom-token="loginToken"')}`,
    csp,
  );
  hosted.html(
    "/shop/members",
    `<script src="/login.js"></script>${widget('data-caseroom-token="loginToken" data-caseroom-guests="off"')}`,
    csp,
  );
  hosted.pages.set("/login.js", {
    type: "text/javascript",
    body: "globalThis.loginToken = () => sessionStorage.getItem('login') ?? '';",
  });
  hosted.pages.set("/rtl.js", {
    type: "text/javascript",
    body: `import { mount } from "/widget.js";
      mount({ api: "${a.gateway}", chat: { kind: "sandbox", url: "${a.sandbox}" }, dir: "rtl" });`,
  });
  hosted.html("/shop/rtl", '<h1>Shop</h1><script type="module" src="/rtl.js"></script>', csp);
  hosted.html(
    "/shop/tencent",
    `<h1>Shop</h1><script type="module" src="/widget.js" data-caseroom-api="${a.gateway}"></script>`,
  );
  hosted.csp = `default-src 'none'; script-src 'self' https://static.zdassets.com https://dev.zopim.com; connect-src 'self' ${a.gateway} ${a.sandbox}; img-src ${a.sandbox}; frame-ancestors ${a.desk}; base-uri 'none'`;
  hosted.json("/config.json", {
    api: a.gateway,
    chat: { kind: "sandbox", url: a.sandbox },
    parents: [a.desk],
  });
  const frame = `<h1>Console</h1><iframe title="Ticket chat" src="${a.site}/panel.html" style="width:420px;height:640px;border:0"></iframe>`;
  around.html("/console", frame);
  unknown.html("/console", frame);
}
