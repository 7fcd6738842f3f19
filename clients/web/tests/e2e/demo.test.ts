import type { FrameLocator, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { accessible, here, sandbox, stack, visitor } from "./world";

interface Desk {
  name: string;
  own: string;
  other: string;
  nobody: string;
  end: string;
}

const zendesk: Desk = {
  name: "Zendesk",
  own: "Assign Alex",
  other: "Assign Billie",
  nobody: "Unassign",
  end: "Solve",
};
const salesforce: Desk = {
  name: "Salesforce",
  own: "Give to Alex",
  other: "Give to Billie",
  nobody: "Back to the queue",
  end: "Close",
};

/** The local run's own page, with its customer and its agent. */
async function open(desk: Desk): Promise<Demo> {
  const context = await visitor({ viewport: { width: 1500, height: 1300 } });
  // These tests host the panel apart from the page, where its config.json names
  // Zendesk's own script.
  await context.route("https://static.zdassets.com/**", async (route) =>
    route.fulfill({
      contentType: "text/javascript",
      body: await (await fetch(`${stack.sandbox}/zendesk/zaf_sdk.min.js`)).text(),
    }),
  );
  const page = await context.newPage();
  await page.goto(stack.gateway);
  const demo = new Demo(page);
  await demo.click(desk.name);
  return demo;
}

class Demo {
  readonly customer: FrameLocator;
  readonly agent: FrameLocator;

  constructor(readonly page: Page) {
    this.customer = page.frameLocator("#customer-pane iframe");
    this.agent = page.frameLocator("#agent-pane iframe");
  }

  click(name: string): Promise<void> {
    return this.page.getByRole("button", { name, exact: true }).click();
  }

  /** Writes a ticket as the customer; the page turns to it. */
  async ask(subject: string): Promise<void> {
    await this.customer.getByLabel("Subject").fill(subject);
    await this.customer.getByLabel("How can we help?").fill("It does not light.");
    await this.customer.getByRole("button", { name: "Start chat" }).click();
    await this.customer.getByText("Waiting for an agent").waitFor();
    await this.page.locator("#ticket h3").getByText(subject).waitFor();
    await this.room("in step");
  }

  async say(as: FrameLocator, text: string): Promise<void> {
    await as.getByRole("textbox").fill(text);
    await as.getByRole("textbox").press("Enter");
  }

  /** Waits until the page says so of the selected ticket's room. */
  room(standing: string): Promise<void> {
    return this.page.locator("#ticket .badge").getByText(standing, { exact: true }).waitFor();
  }

  members(names: string): Promise<void> {
    return this.page.locator("#ticket dd").getByText(`${names};`).waitFor();
  }
}

describe.skipIf(!here)("the local run's page", () => {
  test.each([zendesk, salesforce])("a chat at $name, by clicks", async (desk) => {
    const demo = await open(desk);
    const subject = `A dark lamp at ${desk.name}`;
    await demo.ask(subject);
    await demo.say(demo.customer, "Is anybody there?");
    await demo.click(desk.own);
    await demo.agent.getByText("Is anybody there?").waitFor();
    await demo.say(demo.agent, "Good morning. Which lamp?");
    await demo.customer.getByText("Good morning. Which lamp?").waitFor();
    await demo.members("Dana Customer, Alex Agent");
    await demo.click(desk.other);
    await demo.members("Dana Customer, Billie Agent");
    await demo.click(desk.nobody);
    await demo.members("Dana Customer");
    await demo.click(desk.own);
    await demo.members("Dana Customer, Alex Agent");
    await demo.click(desk.end);
    await demo.room("locked");
    const notes = demo.page.locator("#ticket .comments");
    await notes.getByText("Good morning. Which lamp?").first().waitFor();
    await demo.click("Reopen");
    await demo.room("in step");
    await demo.click("Delete");
    await demo.room("locked");
    await demo.click("Undelete");
    await demo.room("in step");
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

    await demo.click("Zendesk answers 503");
    await demo.click("Assign Alex");
    await demo.room("wrong members");
    await demo.click("Mend everything");
    await demo.room("in step"); // by Sync's own retry
    expect(await sandbox("GET", "/faults")).toEqual([]);
  });

  test("the chat's network goes and comes back", async () => {
    const demo = await open(salesforce);
    await demo.ask("Cut off");
    await demo.click("The chat's network is down");
    await demo.customer.getByText("Connecting").first().waitFor();
    await demo.click("Mend everything");
    await demo.customer.getByText("Waiting for an agent").waitFor();
    await demo.say(demo.customer, "Back again");
    await demo.click("Give to Alex");
    await demo.agent.getByText("Back again").waitFor();
    // A UserSig that runs out is renewed, and the chat goes on.
    await demo.click("Expire the customer's UserSig");
    await demo.click("Expire the agent's UserSig");
    await demo.say(demo.agent, "Still with you");
    await demo.customer.getByText("Still with you").waitFor();
  });
});
