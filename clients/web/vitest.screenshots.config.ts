import { defineConfig } from "vitest/config";
import e2e from "./vitest.e2e.config.ts";

// The pictures of the guides: make screenshots.
export default defineConfig({
  test: { ...e2e.test, include: ["tests/screenshots/**/*.ts"] },
});
