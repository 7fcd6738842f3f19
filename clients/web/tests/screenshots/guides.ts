import { mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Locator, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  alex,
  ask,
  hears,
  here,
  sandbox,
  say,
  stack,
  ticketOf,
  visitor,
  zendeskPanel,
} from "../e2e/world";

const images = resolve(import.meta.dirname, "../../../../docs/images");
mkdirSync(images, { recursive: true });

async function shot(of: Page | Locator, name: string): Promise<void> {
  const path = join(images, `${name}.png`);
  await of.screenshot({ path, animations: "disabled" });
  expect(statSync(path).size).toBeLessThan(1 << 20);
}

async function shop(path: string, options: Parameters<typeof visitor>[0] = {}): Promise<Page> {
  const page = await (
    await visitor({ viewport: { width: 420, height: 660 }, ...options })
  ).newPage();
  await page.goto(stack.site + path);
  return page;
}

describe.skipIf(!here)("pictures", () => {
  test("the widget and the panel of one ticket", async () => {
    const page = await shop("/shop");
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByLabel("Subject").fill("The lamp is dark");
    await page.getByLabel("How can we help?").fill("I bought it last week, and it does not light.");
    await page.getByLabel("Your name").fill("Dana Customer");
    await shot(page, "widget-form");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(page);
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    await page.getByText("Alex Agent is with you").waitFor();
    const panel = await zendeskPanel(ticket, ["caseroom", "caseroom_unverified"]);
    await panel.setViewportSize({ width: 420, height: 660 });
    await say(page, "Hello! Which bulb fits the lamp?");
    await hears(panel, "Which bulb");
    await say(panel, "Hello Dana. An E27 with up to 60 W: https://shop.example/bulbs/e27");
    await hears(page, "An E27");
    await say(page, "Thank you, it lights now!");
    await hears(panel, "it lights now");
    await page.getByText("sending…").waitFor({ state: "detached" });
    await shot(page, "widget-chat");
    await shot(panel, "panel");
    await sandbox("POST", "/desk/zendesk/status", { ticket: Number(ticket), status: "solved" });
    await page.getByText("Solved. This conversation is closed").waitFor();
    await shot(page, "widget-solved");
  });

  test("in a site's own colours, and the list of requests on a phone", async () => {
    const branded = await shop("/shop/branded");
    await branded.getByRole("button", { name: "Chat with us" }).click();
    await branded.getByLabel("Subject").waitFor();
    await shot(branded, "widget-branded");

    const phone = { width: 375, height: 667 };
    const page = await shop("/shop", { viewport: phone, isMobile: true, hasTouch: true });
    await ask(page, "The lamp is dark");
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(page);
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    await sandbox("POST", "/desk/zendesk/status", { ticket: Number(ticket), status: "solved" });
    await page.getByRole("button", { name: "Not solved? Ask again" }).click();
    await page.getByLabel("How can we help?").fill("It went dark again.");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Waiting for an agent").waitFor();
    await page.getByRole("button", { name: "Your requests" }).click();
    await page.getByText("closed").waitFor();
    await page.getByText("Connecting…").waitFor({ state: "detached" });
    await shot(page, "widget-list");
  });

  test("in the dark, and when the connection is gone", async () => {
    const page = await shop("/shop", { colorScheme: "dark" });
    await ask(page, "The lamp is dark");
    await page.getByText("Waiting for an agent").waitFor();
    await page.context().setOffline(true);
    await page.getByText("No connection.").waitFor();
    await say(page, "Are you there?");
    await page.getByText("Not sent yet.").waitFor();
    await shot(page, "widget-offline-dark");
  });
});
