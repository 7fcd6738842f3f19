import { describe, expect, test } from "vitest";
import { open, salesforce, zendesk } from "./demopage";
import { accessible, here, sandbox, stack, visitor } from "./world";

describe.skipIf(!here)("the local run's page", () => {
  test.each([zendesk, salesforce])("a chat at $name, by clicks", async (desk) => {
    const demo = await open(desk);
    const subject = `A dark lamp at ${desk.name}`;
    await demo.step("Write a ticket");
    await demo.ask(subject);
    await demo.step(desk.assign);
    await demo.say(demo.customer, "Is anybody there?");
    await demo.click(desk.own);
    await demo.agent.getByText("Is anybody there?").waitFor();
    await demo.say(demo.agent, "Good morning. Which lamp?");
    await demo.customer.getByText("Good morning. Which lamp?").waitFor();
    await demo.members("Dana Customer, Alex Agent");
    await demo.step(`${desk.end} it`);
    await demo.click(desk.other);
    await demo.members("Dana Customer, Billie Agent");
    // Whoever has the ticket, their chair is one click away.
    await demo.agent.getByText("Billie Agent has this ticket and its chat.").waitFor();
    await demo.click("Be Billie");
    await demo.agent.getByText("Billie Agent has this ticket").waitFor();
    await demo.page.reload();
    await demo.agent.getByText("Billie Agent has this ticket").waitFor();
    await demo.click(desk.nobody);
    await demo.members("Dana Customer");
    await demo.click(desk.own);
    await demo.members("Dana Customer, Alex Agent");
    await demo.click(desk.end);
    await demo.room("locked");
    const notes = demo.page.locator("#ticket .comments");
    await notes.getByText("Good morning. Which lamp?").first().waitFor();
    await demo.page.locator("#steps .done").nth(3).waitFor();
    await demo.click("Reopen");
    await demo.room("in step");
    await demo.click("Delete");
    await demo.room("locked");
    await demo.click("Undelete");
    await demo.room("in step");
    if (desk === zendesk) await accessible(demo.page);
  });

  test("for everybody: languages, a phone, the dark, the keyboard", async () => {
    const phone = { viewport: { width: 390, height: 800 }, colorScheme: "dark" as const };
    const demo = await open(zendesk, phone);
    for (const [language, subject] of [
      ["日本語", "件名"],
      ["中文", "主题"],
      ["Русский", "Тема"],
      ["English, right to left", "Subject"],
    ] as const) {
      await demo.page.getByLabel("The customer's language").selectOption({ label: language });
      await demo.customer.getByLabel(subject).waitFor();
    }
    const wide = () => demo.page.evaluate(() => document.documentElement.scrollWidth);
    expect(await wide()).toBeLessThanOrEqual(phone.viewport.width);
    await demo.page.locator("#tickets button").first().click();
    await demo.page.locator("#ticket .badge").waitFor();
    expect(await wide()).toBeLessThanOrEqual(phone.viewport.width);
    // What is drawn again keeps the focus.
    const more = demo.page.locator("#ticket summary");
    await more.focus();
    await demo.page.keyboard.press("Enter");
    const note = demo.page.getByRole("button", { name: "Add a note" });
    await note.focus();
    await demo.page.keyboard.press("Enter");
    await demo.page.locator("#ticket .comments").getByText("Looked at it.").first().waitFor();
    expect(await note.evaluate((el) => el === document.activeElement)).toBe(true);
    await accessible(demo.page);
  });

  test("events go wrong, and the room comes right", async () => {
    const demo = await open(zendesk);
    await demo.ask("Lost and late");
    await demo.click("is lost");
    await demo.click("is lost");
    await demo.click("Assign Alex"); // two notifications: the assignment and the status
    await demo.room("wrong members");
    await demo.click("Tell the stack of this ticket again");
    await demo.room("in step");
    await demo.members("Dana Customer, Alex Agent");
    await demo.click("comes twice");
    await demo.click("Assign Billie");
    await demo.members("Dana Customer, Billie Agent");
    await demo.click("is 10 s late");
    await demo.click("Unassign");
    await demo.room("wrong members");
    await demo.click("Deliver late notifications now");
    await demo.room("in step");

    await demo.click("Squat on its id");
    await demo.room("a squatter's room");
    await demo.click("Tell the stack of this ticket again");
    await demo.room("in step");
    await demo.click("Let a stranger in");
    await demo.room("wrong members");
    await demo.click("Tell the stack of this ticket again");
    await demo.room("in step");

    // caseroom's own user is nobody to chat with.
    await demo.click("Assign caseroom's own user");
    await demo.page.locator("#ticket dd").getByText("caseroom's own user").waitFor();
    await demo.room("in step");
    await demo.members("Dana Customer");

    await demo.click("Zendesk answers 503");
    await demo.click("Assign Alex");
    await demo.room("wrong members");
    await demo.click("Mend everything");
    await demo.room("in step"); // by Sync's own retry
    expect(await sandbox("GET", "/faults")).toEqual([]);
  });

  test("the network goes and comes back, and reconcile repairs", async () => {
    const demo = await open(salesforce);
    await demo.ask("Cut off");
    await demo.click("The chat's network is down");
    await demo.customer.getByText("Connecting").first().waitFor();
    await demo.click("Mend everything");
    await demo.customer.getByText("Waiting for an agent").waitFor();
    await demo.say(demo.customer, "Back again");
    // Nobody tells: reconcile finds it in the desk's own list of changes.
    await demo.click("is lost");
    await demo.click("Give to Alex");
    await demo.room("wrong members");
    await demo.click("Run reconcile salesforce now");
    await demo.room("in step");
    await demo.agent.getByText("Back again").waitFor();
    // A UserSig that runs out is renewed, and the chat goes on.
    await demo.click("Expire the customer's UserSig");
    await demo.click("Expire the agent's UserSig");
    await demo.say(demo.agent, "Still with you");
    await demo.customer.getByText("Still with you").waitFor();
  });

  test("without the built pages a chat ends when another person sits down", async () => {
    const context = await visitor();
    await context.route("**/demo.json", async (route) => {
      const known = await (await route.fetch()).json();
      await route.fulfill({ json: { ...known, built: false } });
    });
    const page = await context.newPage();
    let listening = 0;
    const isStream = (url: string) => new URL(url).pathname === "/chat/events";
    page.on("request", (r) => isStream(r.url()) && listening++);
    page.on("requestfailed", (r) => isStream(r.url()) && listening--);
    await page.goto(stack.gateway);
    await page.getByRole("button", { name: "Ask" }).click();
    await expect.poll(() => listening).toBe(2); // the customer's, and an agent's beside it
    await page.getByLabel("Who the customer is").selectOption("A guest");
    await page.getByRole("button", { name: "Ask" }).waitFor();
    await expect.poll(() => listening).toBe(1);
  });
});
