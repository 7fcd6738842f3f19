import { afterEach, expect, test, vi } from "vitest";
import { SandboxChat } from "../../src/chat/sandbox";
import { credentials } from "./fakes";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("a login that is answered after the end is ended, and nothing listens", async () => {
  let answer = (_: Response) => {};
  const asked: string[] = [];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(new URL(url).pathname);
    if (!url.endsWith("/chat/login")) return Promise.resolve(Response.json({}));
    return new Promise<Response>((resolve) => (answer = resolve));
  });
  const listening = vi.fn();
  vi.stubGlobal("EventSource", listening);
  const chat = new SandboxChat("http://127.0.0.1:3100");
  const login = chat.login(credentials());
  await chat.close();
  answer(Response.json({ session: "s1" }));
  await login;
  expect(listening).not.toHaveBeenCalled();
  expect(asked).toEqual(["/chat/login", "/chat/logout"]);
});
