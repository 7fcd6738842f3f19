import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import {
  accessible,
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
} from "./world";

async function opened(context: BrowserContext, path = "/shop"): Promise<Page> {
  const page = await context.newPage();
  await page.goto(stack.site + path);
  return page;
}

async function assigned(page: Page): Promise<string> {
  const ticket = await ticketOf(page);
  await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(ticket), agent: alex });
  await page.getByText("Alex Agent is with you").waitFor();
  return ticket;
}

describe.skipIf(!here)("a customer", () => {
  test("hears of a reply on every page, though the chat is closed there", async () => {
    const page = await opened(await visitor());
    await ask(page, "Elsewhere");
    await page.getByText("Waiting for an agent").waitFor();
    const ticket = await assigned(page);
    await page.getByRole("button", { name: "Close the chat" }).click();
    const panel = await zendeskPanel(ticket, []);
    await panel.getByText("Alex Agent has this ticket").waitFor();
    // The next page of the shop, on which the chat was never opened.
    await page.goto(`${stack.site}/shop/ru`);
    await say(panel, "Are you still there?");
    const launcher = page.getByRole("button", { name: /Написать/ });
    await launcher.locator(".cw-badge").waitFor();
    await expect.poll(() => page.title()).toMatch(/^\(\d\) Shop$/);
    await page.reload();
    await launcher.locator(".cw-badge").waitFor();
    await launcher.click();
    await hears(page, "Are you still there?");
    // What caseroom says, it says in the reader's language.
    await page.getByText("Alex Agent: теперь в чате.").waitFor();
    await expect.poll(() => page.title()).toBe("Shop");
  });

  test("keeps what they typed over a reload, and it goes out once", async () => {
    const page = await opened(await visitor());
    await ask(page, "Reloaded", "The lamp of the hall is dark.");
    await page.getByText("Waiting for an agent").waitFor();
    // The subject and the request are there to be read.
    await page.getByRole("article").filter({ hasText: "The lamp of the hall is dark." }).waitFor();
    const ticket = await assigned(page);
    const panel = await zendeskPanel(ticket, []);
    await panel.getByText("Alex Agent has this ticket").waitFor();
    await page.route("**/chat/groups/send", (route) => route.abort());
    await say(page, "Said into the void");
    await page.getByText("Not sent yet.").waitFor();
    await page.getByRole("textbox", { name: "Write a message" }).fill("Half a sen");
    await page.reload();
    await page.getByText("Not sent yet.").waitFor();
    expect(await page.getByRole("textbox", { name: "Write a message" }).inputValue()).toBe(
      "Half a sen",
    );
    await page.unroute("**/chat/groups/send");
    await page.reload();
    await hears(panel, "Said into the void");
    await page.getByText("Not sent yet.").waitFor({ state: "detached" });
    const said = panel.getByRole("article").filter({ hasText: "Said into the void" });
    expect(await said.count()).toBe(1);
  });

  test("keeps a half-written form, and says in which language it is written", async () => {
    const page = await opened(await visitor(), "/shop/underscore");
    await page.getByRole("button", { name: "チャットで問い合わせる" }).click();
    await page.getByLabel("件名").fill("電球");
    await page.reload();
    expect(await page.getByLabel("件名").inputValue()).toBe("電球");
    await page.getByLabel("お問い合わせ内容").fill("点きません。");
    const sent = page.waitForRequest(
      (r) => r.method() === "POST" && r.url().includes("createticket"),
    );
    await page.getByRole("button", { name: "チャットを開始" }).click();
    const body = (await sent).postDataJSON() as { caseInfo: { locale: string } };
    expect(body.caseInfo.locale).toBe("ja-JP");
    await page.getByText("担当者をお待ちください").waitFor();
    await accessible(page);
  });

  test("has several requests, goes between them, and asks again about one that was solved", async () => {
    const page = await opened(await visitor());
    await ask(page, "First lamp");
    await page.getByText("Waiting for an agent").waitFor();
    const first = await ticketOf(page);
    await sandbox("POST", "/desk/zendesk/assign", { ticket: Number(first), agent: alex });
    await sandbox("POST", "/desk/zendesk/status", { ticket: Number(first), status: "solved" });
    await page.getByRole("button", { name: "Not solved? Ask again" }).click();
    expect(await page.getByLabel("Subject").inputValue()).toBe("First lamp");
    await page.getByLabel("How can we help?").fill("It is dark again.");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText(`This is about request ${first}.`).waitFor();
    const second = await ticketOf(page);
    expect(second).not.toBe(first);
    await page.getByRole("button", { name: "Your requests" }).click();
    await page.getByRole("button", { name: `Request ${first}` }).waitFor();
    await page.getByRole("button", { name: `Request ${second}` }).waitFor();
    await accessible(page);
    await page.getByRole("button", { name: `Request ${first}` }).click();
    await page.getByText("Solved. This conversation is closed").waitFor();
    expect(await ticketOf(page)).toBe(first);
  });

  test("finds their requests, and their own words, on another device", async () => {
    const signedIn = async () => {
      const context = await visitor();
      await context.addInitScript((token) => {
        if (location.protocol.startsWith("http")) sessionStorage.setItem("login", token);
      }, stack.tokens.login);
      return context;
    };
    const first = await opened(await signedIn(), "/shop/account");
    await ask(first, "Two devices");
    await first.getByText("Waiting for an agent").waitFor();
    const ticket = await ticketOf(first);
    await say(first, "Said on the first");
    await first.getByText("sending…").waitFor({ state: "detached" });

    const second = await (await signedIn()).newPage();
    // The room's first message, and a notice that a member has changed since.
    await second.route("**/chat/groups/messages?*", async (route) => {
      const answer = await route.fetch();
      const page = (await answer.json()) as { messages: object[]; complete: boolean };
      const admin = { time: "2026-01-01T00:00:00Z", from: "administrator", nick: "" };
      const request = { kind: "request", subject: "Two devices", text: "It does not light." };
      page.messages.unshift(
        { ...admin, seq: 0.1, type: "custom", text: JSON.stringify({ caseroom: request }) },
        {
          ...admin,
          seq: 0.2,
          type: "text",
          text: "Pay here.",
          edited: true,
          cloudCustomData: JSON.stringify({ caseroom: { kind: "ended" } }),
        },
      );
      await route.fulfill({ response: answer, json: page });
    });
    await second.goto(`${stack.site}/shop/account`);
    await second.getByRole("button", { name: "Chat with us" }).click();
    await second.getByRole("button", { name: "Your requests" }).click();
    await second.getByRole("button", { name: `Request ${ticket}` }).click();
    await hears(second, "Said on the first");
    await second.getByRole("article").filter({ hasText: "It does not light." }).waitFor();
    await second.locator(".cw-title").getByText("Two devices").waitFor();
    await second.getByText("Waiting for an agent", { exact: true }).waitFor();
    await second.getByText("A notice that was here was changed later").waitFor();
    expect(await second.getByText("Pay here.").count()).toBe(0);
  });

  test("of two tabs the one that is looked at has the chat, and the other goes on showing it", async () => {
    const first = await opened(await visitor());
    await ask(first, "Two windows");
    await first.getByText("Waiting for an agent").waitFor();
    await say(first, "Written in the first");
    await hears(first, "Written in the first");
    const second = await opened(first.context());
    await hears(second, "Written in the first");
    await first.getByText("This chat was opened in another window.").waitFor();
    expect(await first.getByRole("article").count()).toBeGreaterThan(1);
    await first.bringToFront();
    await first.evaluate(() => dispatchEvent(new Event("focus")));
    await first.getByText("This chat was opened in another window.").waitFor({ state: "detached" });
    await say(first, "And on in the first");
    await hears(first, "And on in the first");
  });

  test("on a phone goes back to the page, and the page behind stays as it is", async () => {
    const context = await visitor({
      viewport: { width: 375, height: 667 },
      hasTouch: true,
      isMobile: true,
    });
    const page = await opened(context, "/plain");
    await page.goto(`${stack.site}/shop`);
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByRole("dialog", { name: "Support chat" }).waitFor();
    const scrolls = () => page.evaluate(() => document.documentElement.style.overflow);
    await expect.poll(scrolls).toBe("hidden");
    await accessible(page);
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press(i % 3 === 2 ? "Shift+Tab" : "Tab");
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("CASEROOM-WIDGET");
    }
    await page.goBack();
    await page.getByRole("button", { name: "Chat with us" }).waitFor();
    expect(page.url()).toBe(`${stack.site}/shop`);
    await expect.poll(scrolls).toBe("");
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByRole("button", { name: "Close the chat" }).click();
    await page.getByRole("button", { name: "Chat with us" }).waitFor();
    // Closing goes back by itself; a "back" at the same moment would be the same one.
    await expect.poll(() => page.evaluate(() => history.state)).toBe(null);
    await page.goBack();
    await page.waitForURL(`${stack.site}/plain`);
  });

  test("a guest passes the site's challenge, on the page and not in the shadow", async () => {
    const context = await visitor();
    const bodies: { challenge?: string }[] = [];
    // The service's own script, as far as the widget sees it.
    await context.route("https://challenges.cloudflare.com/**", (route) =>
      route.fulfill({
        contentType: "text/javascript",
        body: `let n = 0, last;
          const show = () => { const b = document.createElement("button");
            b.textContent = "I am human"; b.onclick = () => last.callback("token-" + ++n); return b; };
          window.turnstile = {
            render(box, o) { last = o; box.append(show()); return "w"; },
            reset() {},
          };`,
      }),
    );
    context.on("request", (r) => {
      if (r.url().endsWith("/guest/createticket") && r.method() === "POST") {
        bodies.push(r.postDataJSON());
      }
    });
    const page = await opened(context, "/shop/challenge");
    await ask(page, "Challenged");
    await page.getByRole("button", { name: "I am human" }).click();
    await page.getByText("Waiting for an agent").waitFor();
    expect(bodies.map((b) => b.challenge)).toEqual(["token-1"]);
  });

  test("finds the chat on a page that hides, restyles and replaces what it does not know", async () => {
    const page = await opened(await visitor(), "/shop/hostile");
    const launcher = page.getByRole("button", { name: "Chat with us" });
    await launcher.click();
    await page.getByLabel("Subject").fill("Hostile");
    const where = () =>
      page.locator("caseroom-widget").evaluate((el) => {
        const s = getComputedStyle(el);
        return [s.display, s.position, s.opacity, s.transform, s.fontFamily.includes("fantasy")];
      });
    expect(await where()).toEqual(["block", "fixed", "1", "none", false]);
    // As Turbo and its like go to the next page.
    await page.evaluate(() => {
      const body = document.createElement("body");
      body.append(Object.assign(document.createElement("h1"), { textContent: "Next page" }));
      document.documentElement.replaceChild(body, document.body);
    });
    await page.getByRole("heading", { name: "Next page" }).waitFor();
    expect(await page.getByLabel("Subject").inputValue()).toBe("Hostile");
    await page.evaluate(() => {
      document.body.replaceChildren(document.createElement("main"));
    });
    await page.getByLabel("Subject").waitFor();
    expect(await page.locator("caseroom-widget").count()).toBe(1);
    // A short cut of the page is not set off by what is typed.
    await page.getByLabel("Subject").press("s");
    expect(await page.evaluate(() => (globalThis as { pressed?: number }).pressed ?? 0)).toBe(0);
  });

  test("is told why something cannot be sent before it is, and comes to the newest by a click", async () => {
    const page = await opened(await visitor());
    await ask(page, "Limits", "A long story. ".repeat(80));
    await page.getByText("Waiting for an agent").waitFor();
    const write = page.getByRole("textbox", { name: "Write a message" });
    await write.fill("漢".repeat(3600));
    await page.getByText("66 characters left").waitFor();
    await write.fill("漢".repeat(4000));
    await page.getByText("This message is too long.").waitFor();
    expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    await page.route("**/chat/groups/send", (route) =>
      route.fulfill({
        status: 400,
        contentType: "application/json",
        headers: { "Access-Control-Allow-Origin": stack.site },
        body: JSON.stringify({ code: 80001, message: "refused by moderation" }),
      }),
    );
    await write.fill("Best casino");
    await write.press("Enter");
    await page.getByText("The message was not accepted.").waitFor();
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    await page.getByRole("button", { name: "Edit" }).click();
    expect(await write.inputValue()).toBe("Best casino");
    await write.fill("");
    const attach = page.getByLabel("Attach a file").last();
    const buffer = Buffer.alloc(10 * 1024 * 1024 + 1);
    await attach.setInputFiles({ name: "film.mp4", mimeType: "video/mp4", buffer });
    await page.getByText("film.mp4 is too large. A file may have up to 10 MB.").waitFor();
    await attach.setInputFiles({
      name: "none.txt",
      mimeType: "text/plain",
      buffer: Buffer.alloc(0),
    });
    await page.getByText("This file is empty.").waitFor();
    const log = page.getByRole("log");
    await log.evaluate((el) => el.scrollTo(0, 0));
    await page.getByRole("button", { name: "Newest messages" }).click();
    await expect
      .poll(() => log.evaluate((el) => el.scrollHeight - el.scrollTop - el.clientHeight))
      .toBeLessThan(5);
    await accessible(page);
  });

  test("is told when nobody is there, and asked for an address", async () => {
    const page = await (await visitor()).newPage();
    await page.clock.setFixedTime(new Date("2026-11-29T12:00:00Z")); // a Sunday
    await page.goto(`${stack.site}/shop/hours`);
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByText(/Nobody is here right now.*we answer from Monday/).waitFor();
    await page.getByLabel("Subject").fill("Late");
    await page.getByLabel("How can we help?").fill("Dark.");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Please fill this in.").waitFor();
    await accessible(page);
    await page.clock.setFixedTime(new Date("2026-11-30T12:00:00Z"));
    await page.reload();
    await page.getByText("We usually answer within 10 minutes.").waitFor();
  });

  test("sees the site's own title, picture, colour and corner; the site hears what happens", async () => {
    const page = await opened(await visitor(), "/shop/branded");
    await page.getByRole("button", { name: "Chat with us" }).click();
    await page.getByRole("heading", { name: "Lamp help" }).waitFor();
    await page.getByText("Ask us about lamps.").waitFor();
    const box = await page.getByRole("region", { name: "Lamp help" }).boundingBox();
    expect(box?.x).toBeLessThan(40);
    await page.getByLabel("Subject").fill("Branded");
    await page.getByLabel("How can we help?").fill("Dark.");
    await page.getByRole("button", { name: "Start chat" }).click();
    await page.getByText("Waiting for an agent").waitFor();
    const heard = () => page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
    await expect.poll(heard).toContain("caseroom:ticket");
    expect(await heard()).toContain("caseroom:open");
    await page.evaluate(() =>
      (document.querySelector("caseroom-widget") as never as { close(): void }).close(),
    );
    await expect.poll(heard).toContain("caseroom:close");
  });
});
