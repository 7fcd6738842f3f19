import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { accessible, here, visitor } from "./world";

const app = resolve(import.meta.dirname, "../../../zendesk");
const origin = "https://app.zdusercontent.example";
const api = "https://abc123.execute-api.eu-central-1.amazonaws.com";
const integration = "caseroom_acme_0a1b2c3d";
const types: Record<string, string> = {
  html: "text/html",
  css: "text/css",
  js: "text/javascript",
  json: "application/json",
};

/** What Zendesk Integration Services holds, in the shapes and with the refusals of its documentation. */
class Account {
  registered = new Set<string>();
  connections: { name: string; token: string; allowed_domain: string }[] = [];
  bundle:
    | { resources: Record<string, { type: string; properties: Record<string, string> }> }
    | undefined;
  installed = new Set<string>();
  calls: string[] = [];
  /** The next call whose line matches is answered with this status. */
  refuse: { line: RegExp; status: number; text?: string } | undefined;

  answer(
    type: string,
    path: string,
    body: string,
  ): { status: number; json?: unknown; text?: string } {
    const line = `${type} ${path}`;
    this.calls.push(line);
    if (this.refuse?.line.test(line)) {
      const { status, text = "" } = this.refuse;
      this.refuse = undefined;
      return { status, text };
    }
    const url = new URL(path, "https://acme.zendesk.com");
    const p = url.pathname.replace("/api/services/zis", "");
    if (url.pathname === "/api/v2/webhooks") return { status: 200, json: { webhooks: [] } };
    if (path === `${api}/zendesk/events`) return { status: 401 };
    const name = /^\/(?:registry|integrations)\/([a-z0-9_-]+)/.exec(p)?.[1] ?? "";
    if (p.startsWith("/registry/job_specs/install")) {
      const spec = url.searchParams.get("job_spec_name") ?? "";
      const [, integration = "", , job = ""] = spec.split(":");
      if (!this.registered.has(integration) || !this.specs().includes(job)) return { status: 404 };
      if (type === "POST") this.installed.add(job);
      else this.installed.delete(job);
      return { status: type === "POST" ? 200 : 204 };
    }
    if (p === `/registry/${name}` && type === "POST") {
      if (this.registered.has(name)) return { status: 409 };
      this.registered.add(name);
      return {
        status: 201,
        json: { zendesk_oauth_client: { identifier: `zis_${name}`, secret: "not shown" } },
      };
    }
    if (!this.registered.has(name)) return { status: 404 };
    if (p === `/integrations/${name}/connections/all`) {
      const shown = this.connections.map((c) => ({ ...c, token: "redacted" }));
      return { status: 200, json: { bearer_token: shown, oauth: [] } };
    }
    if (p.startsWith(`/integrations/${name}/connections/bearer_token`)) {
      const given = JSON.parse(body) as Account["connections"][0];
      const known = this.connections.some((c) => c.name === given.name);
      if (known !== (type === "PATCH")) return { status: known ? 409 : 404 };
      this.connections = [...this.connections.filter((c) => c.name !== given.name), given];
      return { status: 200, json: {} };
    }
    if (p === `/registry/${name}/bundles` && type === "POST") {
      this.bundle = JSON.parse(body);
      this.installed.clear(); // an upload leaves them orphaned
      return { status: 200 };
    }
    if (p === `/registry/${name}/job_specs` && type === "GET") {
      const job_specs = this.specs().map((s) => ({ name: s, installed: this.installed.has(s) }));
      return { status: 200, json: { job_specs, meta: { has_more: false } } };
    }
    return { status: 405 };
  }

  specs(): string[] {
    return Object.values(this.bundle?.resources ?? {})
      .filter((r) => r.type === "ZIS::JobSpec")
      .map((r) => r.properties.name ?? "");
  }
}

