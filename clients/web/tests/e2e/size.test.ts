import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const dist = resolve(import.meta.dirname, "../../dist");

/** A file of the build with everything that it imports at once. */
function withImports(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const code = readFileSync(file, "utf8");
  for (const m of code.matchAll(/(?:\bfrom|\bimport)\s*["'](\.[^"']+)["']/g)) {
    withImports(join(dirname(file), m[1] as string), seen);
  }
  return seen;
}

function kilobytes(files: Set<string>): number {
  return [...files].reduce((sum, f) => sum + gzipSync(readFileSync(f)).length, 0) / 1024;
}

test("before the chat opens the widget is at most 20 KB", () => {
  const files = withImports(join(dist, "widget.js"));
  expect(files.size).toBeGreaterThan(1);
  const size = kilobytes(files);
  console.log(`the widget before the chat opens: ${size.toFixed(1)} KB gzip`);
  expect(size).toBeLessThanOrEqual(20);
  expect([...files].filter((f) => /connected|conversation|tencent|index\.es/.test(f))).toEqual([]);
});
