import { describe, expect, test } from "vitest";
import { accessible, ask, here, sandbox, say, stack, ticketOf, visitor } from "./world";

interface State {
  zendesk: { tickets: { id: number; comments: { body: string }[] }[] };
}

describe.skipIf(!here)("a guest's ticket at Zendesk", () => {
  test("smoke", async () => {
    const context = await visitor();
    const page = await context.newPage();
    await page.goto(`${stack.site}/shop`);
    await ask(page, "The lamp is dark");
    await page.getByText("Waiting for an agent").waitFor();
    await page.screenshot({ path: "/tmp/w1.png" });
    const ticket = Number(await ticketOf(page));
    expect(ticket).toBeGreaterThan(1000);
    const agents = await sandbox<unknown>("GET", "/desk/zendesk/agents");
    console.log(
      JSON.stringify(agents),
      JSON.stringify((await sandbox<State>("GET", "/state")).zendesk.tickets[0]),
    );
    await say(page, "Hello?");
    await page.getByRole("article").filter({ hasText: "Hello?" }).waitFor();
    await page.screenshot({ path: "/tmp/w2.png" });
    await accessible(page);
  });
});
