import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { accessible, expectComplaint, here, stack, visitor } from "./world";

// Stand-ins for Zendesk's scripts: they ask for the visitor's JWT as the real
// ones do, and keep what they were given.
const chatSdk = `
  const heard = {};
  globalThis.zChat = {
    init(o) {
      globalThis.account = o.account_key;
      const ask = () => o.authentication.jwt_fn((jwt) => {
        globalThis.jwts = [...(globalThis.jwts ?? []), jwt];
        heard.connection_update("connected");
      });
      globalThis.askAgain = ask;
      ask();
    },
    on(event, f) { heard[event] = f; },
    sendChatMsg(text, done) {
      done();
      heard.chat({ type: "chat.msg", display_name: "Dana", msg: text });
      heard.chat({ type: "chat.msg", display_name: "Alex", msg: "Hello Dana" });
    },
  };`;
const messagingSdk = `
  globalThis.zE = (area, command, jwt, done) => {
    globalThis.said = [...(globalThis.said ?? []), area + " " + command];
    if (command === "loginUser") jwt((token) => { globalThis.jwts = [token]; done(null); });
  };`;

async function page(handover: object, hash = ""): Promise<Page> {
  const context = await visitor();
  await configured(context, handover);
  const p = await context.newPage();
  await p.goto(`${stack.site}/handover.html${hash}`);
  return p;
}

async function configured(context: BrowserContext, handover: object): Promise<void> {
  await context.route("**/config.json", (route) =>
    route.fulfill({ json: { api: stack.gateway, handover } }),
  );
  for (const [host, body] of [
    ["https://dev.zopim.com/**", chatSdk],
    ["https://static.zdassets.com/**", messagingSdk],
  ] as const) {
    await context.route(host, (route) => route.fulfill({ contentType: "text/javascript", body }));
  }
}

function claims(jwt: string): { head: Record<string, unknown>; body: Record<string, unknown> } {
  const [head, body] = jwt
    .split(".")
    .slice(0, 2)
    .map((p) => JSON.parse(Buffer.from(p, "base64url").toString()));
  return { head, body };
}

const given = (p: Page) =>
  p.evaluate(() => (globalThis as unknown as { jwts: string[] }).jwts ?? []);

describe.skipIf(!here)("hand-over to Zendesk's own chats", () => {
  test("Chat, by the token in the header", async () => {
    const p = await page(
      { login: "header", chatAccountKey: "KEY" },
      `#token=${stack.tokens.login}`,
    );
    await p.getByRole("textbox", { name: "Write a message" }).fill("Hi");
    expect(p.url()).toBe(`${stack.site}/handover.html`);
    await p.getByRole("button", { name: "Send" }).click();
    await p.getByText("Hello Dana").waitFor();
    const [jwt] = await given(p);
    expect(claims(jwt ?? "").body).toMatchObject({
      external_id: "dana",
      email: "dana@customer.example",
    });
    // A later reconnect gets a JWT of its own.
    const asked = p.waitForRequest((r) => r.url().includes("/generate/token"));
    await p.evaluate(() => (globalThis as unknown as { askAgain: () => void }).askAgain());
    expect((await asked).headers().authorization).toBe(`Bearer ${stack.tokens.login}`);
    await accessible(p);
  });

  test("Chat, by the login's cookie", async () => {
    const context = await visitor();
    await context.addCookies([{ name: "token", value: stack.tokens.login, url: stack.gateway }]);
    await configured(context, { chatAccountKey: "KEY" });
    const p = await context.newPage();
    const asked = p.waitForRequest((r) => r.url().includes("/generate/token"));
    await p.goto(`${stack.site}/handover.html`);
    await p.getByRole("textbox", { name: "Write a message" }).waitFor();
    const headers = await (await asked).allHeaders();
    expect(headers.cookie).toContain("token=");
    expect(headers.authorization).toBeUndefined();
    expect(claims((await given(p))[0] ?? "").body.external_id).toBe("dana");
  });

  test("Messaging", async () => {
    const p = await page({ login: "header", messagingKey: "KEY" }, `?token=${stack.tokens.login}`);
    await p.getByText("You are signed in.").waitFor();
    expect(p.url()).toBe(`${stack.site}/handover.html`);
    const { head, body } = claims((await given(p))[0] ?? "");
    expect(head.kid).toBeTruthy();
    expect(body).toMatchObject({ scope: "user", external_id: "dana" });
    expect(await p.evaluate(() => (globalThis as unknown as { said: string[] }).said)).toEqual([
      "messenger loginUser",
      "messenger open",
    ]);
  });

  test("nobody is signed in: no anonymous chat is begun", async () => {
    const p = await page({ chatAccountKey: "KEY" });
    await p.getByText("Please sign in first").waitFor();
    expect(await given(p)).toEqual([]);
    expect(
      await p.evaluate(() => (globalThis as unknown as { account?: string }).account),
    ).toBeUndefined();
    await accessible(p);
  });

  test("Zendesk's script blocked, and back", async () => {
    const context = await visitor();
    await configured(context, { login: "header", chatAccountKey: "KEY" });
    await context.route("https://dev.zopim.com/**", (route) => route.abort());
    expectComplaint(/dev\.zopim\.com/);
    const p = await context.newPage();
    await p.goto(`${stack.site}/handover.html#token=${stack.tokens.login}`);
    await p.getByText("The chat cannot be reached.").waitFor();
    await context.unroute("https://dev.zopim.com/**");
    await configured(context, { login: "header", chatAccountKey: "KEY" });
    await p.getByRole("button", { name: "Try again" }).click();
    await p.getByRole("textbox", { name: "Write a message" }).waitFor();
  });
});
