import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig } from "vite";

// Every page and the widget are one build, so that they share the chat core.
const pages = ["panel", "handover", "demo"].filter((page) =>
  existsSync(resolve(import.meta.dirname, `${page}.html`)),
);

export default defineConfig({
  // Relative, so that the build works under any path of any host.
  base: "./",
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: {
        widget: resolve(import.meta.dirname, "src/widget/index.ts"),
        ...Object.fromEntries(
          pages.map((page) => [page, resolve(import.meta.dirname, `${page}.html`)]),
        ),
      },
      preserveEntrySignatures: "exports-only",
      output: {
        // Other pages name these three, and they find config.json beside them:
        // no hash in their names, no folder.
        entryFileNames: (chunk) =>
          ["widget", "panel", "handover"].includes(chunk.name)
            ? "[name].js"
            : "assets/[name]-[hash].js",
      },
    },
  },
  test: {
    include: ["tests/unit/**/*.test.ts"],
    testTimeout: 60_000, // a busy machine starts slowly
  },
} as Parameters<typeof defineConfig>[0]);
