import type { Page, Request } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  alex,
  ask,
  expectComplaint,
  hears,
  here,
  sandbox,
  say,
  stack,
  ticketOf,
  visitor,
  zendeskPanel,
} from "./world";

interface State {
  zendesk: { tickets: { id: number; subject: string }[] };
}

async function ticketsNamed(subject: string): Promise<number> {
  const { zendesk } = await sandbox<State>("GET", "/state");
  return zendesk.tickets.filter((t) => t.subject === subject).length;
}

async function shop(path = "/shop"): Promise<Page> {
  const page = await (await visitor()).newPage();
  await page.goto(stack.site + path);
  return page;
}

/** The IM id of the customer, as the widget remembers it. */
async function me(page: Page): Promise<string> {
  return page.evaluate(
    (key) => JSON.parse(localStorage.getItem(key) as string).ticket.userId,
    `caseroom:${stack.gateway}`,
  );
}

const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function creates(page: Page): Request[] {
  const list: Request[] = [];
  page.on("request", (r) => {
    if (r.method() === "POST" && r.url().includes("createticket")) list.push(r);
  });
  return list;
}

describe.skipIf(!here)("what can go wrong", () => {
  test("a reload resumes the open ticket", async () => {
    const page = await shop();
    await ask(page, "Reload");
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(page);
    await say(page, "Before the reload");
    await hears(page, "Before the reload");
    await page.getByText("sending…").waitFor({ state: "detached" });
    const made = creates(page);
    await page.reload();
    await hears(page, "Before the reload");
    expect(await ticketOf(page)).toBe(ticket);
    expect(made).toHaveLength(0);
    // Nothing that the browser keeps is a UserSig.
    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    expect(kept).toContain("guestToken");
    expect(kept).not.toMatch(/userSig/i);
  });

  test("an answer that is lost never makes a second ticket", async () => {
    const page = await shop();
    const tried = creates(page);
    let lost = 0;
    await page.route("**/guest/createticket", async (route) => {
      if (route.request().method() !== "POST" || lost++ > 0) return route.fallback();
      await route.fetch();
      return route.abort();
    });
    await ask(page, "Lost answer");
    await page.getByText("Waiting for an agent").waitFor();
    const keys = tried.map((r) => r.headers()["idempotency-key"]);
    expect(keys.length).toBeGreaterThan(1);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(uuid7);
    expect(await ticketsNamed("Lost answer")).toBe(1);
  });

  test("a busy desk: the request is kept over a reload and sent once", async () => {
    const page = await shop();
    const tried = creates(page);
    await sandbox("POST", "/faults", {
      vendor: "zendesk",
      op: "tickets_create",
      kind: "status",
      status: 429,
      retryAfter: "600",
    });
    await ask(page, "Busy desk");
    await page.getByText("Our service is busy.").waitFor();
    await page.reload();
    await page.getByText("Our service is busy.").waitFor();
    await sandbox("DELETE", "/faults");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Waiting for an agent").waitFor();
    expect(new Set(tried.map((r) => r.headers()["idempotency-key"])).size).toBe(1);
    expect(await ticketsNamed("Busy desk")).toBe(1);
  });

  test("a request that is refused can be mended", async () => {
    const page = await shop();
    await page.route("**/guest/createticket", (route) =>
      route.fulfill({
        status: 400,
        contentType: "application/problem+json",
        headers: { "Access-Control-Allow-Origin": stack.site },
        body: JSON.stringify({ code: "invalid", detail: "caseInfo.subject is too long." }),
      }),
    );
    await ask(page, "Too long");
    await page.getByText("Your request was not accepted: caseInfo.subject is too long.").waitFor();
    expect(await page.getByLabel("Subject").inputValue()).toBe("Too long");
    await page.unroute("**/guest/createticket");
    await page.getByLabel("Subject").fill("Short");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Waiting for an agent").waitFor();
  });

  test("offline, before and after the ticket", async () => {
    const page = await shop();
    await page.context().setOffline(true);
    await ask(page, "Offline");
    await page.getByText("You are offline. Your request is kept").waitFor();
    await page.context().setOffline(false);
    await page.getByText("Waiting for an agent").waitFor();
    expect(await ticketsNamed("Offline")).toBe(1);

    const ticket = await ticketOf(page);
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    const panel = await zendeskPanel(ticket);
    await panel.getByText("Alex Agent has this ticket").waitFor();
    await page.context().setOffline(true);
    await page.getByText("No connection.").waitFor();
    await say(page, "Into the void");
    await page.getByText("Not sent yet.").waitFor();
    await say(panel, "Are you there?");
    await page.context().setOffline(false);
    await hears(page, "Are you there?");
    await page.getByText("No connection.").waitFor({ state: "detached" });
    // It goes out by itself, once.
    await hears(panel, "Into the void");
    await page.getByText("Not sent yet.").waitFor({ state: "detached" });
    expect(await panel.getByRole("article").filter({ hasText: "Into the void" }).count()).toBe(1);
  });

  test("an expired credential is renewed", async () => {
    const page = await shop();
    await ask(page, "Expired");
    await page.getByText("Waiting for an agent").waitFor();
    const renewed = page.waitForRequest((r) => r.url().endsWith("/usersig"));
    await sandbox("POST", "/desk/tencent/expire", { userId: await me(page) });
    await renewed;
    await say(page, "Still here");
    await hears(page, "Still here");
    await page.getByText("sending…").waitFor({ state: "detached" });
    expect(await page.getByText("Not sent.").count()).toBe(0);
  });

  test("while no credential is to be had, the conversation and what is written stay", async () => {
    const page = await shop();
    await ask(page, "No credential");
    await page.getByText("Waiting for an agent").waitFor();
    await say(page, "Said before");
    await page.getByText("sending…").waitFor({ state: "detached" });
    const write = page.getByRole("textbox", { name: "Write a message" });
    await write.fill("Half a sen");
    await page.route("**/usersig", (route) => route.abort());
    await sandbox("POST", "/desk/tencent/expire", { userId: await me(page) });
    await page.getByText("The chat service cannot be reached.").waitFor();
    await hears(page, "Said before");
    expect(await write.inputValue()).toBe("Half a sen");
    await page.unroute("**/usersig");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("The chat service cannot be reached.").waitFor({ state: "detached" });
    await write.press("Enter");
    await hears(page, "Half a sen");
    await page.getByText("sending…").waitFor({ state: "detached" });
  });

  test("two tabs: the second has the chat, and the first can take it back", async () => {
    const first = await shop();
    await ask(first, "Two tabs");
    await first.getByText("Waiting for an agent").waitFor();
    const second = await first.context().newPage();
    await second.goto(`${stack.site}/shop`);
    await second.getByText("Waiting for an agent").waitFor();
    expect(await ticketOf(second)).toBe(await ticketOf(first));
    await first.getByText("This chat was opened in another window.").waitFor();
    await first.getByRole("button", { name: "Use it here" }).click();
    await say(first, "From the first");
    await second.getByText("This chat was opened in another window.").waitFor();
    await second.getByRole("button", { name: "Use it here" }).click();
    await hears(second, "From the first");
  });

  test("a ticket opened in one tab appears in the other", async () => {
    const first = await shop();
    await first.getByRole("button", { name: "Chat with us" }).click();
    const second = await first.context().newPage();
    await second.goto(`${stack.site}/shop`);
    await second.getByLabel("Subject").fill("Other tab");
    await second.getByLabel("How can we help?").fill("Here.");
    await second.getByRole("button", { name: "Start chat" }).click();
    await first.getByRole("heading", { name: /^Request \d+/ }).waitFor();
  });

  test("a ticket that is left in one tab leaves no unread messages in the other", async () => {
    const page = await shop();
    await ask(page, "Left elsewhere");
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(page);
    await page.getByRole("button", { name: "Close the chat" }).click();
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    await say(await zendeskPanel(ticket, []), "Hello");
    const launcher = page.getByRole("button", { name: /Chat with us/ });
    await launcher.getByText("2 unread").waitFor({ state: "attached" });
    const other = await page.context().newPage();
    await other.goto(`${stack.site}/shop`);
    await other.evaluate((key) => localStorage.removeItem(key), `caseroom:${stack.gateway}`);
    await launcher.getByText("2 unread").waitFor({ state: "detached" });
  });

  test.each([
    ["the chat's code", /\/assets\/(conversation|connected)-/],
    ["the sandbox's client", /\/assets\/sandbox-/],
  ])("with %s blocked the widget says so, and recovers", async (_, file) => {
    const page = await shop();
    await page.route(file, (route) => route.abort());
    await ask(page, "Blocked");
    await page.getByText("The chat could not be loaded.").waitFor();
    await page.unroute(file);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Waiting for an agent").waitFor();
  });

  test("with Tencent's SDK blocked, and then its hosts", async () => {
    const page = await (await visitor()).newPage();
    await page.clock.install();
    await page.goto(`${stack.site}/shop/tencent`);
    const sdk = /\/assets\/(index\.es|group-module)-/;
    await page.route(sdk, (route) => route.abort());
    await ask(page, "Tencent");
    await page.getByText("The chat could not be loaded.").waitFor();
    await page.unroute(sdk);
    // Now the real SDK runs, and no host of its region can be reached.
    expectComplaint(
      /^left the machine: https:\/\/[^/]*(qcloud\.com|my-imcloud\.com|my-cpaas\.com|tencent\.cn)\//,
    );
    const tried = page.waitForEvent("websocket");
    await page.getByRole("button", { name: "Try again" }).click();
    await tried;
    await page.clock.fastForward(15_000); // the SDK itself would try for ever
    await page.getByText("The chat service cannot be reached.").waitFor();
  });

  test("with the chat unreachable the panel says so, and recovers", async () => {
    const page = await shop();
    await ask(page, "Panel blocked");
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(page);
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    await page.getByText("Alex Agent is with you").waitFor();
    await sandbox("POST", "/faults", { vendor: "chat", op: "login", kind: "reset-before" });
    const panel = await zendeskPanel(ticket);
    await panel.getByText("The chat service cannot be reached.").waitFor();
    await sandbox("DELETE", "/faults");
    await panel.getByText("Alex Agent has this ticket").waitFor();
  });
});
