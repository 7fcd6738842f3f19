import { expect, test } from "vitest";
import { safeUrl, shownName, splitLinks } from "../../src/ui/text";

test.each([
  ["https://files.example/lamp.png", true],
  ["http://127.0.0.1:3100/chat/files/1/lamp.png", true],
  ["http://files.example/lamp.png", false],
  ["javascript:alert(1)", false],
  ["data:text/html,<script>alert(1)</script>", false],
  ["blob:https://shop.example/1", false],
  ["//files.example/lamp.png", false],
  ["", false],
])("%s may be opened: %s", (url, may) => {
  expect(safeUrl(url) !== undefined).toBe(may);
});

test("a file's name reads as it is written", () => {
  expect(shownName("lamp\u202egpj.exe")).toBe("lampgpj.exe");
  expect(shownName("\u0644\u0645\u0628\u0629.png")).toBe("\u0644\u0645\u0628\u0629.png");
});

test.each([
  ["https://example.com/a。谢谢", "https://example.com/a"],
  ["https://example.com/guide，谢谢", "https://example.com/guide"],
  ["见https://example.com/docs（说明）了解更多", "https://example.com/docs"],
  ["「https://example.com/b」です", "https://example.com/b"],
  ["https://example.com…", "https://example.com"],
  ["«https://a.b/c»", "https://a.b/c"],
  ["„https://a.b/c“", "https://a.b/c"],
  ["https://a.b/c؟ نعم", "https://a.b/c"],
  ["״https://a.b/c״", "https://a.b/c"],
  ["https://a.b/c। धन्यवाद", "https://a.b/c"],
  [
    "https://en.example.org/wiki/Lamp_(electrical)",
    "https://en.example.org/wiki/Lamp_(electrical)",
  ],
  ["(see https://example.com/a(b)c)", "https://example.com/a(b)c"],
  ["(https://example.com/).", "https://example.com/"],
  ["https://example.com/\u202egnp.exe", "https://example.com/"],
  ["https://example.com/страница?q=é#x.", "https://example.com/страница?q=é#x"],
  ["请看https://example.com/a谢谢", "https://example.com/a"],
  ["https://ja.example.org/wiki/日本語", "https://ja.example.org/wiki/日本語"],
  ["HTTPS://EXAMPLE.COM/A", "HTTPS://EXAMPLE.COM/A"],
  ["https://a.b/?x=1&y=[2]!", "https://a.b/?x=1&y=[2]"],
])("in %s the address is %s", (text, address) => {
  const parts = splitLinks(text);
  expect(parts[1]).toBe(address);
  expect(parts).toHaveLength(3);
  expect(parts.join("")).toBe(text);
});

test.each([
  "https://",
  "http://)",
  "no address",
  "https://. and on",
])("%s has no address", (text) => {
  expect(splitLinks(text)).toEqual([text]);
});
