import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterEach, expect } from "vitest";
import { goHome, here, openPages, sandbox } from "./world";

// Run before every file, so that each test ends like this, whichever file it is in.
afterEach(async ({ task }) => {
  if (!here) return;
  if (task.result?.state === "fail") {
    // What the pages show says more than a time-out, also where only the log is kept.
    for (const [i, page] of openPages().entries()) {
      const path = join(tmpdir(), `caseroom-web-failed-${i}.png`);
      await page.screenshot({ path }).catch(() => {});
      console.error(`${page.url()} (${path}):\n${await outline(page)}`);
    }
    console.error("last calls:", await lastCalls());
  }
  const complaints = await goHome();
  await sandbox("DELETE", "/faults");
  expect(complaints).toEqual([]);
});

/** What a screen reader would find in a page and its frames. */
async function outline(page: Page): Promise<string> {
  const parts = page.frames().map(async (frame) => {
    const text = await frame
      .locator("body")
      .ariaSnapshot({ timeout: 2_000 })
      .catch((err) => String(err));
    return `--- ${frame.url()}\n${text.slice(0, 4_000)}`;
  });
  return (await Promise.all(parts)).join("\n");
}

async function lastCalls(): Promise<string> {
  const calls = await sandbox<{ vendor: string; op: string; status: number; fault?: string }[]>(
    "GET",
    "/calls",
  ).catch(() => []);
  const lines = calls.slice(-25).map((c) => `${c.vendor} ${c.op} ${c.status} ${c.fault ?? ""}`);
  return lines.join("\n");
}
