import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import type { Stack } from "./setup";

const provided = inject("stack");
/** Whether there is a browser; without one these tests are skipped, loudly, by the setup. */
export const here = provided !== undefined;
export const stack = provided as Stack;

let browser: Browser;
let contexts: BrowserContext[] = [];
let complaints: string[] = [];
/** Requests that tests expect to leave, and answer themselves. */
const answered = ["https://static.zdassets.com/", "https://dev.zopim.com/"];

beforeAll(async () => {
  if (!here) return;
  browser = await chromium.launch({
    executablePath: stack.browser,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

afterEach(async () => {
  await Promise.all(contexts.map((c) => c.close()));
  contexts = [];
  const found = complaints;
  complaints = [];
  await sandbox("DELETE", "/faults");
  expect(found).toEqual([]);
});

afterAll(async () => {
  await browser?.close();
});

/** Somebody at a browser of their own. */
export async function visitor(
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  context.setDefaultTimeout(15_000);
  contexts.push(context);
  // No request leaves this machine.
  await context.route(
    (url) => url.protocol !== "data:" && url.protocol !== "blob:" && url.hostname !== "127.0.0.1",
    (route) => {
      const url = route.request().url();
      if (!answered.some((a) => url.startsWith(a))) complaints.push(`left the machine: ${url}`);
      return route.abort();
    },
  );
  context.on("weberror", (e) => complaints.push(`error in the page: ${e.error().message}`));
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

/** Nothing that axe calls serious or critical. */
export async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const bad = violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
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
