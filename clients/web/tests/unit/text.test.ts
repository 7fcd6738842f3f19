import { expect, test } from "vitest";
import { safeUrl, shownName } from "../../src/ui/text";

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
