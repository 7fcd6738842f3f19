import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  accessible,
  alex,
  api,
  ask,
  billie,
  console_,
  hears,
  here,
  salesforceAgent,
  sandbox,
  say,
  stack,
  ticketOf,
  visitor,
  zendeskPanel,
} from "./world";

interface State {
  zendesk: { tickets: { id: number; subject: string; comments: { body: string }[] }[] };
  salesforce: {
    cases: { Id: string; Subject: string }[];
    comments: { ParentId: string; CommentBody: string }[];
    transcripts?: unknown[];
  };
}

/** How far the messages are scrolled away from the last one, in pixels. */
function fromEnd(page: Page): Promise<number> {
  return page.getByRole("log").evaluate((el) => el.scrollHeight - el.scrollTop - el.clientHeight);
}

/** A blue line, 400 pixels tall. */
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAQAAAGQCAIAAAAGE1bIAAAAKUlEQVR42u3HIREAAAgEsPdUpCIdcTga7G5mqZ4TERERERERERERkT8LqlG9W/6utY0AAAAASUVORK5CYII=",
  "base64",
);

describe.skipIf(!here)("from the form to the transcript", () => {
  test("at Zendesk, as a guest", async () => {
    const page = await (await visitor()).newPage();
    await page.goto(`${stack.site}/shop`);
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Please fill this in.").first().waitFor();
    await page.getByLabel("E-mail").fill("nobody");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("This does not look like an e-mail address.").waitFor();
    await accessible(page);
    await page.getByLabel("E-mail").fill("dana@customer.example");
    await page.getByLabel("Your name").fill("Dana Customer");
    await page.getByLabel("Subject").fill("The lamp is dark");
    await page.getByLabel("How can we help?").fill("It does not light.");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(page);
    await say(page, "Is anybody there?");

    const panel = await zendeskPanel(ticket, ["caseroom", "caseroom_unverified"]);
    await panel.getByText("Nobody has this ticket. Assign it to yourself").waitFor();
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    // The panel opens by itself once the agent is in.
    await hears(panel, "Is anybody there?");
    await panel.getByText("Guest, not verified").click();
    await panel.getByText("Guest: nobody verified who this is.").waitFor();
    await panel.getByText("Dana Customer · dana@customer.example").waitFor();
    await page.getByText("Alex Agent is with you").waitFor();

    await panel.getByRole("button", { name: "Quick replies" }).click();
    await panel.getByRole("option", { name: "Greeting::Looking at it" }).click();
    await panel.getByRole("textbox", { name: "Write a message" }).press("End");
    await panel.getByRole("textbox", { name: "Write a message" }).pressSequentially(" Yours");
    await page.getByText("Alex Agent is typing…").waitFor();
    // Who only listens hears messages, not every pause in their writing.
    expect(await page.getByRole("log").getByText("is typing").count()).toBe(0);
    await panel.getByRole("button", { name: "Send" }).click();
    await hears(page, `I am Alex Agent and look at request ${ticket} now. Yours`);
    // A reply while the widget is closed shows at its button.
    await page.getByRole("button", { name: "Close the chat" }).click();
    await say(panel, "One moment, please");
    await page.getByRole("button", { name: /Chat with us.*1 unread/ }).click();
    await hears(page, "One moment, please");
    await page.getByLabel("Attach a file").last().setInputFiles({
      name: "lamp.png",
      mimeType: "image/png",
      buffer: png,
    });
    await panel.getByRole("img").waitFor();
    // What was the end of the list before the picture had come is its end now.
    await expect.poll(() => fromEnd(page)).toBeLessThan(5);
    await expect.poll(() => fromEnd(panel)).toBeLessThan(5);
    await say(page, "See https://shop.example/lamp <b>now</b>");
    const link = panel.getByRole("link", { name: "https://shop.example/lamp" });
    await link.waitFor();
    expect(await link.getAttribute("rel")).toContain("noopener");
    expect(await panel.locator("article b").count()).toBe(0);
    await panel.getByText("Transcript preview").click();
    await panel
      .getByRole("region", { name: "Transcript preview" })
      .getByText("customer Dana Customer: Is anybody there?")
      .waitFor();
    await accessible(page);
    await accessible(panel);

    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: billie });
    await page.getByText("Billie Agent has taken over from Alex Agent").waitFor();
    await panel.getByText("Billie Agent has this ticket and its chat.").waitFor();

    await sandbox("POST", "/desk/zendesk/status", { ticket: Number(ticket), status: "solved" });
    await page.getByText("Solved. This conversation is closed").waitFor();
    await page.getByText("This conversation is locked.").waitFor();
    await expect
      .poll(async () => {
        const { zendesk } = await sandbox<State>("GET", "/state");
        const found = zendesk.tickets.find((t) => String(t.id) === ticket);
        return found?.comments.some((c) => c.body.includes("Is anybody there?"));
      })
      .toBe(true);

    await sandbox("POST", "/desk/zendesk/status", { ticket: Number(ticket), status: "open" });
    await page.getByText("Open again.").waitFor();
    await say(page, "It went dark again.");
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
    await hears(panel, "It went dark again.");
    await sandbox("POST", "/desk/zendesk/status", { ticket: Number(ticket), status: "solved" });
    await page.getByRole("button", { name: "New request" }).click();
    await page.getByLabel("Subject").waitFor();
  });

  test("at Salesforce, as somebody who is signed in", async () => {
    const context = await visitor();
    await context.addInitScript((token) => {
      if (location.protocol.startsWith("http")) sessionStorage.setItem("login", token);
    }, stack.tokens.login);
    const page = await context.newPage();
    await page.goto(`${stack.site}/shop/account`);
    await ask(page, "My second lamp");
    await page.getByText("Waiting for an agent").waitFor();
    // The same person's case, at the other desk.
    const made = await api<{ GroupId: string; ticketId: string }>(
      "/salesforce/createticket",
      stack.tokens.login,
      { caseInfo: { subject: "My third lamp", desc: "Dark too." } },
    );
    await page.evaluate(
      ([key, ticket]) => {
        const memory = JSON.parse(localStorage.getItem(key as string) as string);
        memory.ticket = { ...memory.ticket, ...JSON.parse(ticket as string) };
        localStorage.setItem(key as string, JSON.stringify(memory));
      },
      [
        `caseroom:${stack.gateway}`,
        JSON.stringify({ groupId: made.GroupId, ticketId: made.ticketId }),
      ],
    );
    await page.reload();
    await page.getByText("Waiting for an agent").waitFor();
    expect(await ticketOf(page)).toBe(made.ticketId);

    const agents = await sandbox<{ id: string; name: string }[]>("GET", "/desk/salesforce/agents");
    const [one, two] = agents as [{ id: string; name: string }, { id: string; name: string }];
    await sandbox("POST", "/desk/salesforce/owner", { case: made.ticketId, owner: one.id });
    await page.getByText(`${one.name} is with you`).waitFor();

    let asked = 0;
    const desk = await console_(made.GroupId, () => {
      // The org's first call is lost: the panel asks again by itself.
      return asked++ === 0 ? Promise.reject(new Error("503")) : salesforceAgent(one.id);
    });
    const panel = desk.page.frameLocator("iframe");
    await panel.getByText("Verified", { exact: true }).click();
    await panel.getByText("Signed in: the identity was verified.").waitFor();
    await say(panel, "Good evening");
    await hears(page, "Good evening");
    // While the agent looks elsewhere, the page around is told what is unread.
    await desk.page.bringToFront();
    await desk.page.locator("h1").click();
    await say(page, "Good evening to you");
    await hears(panel, "Good evening to you");
    const unread = async () =>
      (await desk.heard()).filter((m) => m.type === "caseroom:unread").at(-1)?.count;
    await expect.poll(unread).toBe(1);
    await panel.getByText("1 unread").waitFor();
    await panel.getByRole("textbox", { name: "Write a message" }).click();
    await expect.poll(unread).toBe(0);
    await accessible(desk.page);

    // The UserSig ends: the panel asks the page around for another one.
    const before = asked;
    await sandbox("POST", "/desk/tencent/expire", { userId: `sf_${one.id}` });
    await expect.poll(() => asked).toBeGreaterThan(before);
    await say(panel, "Still here");
    await hears(page, "Still here");

    await sandbox("POST", "/desk/salesforce/owner", { case: made.ticketId, owner: two.id });
    await page.getByText(`${two.name} has taken over from ${one.name}`).waitFor();
    await panel.getByText("You are not in this ticket's room.").waitFor();
    const second = await console_(made.GroupId, () => salesforceAgent(two.id));
    await hears(second.page.frameLocator("iframe"), "Still here");

    await sandbox("POST", "/desk/salesforce/close", { case: made.ticketId });
    await page.getByText("Solved. This conversation is closed").waitFor();
    await expect
      .poll(async () => JSON.stringify((await sandbox<State>("GET", "/state")).salesforce))
      .toContain("Good evening to you");
    const types = (await desk.heard()).map((m) => m.type);
    expect(types[0]).toBe("caseroom:ready");
    expect(types).toContain("caseroom:renew");
  });
});
