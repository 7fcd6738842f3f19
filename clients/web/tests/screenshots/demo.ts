import { statSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { open, zendesk } from "../e2e/demopage";
import { here } from "../e2e/world";

describe.skipIf(!here)("pictures", () => {
  test("the local run's page", async () => {
    const demo = await open(zendesk);
    await demo.page.setViewportSize({ width: 1440, height: 1060 });
    await demo.ask("The lamp is dark");
    await demo.say(demo.customer, "Is anybody there?");
    await demo.click("Assign Alex");
    await demo.agent.getByText("Is anybody there?").waitFor();
    await demo.say(demo.agent, "Good morning, Dana. Which lamp is it?");
    await demo.customer.getByText("Which lamp is it?").waitFor();
    await demo.members("Dana Customer, Alex Agent");
    await demo.step("Solve it");
    await demo.page.mouse.move(0, 0);
    const path = resolve(import.meta.dirname, "../../../../docs/images/demo.png");
    await demo.page.screenshot({ path, animations: "disabled" });
    expect(statSync(path).size).toBeLessThan(1 << 20);
  });
});
