import axe, { type AxeResults, type Result } from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect, inject } from "vitest";
import type { Stack } from "./setup";

const provided = inject("stack");
/** Whether there is a browser; without one these tests are skipped, loudly, by the setup. */
export const here = provided !== undefined;
export const stack = provided as Stack;

let browser: Promise<Browser> | undefined;
let contexts: BrowserContext[] = [];
let complaints: string[] = [];
let expected: RegExp[] = [];

/** Says which complaint of the browser a test is about. */
export function expectComplaint(about: RegExp): void {
  expected.push(about);
}

/** The one browser of all files; it ends with this process. */
function launched(): Promise<Browser> {
  browser ??= chromium.launch({
    executablePath: stack.browser,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Whatever a page tries, also by WebSocket: nothing leaves this machine.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
  return browser;
}

/** The pages that are open in all the browsers of a test. */
export function openPages(): Page[] {
  return contexts.flatMap((c) => c.pages());
}

/** Closes the browsers of a test, and returns what they complained of and no test is about. */
export async function goHome(): Promise<string[]> {
  await Promise.all(contexts.map((c) => c.close()));
  const found = complaints.filter((c) => !expected.some((e) => e.test(c)));
  contexts = [];
  complaints = [];
  expected = [];
  return found;
}

/** Somebody at a browser of their own. */
export async function visitor(
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<BrowserContext> {
  const context = await (await launched()).newContext({ locale: "en-GB", ...options });
  context.setDefaultTimeout(120_000);
  contexts.push(context);
  // What no test answers is for a host that the browser does not find.
  context.on("requestfailed", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (/^https?:$/.test(protocol) && hostname !== "127.0.0.1") {
      complaints.push(`left the machine: ${request.url()}`);
    }
  });
  context.on("weberror", (e) => complaints.push(`error in the page: ${e.error().stack}`));
  context.on("console", (m) => {
    if (/Content.Security.Policy/i.test(m.text())) complaints.push(m.text());
  });
  return context;
}

export async function api<T = Record<string, string>>(
  path: string,
  bearer: string,
  body: unknown = {},
): Promise<T> {
  const res = await fetch(stack.gateway + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${bearer}` },
    body: JSON.stringify(body),
  });
  const text = await res.text();
  if (!res.ok) throw new Error(`${path}: ${res.status} ${text}`);
  return JSON.parse(text) as T;
}

/** Asks the sandbox; what agents do in their desks is POST /desk/…. */
export async function sandbox<T = unknown>(
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const res = await fetch(stack.sandbox + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await res.text();
  if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Nothing that axe finds, of any grade; of a page around the widget, nothing serious. */
export async function accessible(page: Page): Promise<void> {
  for (const frame of page.frames()) {
    if (await frame.evaluate(() => "axe" in globalThis)) continue;
    await frame.evaluate(axe.source);
    // The frame of another origin is looked into as well.
    await frame.evaluate(`axe.configure({ allowedOrigins: ["<unsafe_all_origins>"] })`);
  }
  const { violations } = await page.evaluate<AxeResults>(
    "axe.run({ resultTypes: ['violations'] })",
  );
  const inside = (v: Result) =>
    v.nodes.some((n) => n.target.length > 1 || String(n.target).includes("caseroom-widget"));
  const bad = violations
    .filter((v) => v.impact === "serious" || v.impact === "critical" || inside(v))
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join(" | ")}`);
  expect(bad).toEqual([]);
}

/** Opens the widget, and fills in its form. */
export async function ask(page: Page, subject: string, desc = "It does not light."): Promise<void> {
  await page.getByRole("button", { name: "Chat with us" }).click();
  await page.getByLabel("Subject").fill(subject);
  await page.getByLabel("How can we help?").fill(desc);
  await page.getByRole("button", { name: "Start chat" }).click();
}

/** The number of the request that the widget shows. */
export async function ticketOf(page: Page): Promise<string> {
  const heading = page.getByRole("heading", { name: /^Request / });
  return ((await heading.textContent()) ?? "").replace("Request ", "").trim();
}

export async function say(scope: Pick<Page, "getByRole">, text: string): Promise<void> {
  await scope.getByRole("textbox", { name: "Write a message" }).fill(text);
  await scope.getByRole("button", { name: "Send" }).click();
}

/** What somebody says appears in a chat. */
export async function hears(scope: Pick<Page, "getByRole">, text: string): Promise<void> {
  await scope.getByRole("article").filter({ hasText: text }).first().waitFor();
}

export const alex = 900000101;
export const billie = 900000102;

/** Opens the panel as Zendesk does: its own script is a stand-in, the page is zendeskapp's. */
export async function zendeskPanel(
  ticket: string,
  tags: string[] = ["caseroom"],
  options: Parameters<typeof visitor>[0] = {},
  before: (context: BrowserContext) => Promise<void> = async () => {},
): Promise<Page> {
  const context = await zendeskBrowser(tags, options);
  await before(context);
  return panelOf(context, ticket);
}

/** Alex's browser, signed in to Zendesk. */
export async function zendeskBrowser(
  tags: string[] = ["caseroom"],
  options: Parameters<typeof visitor>[0] = {},
): Promise<BrowserContext> {
  const context = await visitor(options);
  await context.exposeFunction("zafGet", async (id: number) => {
    const [all, people] = await Promise.all([
      sandbox<{ id: number; status: string; assignee_id?: number }[]>(
        "GET",
        "/desk/zendesk/tickets",
      ),
      sandbox<{ id: number; name: string }[]>("GET", "/desk/zendesk/agents"),
    ]);
    const ticket = all.find((t) => t.id === id);
    return {
      "ticket.id": id,
      "ticket.externalId": "caseroom:guest_x:k",
      "ticket.tags": tags,
      "ticket.status": ticket?.status,
      "ticket.assignee": { user: people.find((p) => p.id === ticket?.assignee_id) },
      "ticket.requester": { name: "Dana Customer", email: "dana@customer.example" },
      currentUser: { id: alex, name: "Alex Agent" },
      ...(options?.locale ? { "currentUser.locale": options.locale.toLowerCase() } : {}),
    };
  });
  await context.exposeFunction("zafRequest", (path: string) =>
    sandbox("POST", "/desk/zendesk/request", { agent: alex, path }),
  );
  await context.route("https://static.zdassets.com/**", (route) =>
    route.fulfill({
      contentType: "text/javascript",
      headers: { "Access-Control-Allow-Origin": "*" },
      body: `{
        const handlers = {};
        const query = new URLSearchParams(location.search);
        const ticket = Number(query.get("ticket"));
        globalThis.invoked = [];
        globalThis.zaf = { fire: (event) => handlers[event]?.forEach((h) => h()) };
        globalThis.ZAFClient = { init: () => ({
          get: () => zafGet(ticket),
          on: (event, handler) => (handlers[event] ??= []).push(handler),
          invoke: async (...args) => { invoked.push(args); },
          context: async () => ({ location: query.get("place") }),
          request: async ({ url }) => {
            const { status, body } = await zafRequest(url);
            if (status >= 400) throw { status, responseJSON: body };
            return body;
          },
        }) };
      }`,
    }),
  );
  return context;
}

export async function panelOf(
  context: BrowserContext,
  ticket: string,
  place = "ticket_sidebar",
): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${stack.site}/plain`);
  await page.evaluate(
    ([action, token]) => {
      const form = document.createElement("form");
      form.method = "post";
      form.action = action as string;
      const input = document.createElement("input");
      input.name = "token";
      input.value = token as string;
      form.append(input);
      document.body.append(form);
      form.submit();
    },
    [`${stack.gateway}/zendesk/app?ticket=${ticket}&place=${place}`, stack.tokens.zendeskApp],
  );
  return page;
}

/** What the page around a framed panel knows: Salesforce's component, played by a test. */
export interface Credentials {
  userId: string;
  userSig: string;
  sdkAppId: number;
  expiresAt: string;
}

export async function salesforceAgent(userId: string): Promise<Credentials> {
  return api<Credentials & Record<string, string>>(
    "/salesforce/usersig",
    stack.tokens.salesforceKey,
    {
      userId,
    },
  ) as Promise<Credentials>;
}

/** Opens the panel in a frame of a configured origin, and plays the component around it. */
export async function console_(
  room: string,
  credentials: () => Promise<Credentials>,
): Promise<{
  page: Page;
  heard: () => Promise<{ type: string; count?: number }[]>;
  tell: () => Promise<void>;
}> {
  const context = await visitor();
  const page = await context.newPage();
  await page.exposeFunction("credentials", credentials);
  await page.addInitScript(
    ([panel, groupId]) => {
      if (window !== window.top) return;
      const g = globalThis as unknown as {
        heard: unknown[];
        tell: () => Promise<void>;
        credentials: () => Promise<object>;
      };
      g.heard = [];
      g.tell = async () => {
        const message = await g.credentials().then(
          (c) => ({ type: "caseroom:credentials", desk: "salesforce", ...c, groupId }),
          () => ({ type: "caseroom:error", code: "credentials", retryAfterMs: 1000 }),
        );
        document.querySelector("iframe")?.contentWindow?.postMessage(message, panel as string);
      };
      addEventListener("message", (e) => {
        if (e.origin !== panel) return;
        g.heard.push(e.data);
        if (e.data.type === "caseroom:ready" || e.data.type === "caseroom:renew") void g.tell();
      });
    },
    [stack.site, room],
  );
  await page.goto(`${stack.desk}/console`);
  return {
    page,
    heard: () => page.evaluate(() => (globalThis as unknown as { heard: never[] }).heard),
    tell: () =>
      page.evaluate(() => (globalThis as unknown as { tell: () => Promise<void> }).tell()),
  };
}
