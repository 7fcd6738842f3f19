import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  accessible,
  alex,
  console_,
  here,
  salesforceAgent,
  sandbox,
  stack,
  zendeskPanel,
} from "./world";

const account = "alex@caseroom.example";

interface State {
  cronofy: { accounts: { email: string; connected?: boolean; events: { summary: string }[] }[] };
}

/** A ticket of Alex's that has no chat. */
async function task(): Promise<number> {
  const { ticket } = await sandbox<{ ticket: number }>("POST", "/desk/zendesk/create", {
    subject: "Call the lamp shop",
    comment: "Please",
  });
  await sandbox("POST", "/desk/zendesk/assign", { ticket, agent: alex });
  await due(ticket, 7);
  return ticket;
}

async function due(ticket: number, days: number): Promise<void> {
  const at = new Date(Date.now() + days * 86_400_000).toISOString();
  await sandbox("POST", "/desk/zendesk/type", { ticket, type: "task", due: at });
}

async function inCalendar(ticket: number): Promise<boolean> {
  const { cronofy } = await sandbox<State>("GET", "/state");
  const events = cronofy.accounts.find((a) => a.email === account)?.events ?? [];
  return events.some((e) => e.summary.startsWith(`#${ticket} `));
}

/** What the stack does behind a queue may take a while on a busy machine. */
const soon = { timeout: 120_000, interval: 200 };

/** The panel's part, which has the state in its name. */
const part = (page: Page, state: string) => page.getByText(`Calendar: ${state}`, { exact: true });

/** Goes through the window in which an agent consents. */
async function consent(page: Page, open: () => Promise<void>): Promise<void> {
  const opened = page.waitForEvent("popup");
  await open();
  const window = await opened;
  await window.getByRole("button", { name: `Connect ${account}` }).click();
  await window.getByRole("heading", { name: "Connected" }).waitFor();
  expect(await window.evaluate(() => window.opener)).toBeNull();
  await window.close();
}

const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");

