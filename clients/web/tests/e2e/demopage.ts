import type { FrameLocator, Page } from "playwright-core";
import { stack, visitor } from "./world";

export interface Desk {
  name: string;
  own: string;
  other: string;
  nobody: string;
  end: string;
  /** The second step's title. */
  assign: string;
}

export const zendesk: Desk = {
  name: "Zendesk",
  own: "Assign Alex",
  other: "Assign Billie",
  nobody: "Unassign",
  end: "Solve",
  assign: "Assign it",
};
export const salesforce: Desk = {
  name: "Salesforce",
  own: "Give to Alex",
  other: "Give to Billie",
  nobody: "Back to the queue",
  end: "Close",
  assign: "Give it to an agent",
};

/** The local run's own page, with its customer and its agent. */
export async function open(desk: Desk, options: Parameters<typeof visitor>[0] = {}): Promise<Demo> {
  const context = await visitor({ viewport: { width: 1500, height: 1300 }, ...options });
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

export class Demo {
  readonly customer: FrameLocator;
  readonly agent: FrameLocator;

  constructor(readonly page: Page) {
    this.customer = page.frameLocator("#customer-pane iframe");
    this.agent = page.frameLocator("#agent-pane iframe");
  }

  async click(name: string): Promise<void> {
    const button = this.page.getByRole("button", { name, exact: true });
    // What agents do seldom is folded.
    const folded = this.page.locator("#ticket details:not([open])");
    if ((await button.count()) === 0 && (await folded.count()) > 0) {
      await folded.locator("summary").click();
    }
    await button.click();
  }

  /** Waits until the page says that this is what to do next. */
  async step(title: string): Promise<void> {
    await this.page.locator("#steps .now").getByText(title).waitFor();
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
