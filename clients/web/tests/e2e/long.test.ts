import { resolve } from "node:path";
import { build } from "vite";
import { describe, expect, test } from "vitest";
import { here, stack, visitor } from "./world";

const web = resolve(import.meta.dirname, "../..");
type LongLog = (length: number) => Promise<() => Promise<void>>;

/** The benchmark's page as one script. */
async function script(): Promise<string> {
  const made = await build({
    root: web,
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      lib: { entry: resolve(web, "tests/bench/longlog.tsx"), formats: ["iife"], name: "bench" },
    },
  });
  const [output] = made as { output: { code?: string }[] }[];
  return output?.output[0]?.code ?? "";
}

describe.skipIf(!here)("a long conversation", () => {
  test("of 1,000 messages takes another one hardly slower than an empty one", async () => {
    const page = await (await visitor()).newPage();
    await page.goto(`${stack.site}/plain`);
    await page.addScriptTag({ content: await script() });
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable");
    const worked = async () => {
      const { metrics } = await cdp.send("Performance.getMetrics");
      return (metrics.find((m) => m.name === "TaskDuration")?.value ?? 0) * 1000;
    };
    /** Milliseconds of the page's own work for each message more. */
    const cost = async (length: number) => {
      const add = await page.evaluateHandle(
        (n) => (globalThis as unknown as { longLog: LongLog }).longLog(n),
        length,
      );
      for (let i = 0; i < 5; i++) await add.evaluate((f) => f());
      const before = await worked();
      for (let i = 0; i < 40; i++) await add.evaluate((f) => f());
      return ((await worked()) - before) / 40;
    };
    const empty = await cost(0);
    const long = await cost(1_000);
    console.log(
      `a message more: ${empty.toFixed(1)} ms in an empty log, ${long.toFixed(1)} ms in one of 1,000, ratio ${(long / empty).toFixed(1)}`,
    );
    expect(long / empty).toBeLessThan(6);
  });
});
