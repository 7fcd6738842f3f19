import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { accessible, ask, expectComplaint, hears, here, say, stack, visitor } from "./world";

async function open(path: string, options: Parameters<typeof visitor>[0] = {}): Promise<Page> {
  const page = await (await visitor(options)).newPage();
  await page.goto(stack.site + path);
  return page;
}

describe.skipIf(!here)("for everybody", () => {
  test("by keyboard alone", async () => {
    const page = await open("/shop");
    const focused = () =>
      page.evaluate(() => {
        const inside = document.querySelector("caseroom-widget")?.shadowRoot?.activeElement;
        return (
          inside?.getAttribute("aria-label") ?? inside?.getAttribute("name") ?? inside?.textContent
        );
      });
    await page.getByRole("button", { name: "Chat with us" }).waitFor();
    await page.keyboard.press("Tab");
    await expect.poll(focused).toBe("Chat with us");
    await page.keyboard.press("Enter");
    await page.getByLabel("Subject").waitFor();
    await expect.poll(focused).toBe("Support chat");
    await page.keyboard.press("Tab");
    await expect.poll(focused).toBe("Close the chat");
    await page.keyboard.press("Tab");
    await expect.poll(focused).toBe("subject");
    await page.keyboard.type("Keys");
    await page.keyboard.press("Tab");
    await page.keyboard.type("I have no mouse.");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await expect.poll(focused).toBe("Start chat");
    await page.keyboard.press("Enter");
    await page.getByText("Waiting for an agent").waitFor();
    const write = page.getByRole("textbox", { name: "Write a message" });
    await expect.poll(focused).toBe("Write a message");
    await page.keyboard.type("One");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await hears(page, "One\ntwo");
    expect(await write.inputValue()).toBe("");
    await page.keyboard.press("Escape");
    await expect.poll(focused).toContain("Chat with us");
  });

  test("new messages are in a live log", async () => {
    const page = await open("/shop");
    await ask(page, "Log");
    await page.getByText("Waiting for an agent").waitFor();
    await say(page, "Said");
    await page.getByRole("log").getByRole("article").filter({ hasText: "Said" }).waitFor();
  });

  test("in Japanese, Chinese and Russian", async () => {
    for (const [lang, launch, subject] of [
      ["ja", "チャットで問い合わせる", "件名"],
      ["zh", "在线咨询", "主题"],
      ["ru", "Написать в поддержку", "Тема"],
    ] as const) {
      const page = await open(`/shop/${lang}`);
      await page.getByRole("button", { name: launch }).click();
      await page.getByLabel(subject).waitFor();
      expect(await page.locator("caseroom-widget [lang]").getAttribute("lang")).toBe(lang);
      // The longest words of all.
      if (lang === "ru") await accessible(page);
    }
  });

  test("from right to left", async () => {
    const page = await open("/shop/rtl");
    await ask(page, "RTL");
    await page.getByText("Waiting for an agent").waitFor();
    await say(page, "شكرا");
    await hears(page, "شكرا");
    const log = await page.getByRole("log").boundingBox();
    const mine = await page.getByRole("article").filter({ hasText: "شكرا" }).boundingBox();
    const send = await page.getByRole("button", { name: "Send" }).boundingBox();
    if (!log || !mine || !send) throw new Error("not on the page");
    // One's own messages stand at the end of the line, which is on the left now.
    expect(mine.x - log.x).toBeLessThan(log.x + log.width - (mine.x + mine.width));
    expect(send.x).toBeLessThan(log.x + log.width / 2);
    await accessible(page);
  });

  test.each([
    ["a phone", { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true }],
    [
      "a desktop in the dark",
      { viewport: { width: 1600, height: 900 }, colorScheme: "dark" as const },
    ],
  ])("on %s", async (_, options) => {
    const page = await open("/shop", options);
    await ask(page, "Small and dark");
    await page.getByText("Waiting for an agent").waitFor();
    await say(page, "Hello");
    await hears(page, "Hello");
    const box = await page.getByRole("button", { name: "Send" }).boundingBox();
    const { width, height } = options.viewport;
    if (!box) throw new Error("not on the page");
    expect(box.x + box.width).toBeLessThanOrEqual(width);
    expect(box.y + box.height).toBeLessThanOrEqual(height);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
      width,
    );
    await accessible(page);
  });

  test("the panel speaks the agent's language", async () => {
    const page = await open("/panel.html", { locale: "ru-RU" });
    await page.getByText("Откройте эту страницу из рабочего места").waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe("ru-RU");
  });

  test("members only: who is not signed in is told before filling in a form", async () => {
    const page = await open("/shop/members");
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByText("Please sign in first").waitFor();
    expect(await page.getByLabel("Subject").count()).toBe(0);
    await page.evaluate((token) => sessionStorage.setItem("login", token), stack.tokens.login);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByLabel("Subject").waitFor();
    expect(await page.getByLabel("E-mail").count()).toBe(0);
  });

  test("the panel opens in no frame but a configured one", async () => {
    const alone = await open("/panel.html");
    await alone.getByText("Open this page from your desk").waitFor();
    const page = await (await visitor()).newPage();
    expectComplaint(/frame-ancestors/);
    const refused = page.waitForEvent("console", (m) => m.text().includes("frame-ancestors"));
    await page.goto(`${stack.stranger}/console`);
    await refused;
  });
});
