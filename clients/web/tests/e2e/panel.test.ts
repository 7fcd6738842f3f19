import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  accessible,
  alex,
  api,
  ask,
  billie,
  hears,
  here,
  panelOf,
  sandbox,
  say,
  stack,
  ticketOf,
  visitor,
  zendeskBrowser,
  zendeskPanel,
} from "./world";

/** A new ticket of Dana's, with its room. */
async function ticket(agent = 0): Promise<string> {
  const { ticketId } = await api<{ ticketId: string }>(
    "/zendesk/createticket",
    stack.tokens.login,
    {
      caseInfo: { subject: "The lamp is dark", desc: "It does not light." },
    },
  );
  if (agent) await assign(ticketId, agent);
  return ticketId;
}

async function assign(id: string, agent: number): Promise<void> {
  await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(id), agent });
}

const solve = (id: string) =>
  sandbox("POST", "/desk/zendesk/status", { ticket: Number(id), status: "solved" });

const write = (panel: Page) => panel.getByRole("textbox", { name: "Write a message" });

/** What Zendesk gives an app in its sidebar. */
const sidebar = { viewport: { width: 345, height: 560 } };

describe.skipIf(!here)("the agent's panel in Zendesk's sidebar", () => {
  test.each([
    ["en-GB", "light", "Transcript preview", "Calendar: not connected"],
    ["ja-JP", "dark", "記録のプレビュー", "カレンダー: 未接続"],
    ["ru-RU", "light", "Предпросмотр записи", "Календарь: не подключён"],
  ] as const)("the conversation keeps half of the height: %s, %s", async (locale, colorScheme, transcript, calendar) => {
    const id = await ticket(alex);
    const panel = await zendeskPanel(id, ["caseroom", "caseroom_unverified"], {
      ...sidebar,
      locale,
      colorScheme,
    });
    await write(panel).or(panel.locator("textarea")).waitFor();
    for (let i = 0; i < 12; i++) {
      await panel.locator("textarea").fill(`Message ${i} with a few words that fill a line.`);
      await panel.locator("textarea").press("Enter");
    }
    await panel.getByText(calendar, { exact: true }).waitFor();
    const fits = async () => {
      const sizes = await panel.evaluate(() => {
        const box = (s: string) => document.querySelector(s)?.getBoundingClientRect();
        return {
          log: box(".cr-log"),
          composer: box(".cr-composer"),
          page: document.querySelector("#caseroom-panel")?.scrollHeight,
          width: document.documentElement.scrollWidth,
        };
      });
      expect(sizes.log?.height).toBeGreaterThanOrEqual(280);
      // All of it is to be seen, and so is where to write.
      expect(sizes.page).toBeLessThanOrEqual(560);
      expect(sizes.composer?.bottom).toBeLessThanOrEqual(560);
      expect(sizes.width).toBeLessThanOrEqual(345);
    };
    await fits();
    for (const part of [
      panel.getByText(transcript, { exact: true }).first(),
      panel.getByText(calendar, { exact: true }),
      panel.getByRole("heading", { level: 1 }),
    ]) {
      await part.click();
      await expect.poll(() => panel.locator("details[open]").count()).toBe(1);
      await fits();
      await accessible(panel);
    }
  });

  test("the desk's macros are found, read in full and filled in, by keyboard", async () => {
    const id = await ticket(alex);
    const panel = await zendeskPanel(id, ["caseroom"], sidebar);
    await write(panel).waitFor();
    const button = panel.getByRole("button", { name: "Quick replies" });
    await button.focus();
    await panel.keyboard.press("Enter");
    const list = panel.getByRole("dialog", { name: "Quick replies" });
    const options = list.getByRole("option");
    // A macro without words, and one that is out of use, are none.
    await expect
      .poll(() => options.allTextContents())
      .toEqual(["Greeting::Looking at it", "Ask::Which product?"]);
    await accessible(panel);
    await panel.keyboard.press("ArrowDown");
    await list.getByText("The number stands on its back & on the box.").waitFor();
    await panel.keyboard.press("Escape");
    expect(await list.count()).toBe(0);
    expect(await button.evaluate((b) => b === document.activeElement)).toBe(true);

    await panel.keyboard.press("Enter");
    await options.first().hover();
    await list.getByText("Hello {{ticket.requester.first_name}}").waitFor();
    await panel.keyboard.type("which BOX");
    await expect.poll(() => options.allTextContents()).toEqual(["Ask::Which product?"]);
    await panel.keyboard.press("Enter");
    await expect
      .poll(() => write(panel).inputValue())
      .toBe("Which product is it?\nThe number stands on its back & on the box.");
    await write(panel).fill("Good day.");
    await button.click();
    await list.getByRole("combobox").waitFor();
    await panel.keyboard.type("nothing like it");
    await panel.getByText("No reply has these words.").waitFor();
    await list.getByRole("combobox").fill("greeting");
    await panel.keyboard.press("Enter");
    await expect
      .poll(() => write(panel).inputValue())
      .toBe(`Good day. Hello Dana, I am Alex Agent and look at request ${id} now.`);
    expect(await write(panel).evaluate((b) => b === document.activeElement)).toBe(true);
  });

  test("words that Zendesk does not fill in are not sent, and a list that does not come is told", async () => {
    const id = await ticket(alex);
    const panel = await zendeskPanel(id);
    await write(panel).waitFor();
    const fault = { vendor: "zendesk", op: "macros_apply", kind: "status", status: 503, times: 1 };
    await sandbox("POST", "/faults", fault);
    await panel.getByRole("button", { name: "Quick replies" }).click();
    await panel.getByRole("option", { name: "Greeting" }).click();
    await panel.getByRole("alert").getByText("The desk did not fill in this reply.").waitFor();
    expect(await write(panel).inputValue()).toBe("");
    await panel.keyboard.press("Escape");
    await sandbox("POST", "/faults", { ...fault, op: "macros_active" });
    await panel.getByRole("button", { name: "Quick replies" }).click();
    await panel.getByRole("alert").getByText("could not be read").waitFor();
  });

  test("says truly why there is no chat", async () => {
    const id = await ticket();
    const panel = await zendeskPanel(id, ["caseroom"], {}, async (context) => {
      // The agent's minutes pass as the test says.
      await context.clock.install();
    });
    const says = async (text: string) => {
      await expect
        .poll(async () => {
          await panel.clock.fastForward(15_000);
          return panel.getByText(text).count();
        })
        .toBe(1);
    };
    await panel.getByText("Nobody has this ticket.").waitFor();
    await assign(id, billie);
    await says("Billie Agent has this ticket and its chat.");
    await assign(id, alex);
    await write(panel).waitFor();
    // Without a notification, of the desk's or the chat's, nobody makes the room again.
    await sandbox("POST", "/faults", {
      vendor: "tencent",
      op: "callback",
      kind: "lose",
      times: 1000,
    });
    await sandbox("POST", "/desk/tencent/destroy", { groupId: `ZENDESK#${id}` });
    await panel.getByText("The ticket is yours. Its chat opens within seconds").waitFor();
    await says("its room is gone: somebody removed it at the chat");
    await sandbox("POST", "/desk/tencent/squat", { userId: "mallory", groupId: `ZENDESK#${id}` });
    await says(`room ZENDESK#${id} exists, but you are not let in`);
    await solve(id);
    await says("This ticket has ended, and so has its chat.");
    await sandbox("POST", "/desk/zendesk/delete", { ticket: Number(id) });
    await says("This ticket was deleted, and its chat is closed.");
  });

  test("several open tickets are one login, and none costs a click", async () => {
    const [one, two] = [await ticket(alex), await ticket(alex)] as const;
    const browser = await zendeskBrowser();
    const logins = async () => {
      const calls = await sandbox<{ vendor: string; op: string }[]>("GET", "/calls");
      return calls.filter((c) => c.vendor === "chat" && c.op === "login").length;
    };
    const first = await panelOf(browser, one);
    await write(first).waitFor();
    const before = await logins();
    const second = await panelOf(browser, two);
    await write(second).waitFor();
    await say(second, "From the second");
    await say(first, "From the first");
    await hears(first, "From the first");
    await hears(second, "From the second");
    expect(await first.getByText("opened in another window").count()).toBe(0);
    expect(await logins()).toBe(before);

    // The same ticket in a third place shows what is said in the first.
    const third = await panelOf(browser, one);
    await hears(third, "From the first");
    await say(first, "And again");
    await hears(third, "And again");

    // The one that holds the login is closed: the others go on by themselves.
    await first.close();
    await say(second, "Still here");
    await hears(second, "Still here");
    await second.getByText("sending…").waitFor({ state: "detached" });
    await say(third, "Me too");
    await third.getByText("sending…").waitFor({ state: "detached" });
    expect(await third.getByText("Not sent.").count()).toBe(0);

    // Another browser takes the login; who turns to the ticket has it back.
    const elsewhere = await panelOf(await zendeskBrowser(), one);
    await write(elsewhere).waitFor();
    await third.getByText("This chat was opened in another window.").waitFor();
    await third.evaluate(() =>
      (globalThis as unknown as { zaf: { fire(e: string): void } }).zaf.fire("app.activated"),
    );
    await write(third).waitFor();
    await elsewhere.getByText("This chat was opened in another window.").waitFor();
  });

  test("the agent's inbox: who waits, a call, a click to the ticket, and read everywhere", async () => {
    const page = await (await visitor()).newPage();
    await page.goto(`${stack.site}/shop`);
    await ask(page, "A lamp that waits");
    await page.getByText("Waiting for an agent").waitFor();
    const id = await ticketOf(page);
    const browser = await zendeskBrowser();
    const background = await panelOf(browser, "", "background");
    const inbox = await panelOf(browser, "", "top_bar");
    const row = inbox.getByRole("button", { name: `#${id} A lamp that waits` });
    const invoked = (p: Page) =>
      p.evaluate(() => (globalThis as unknown as { invoked: unknown[][] }).invoked);
    await inbox.getByText("You have no open chats.").or(inbox.getByRole("list")).waitFor();
    await assign(id, alex);
    await row.waitFor();
    await page.getByText("Alex Agent is with you").waitFor();
    await say(page, "Is anybody <there>?");
    await row.getByText("1 unread").waitFor();
    await row.getByText("Waits for an answer, this minute").waitFor();
    await row.getByText("Is anybody <there>?").waitFor();
    await expect
      .poll(() => invoked(background))
      .toContainEqual(["notify", `#${id}: Is anybody &#60;there&#62;?`, "notice"]);
    // One of them calls; the list on the screen says it anyway.
    expect((await invoked(inbox)).map(([what]) => what)).not.toContain("notify");
    await accessible(inbox);

    await row.click();
    await expect.poll(() => invoked(inbox)).toContainEqual(["routeTo", "ticket", Number(id)]);
    const panel = await panelOf(browser, id);
    await write(panel).click();
    await row.getByText("1 unread").waitFor({ state: "detached" });
    await say(panel, "Yes, I am.");
    await hears(page, "Yes, I am.");
    await row.getByText("Waits for an answer").waitFor({ state: "detached" });
    await solve(id);
    await row.waitFor({ state: "detached" });
  });
});