/** Opens the admin page with a stand-in for Zendesk's client. */
async function admin(
  account: Account,
  user: { role?: string; locale?: string } = {},
): Promise<Page> {
  const context = await visitor();
  await context.route(`${origin}/**`, (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    // What caseroom zendesk-app adds.
    const body =
      name === "bundle.json"
        ? readFileSync(join(app, "zis", "bundle.example.json"), "utf8")
        : name === "config.json"
          ? JSON.stringify({ api, integration })
          : readFileSync(join(app, "assets", name), "utf8");
    return route.fulfill({
      contentType: types[name.split(".").at(-1) ?? ""] ?? "text/plain",
      body,
    });
  });
  await context.exposeFunction("answer", (type: string, path: string, body: string) =>
    account.answer(type, path, body),
  );
  const currentUser = { role: "admin", locale: "en-GB", ...user };
  await context.route("https://static.zdassets.com/**", (route) =>
    route.fulfill({
      contentType: "text/javascript",
      body: `globalThis.ZAFClient = { init: () => ({
        get: async (path) => ({ [path]: ${JSON.stringify(currentUser)} }),
        request: async ({ url, type, data = "", httpCompleteResponse }) => {
          const a = await answer(type, url, data);
          const complete = { status: a.status, responseJSON: a.json, responseText: a.text ?? "" };
          if (a.status === 0 || a.status >= 400) throw complete;
          return httpCompleteResponse ? complete : a.json;
        },
      }) };`,
    }),
  );
  const page = await context.newPage();
  await page.goto(`${origin}/admin.html`);
  return page;
}

const health = (page: Page, label: string) =>
  page.locator("dl > div").filter({ hasText: label }).locator("dd");

async function setUp(page: Page, bearer = "a-bearer-of-caseroom"): Promise<void> {
  await page.getByLabel("Bearer").fill(bearer);
  await page.getByRole("button", { name: "Set up" }).click();
}

describe.skipIf(!here)("the app's page for admins", () => {
  test("sets up, checks, sets up again, and stops", async () => {
    const account = new Account();
    const page = await admin(account);
    await expect.poll(() => health(page, "registered").textContent()).toBe("no");
    await page.getByText(integration).waitFor();
    await setUp(page);
    await page.getByText("caseroom now hears of changes.").waitFor();
    expect(await health(page, "Listening").textContent()).toBe("5 / 5");
    expect(await health(page, "API answers").textContent()).toBe("yes");
    expect(account.connections).toEqual([
      { name: "caseroom", token: "a-bearer-of-caseroom", allowed_domain: new URL(api).hostname },
    ]);
    expect(await page.getByLabel("Bearer").inputValue()).toBe("");
    await accessible(page);

    // Again, with a rotated bearer: nothing is there twice, all listen again.
    await setUp(page, "another-bearer");
    await page.getByText("caseroom now hears of changes.").waitFor();
    expect(account.connections.map((c) => c.token)).toEqual(["another-bearer"]);
    expect(account.installed.size).toBe(5);

    await page.getByRole("button", { name: "Stop listening" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(account.installed.size).toBe(5);
    await page.getByRole("button", { name: "Stop listening" }).click();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("caseroom no longer hears").waitFor();
    expect(account.installed.size).toBe(0);
    expect(await health(page, "Listening").textContent()).toBe("0 / 5");
  });

  test.each([
    [
      /POST .*registry\/[a-z0-9_-]+$/,
      400,
      "not available for upsert by this account",
      "Another Zendesk account has this name.",
    ],
    [/POST .*registry\/[a-z0-9_-]+$/, 403, "", "Zendesk refused: this takes an admin."],
    [/POST .*bearer_token/, 503, "", "Zendesk is busy."],
    [/POST .*bundles/, 422, "", "Zendesk refused this."],
    [/POST .*job_specs/, 0, "", "Zendesk did not answer."],
  ])("says what went wrong at %s %s", async (line, status, text, says) => {
    const account = new Account();
    const page = await admin(account);
    await expect.poll(() => health(page, "registered").textContent()).toBe("no");
    account.refuse = { line, status, text };
    await setUp(page);
    await page.getByRole("alert").getByText(says).waitFor();
    await page.getByText("failed").waitFor();
    // The same set-up, run again, goes through.
    await setUp(page);
    await page.getByText("caseroom now hears of changes.").waitFor();
  });

  test("asks for what is missing", async () => {
    const account = new Account();
    const page = await admin(account);
    await page.getByRole("button", { name: "Set up" }).click();
    await page.getByText("Enter the bearer.").waitFor();
    expect(account.calls.filter((c) => c.startsWith("POST /"))).toEqual([]);
  });

  test("is for admins, and speaks their language", async () => {
    const page = await admin(new Account(), { role: "agent" });
    await page.getByText("Only admins can see and change this connection.").waitFor();
    expect(await page.getByRole("button").count()).toBe(0);
    for (const [locale, title] of [
      ["ja", "caseroom と Zendesk"],
      ["zh-CN", "caseroom 与 Zendesk"],
      ["ru", "caseroom и Zendesk"],
    ] as const) {
      await (await admin(new Account(), { locale }))
        .getByRole("heading", { name: title })
        .waitFor();
    }
  });
});
