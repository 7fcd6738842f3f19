import { defineConfig } from "vitest/config";

// In a real browser, against the shipped functions: make test-web.
export default defineConfig({
  test: {
    include: ["tests/e2e/**/*.test.ts"],
    globalSetup: "tests/e2e/setup.ts",
    setupFiles: "tests/e2e/hooks.ts",
    // One process and one browser for all files.
    fileParallelism: false,
    isolate: false,
    // They wait for conditions, never for times: a busy machine only takes longer.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
  },
});