describe.skipIf(!here)("an agent's calendar in the panel", () => {
  test("is connected, shows tasks, says no, is mended and let go, by keyboard", async () => {
    const ticket = await task();
    const panel = await zendeskPanel(String(ticket));
    await part(panel, "not connected").waitFor();
    await panel.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await accessible(panel);

    await part(panel, "not connected").focus();
    await panel.keyboard.press("Enter");
    await panel.keyboard.press("Tab");
    expect(await focused(panel)).toBe("Connect a calendar");
    await consent(panel, () => panel.keyboard.press("Enter"));
    await part(panel, "connected").waitFor();
    await panel.getByText(`Work · ${account}`).waitFor();
    await panel.getByText(/\(since \d+ \w+ \d{4}\)/).waitFor();
    // The button that was pressed is gone; the keyboard is not lost.
    expect(await focused(panel)).toBe("Calendar: connected");
    await expect.poll(() => inCalendar(ticket), soon).toBe(true);
    await accessible(panel);

    // The feed's address is copied, and taken back.
    const field = panel.getByRole("textbox", { name: "Feed address" });
    const old = await field.inputValue();
    await panel.getByRole("button", { name: "Copy" }).click();
    await panel.getByText("Copied.").waitFor();
    expect(await panel.evaluate(() => navigator.clipboard.readText())).toBe(old);
    expect(await (await fetch(old)).text()).toContain(`#${ticket} Call the lamp shop`);
    await panel.getByRole("button", { name: "New address" }).click();
    const sure = panel.getByRole("alertdialog", { name: "The old one stops working" });
    await sure.waitFor();
    await accessible(panel);
    expect(await focused(panel)).toBe("Cancel");
    await panel.keyboard.press("Escape");
    expect(await focused(panel)).toBe("New address");
    expect((await fetch(old)).status).toBe(200);
    await panel.keyboard.press("Enter");
    await sure.getByRole("button", { name: "Yes, make a new one" }).click();
    await panel.getByText("This is the new address.").waitFor();
    expect((await fetch(old)).status).toBe(404);
    expect((await fetch(await field.inputValue())).status).toBe(200);

    // The consent is taken back at the vendor: the next change of a task finds out.
    await sandbox("POST", "/desk/cronofy/withdraw", { account });
    await due(ticket, 8);
    const next = await zendeskPanel(String(ticket));
    await next.getByText(/^Calendar: /).waitFor(); // a reload before that is one of the page before
    await expect
      .poll(async () => {
        await next.reload();
        await next.getByText(/^Calendar: /).waitFor();
        return next.getByText("Your calendar said no").count();
      }, soon)
      .toBe(1);
    await part(next, "connect again").waitFor();
    await accessible(next);
    await consent(next, () => next.getByRole("button", { name: "Connect again" }).click());
    await part(next, "connected").waitFor();
    expect(await next.getByText("Your calendar said no").count()).toBe(0);
    await expect.poll(() => inCalendar(ticket), soon).toBe(true);

    await part(next, "connected").click();
    await next.getByRole("button", { name: "Disconnect" }).click();
    await next.getByRole("button", { name: "Cancel" }).click();
    await part(next, "connected").waitFor();
    await next.getByRole("button", { name: "Disconnect" }).click();
    await next.getByRole("button", { name: "Yes, disconnect" }).click();
    await part(next, "not connected").waitFor();
    await expect.poll(() => inCalendar(ticket), soon).toBe(false);
  });

  test("what goes wrong is told in words, and tried again", async () => {
    const panel = await zendeskPanel(String(await task()));
    await part(panel, "not connected").click();
    let status = 503;
    await panel.route("**/calendar/connect", (route) =>
      route.fulfill({ status, contentType: "application/problem+json", body: "{}" }),
    );
    const connect = panel.getByRole("button", { name: "Connect a calendar" });
    await connect.click();
    const alert = panel.getByRole("alert").filter({ hasText: "The service is busy." });
    await alert.waitFor();
    await accessible(panel);
    status = 401;
    await alert.getByRole("button", { name: "Try again" }).click();
    await panel.getByText("Your sign-in is over. Reload the ticket").waitFor();
    expect(panel.context().pages()).toHaveLength(1);
    await panel.evaluate(() => {
      window.open = () => null;
    });
    await connect.click();
    await panel.getByText("Your browser blocked the window.").waitFor();
    // The page around gives its frames no clipboard.
    await panel.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new DOMException("", "NotAllowedError"));
    });
    await panel.getByRole("button", { name: "Copy" }).click();
    await panel.getByText("Selected: copy it with your keyboard.").waitFor();
    expect(await panel.evaluate(() => getSelection()?.toString())).toContain("/calendar/feed?");
  });

  test.each([
    ["ja-JP", "カレンダー: 未接続", "カレンダーを接続"],
    ["zh-CN", "日历: 未连接", "连接日历"],
    ["ru-RU", "Календарь: не подключён", "Подключить календарь"],
  ])("in %s", async (locale, title, connect) => {
    const panel = await zendeskPanel(String(await task()), [], { locale });
    await panel.getByText(title, { exact: true }).click();
    await panel.getByRole("button", { name: connect }).waitFor();
    await accessible(panel);
  });

  test("from right to left, in a narrow sidebar in the dark", async () => {
    const options = { viewport: { width: 320, height: 560 }, colorScheme: "dark" as const };
    const panel = await zendeskPanel(String(await task()), [], options);
    await part(panel, "not connected").click();
    const field = panel.getByRole("textbox", { name: "Feed address" });
    const copy = panel.getByRole("button", { name: "Copy" });
    const places = async () => {
      const [f, c] = [await field.boundingBox(), await copy.boundingBox()];
      if (!f || !c) throw new Error("not on the page");
      expect(Math.max(f.x + f.width, c.x + c.width)).toBeLessThanOrEqual(320);
      return { f, c };
    };
    const ltr = await places();
    expect(ltr.c.x).toBeGreaterThan(ltr.f.x);
    await panel.evaluate(() => {
      document.documentElement.dir = "rtl";
    });
    const rtl = await places();
    expect(rtl.c.x).toBeLessThan(rtl.f.x);
    // An address is read from left to right everywhere.
    expect(await field.evaluate((e) => getComputedStyle(e).direction)).toBe("ltr");
    await accessible(panel);
  });

  test("is nowhere without calendars, and nothing of it is loaded", async () => {
    const loaded: string[] = [];
    const asked: string[] = [];
    const panel = await zendeskPanel(String(await task()), [], {}, async (context) => {
      context.on("request", (r) => loaded.push(new URL(r.url()).pathname));
      // What the gateway answers for a route that the stack has not.
      await context.route(`${stack.gateway}/calendar`, (route) => {
        asked.push(route.request().headers().authorization ?? "");
        return route.fulfill({
          status: 404,
          contentType: "application/json",
          body: '{"message":"Not Found"}',
        });
      });
    });
    await panel.getByText("The ticket is yours.").waitFor();
    await expect.poll(() => asked.length).toBe(1);
    await panel.waitForLoadState("networkidle");
    expect(await panel.getByText("Calendar").count()).toBe(0);
    expect(loaded.filter((path) => path.includes("calendarview"))).toEqual([]);
  });

  test("is not for the frame in Salesforce", async () => {
    const room = await sandbox<{ case: string }>("POST", "/desk/salesforce/create", {
      subject: "Lamp",
    });
    const agents = await sandbox<{ id: string }[]>("GET", "/desk/salesforce/agents");
    const framed = await console_(room.case, () => salesforceAgent(agents[0]?.id ?? ""));
    const asked: string[] = [];
    framed.page.on("request", (r) => asked.push(r.url()));
    await framed.page.reload();
    await framed.page
      .frameLocator("iframe")
      .getByText(/room|case/i)
      .first()
      .waitFor();
    await framed.page.waitForLoadState("networkidle");
    expect(asked.filter((url) => url.includes("calendar"))).toEqual([]);
    expect(await framed.page.frameLocator("iframe").getByText("Calendar").count()).toBe(0);
  });
});
