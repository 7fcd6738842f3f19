import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const web = resolve(import.meta.dirname, "../..");
const guide = readFileSync(resolve(web, "../../docs/widget.md"), "utf8");

test.each([
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
])("the guide's example compiles against the package under strict, with $moduleResolution", (how) => {
  const example = /```ts\n([\s\S]*?)```/.exec(guide)?.[1] ?? "";
  expect(example).toContain("@caseroom/web");
  const dir = mkdtempSync(join(tmpdir(), "caseroom-package-"));
  try {
    const listed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: web,
      encoding: "utf8",
    });
    const [{ files }] = JSON.parse(listed) as [{ files: { path: string }[] }];
    const to = join(dir, "node_modules/@caseroom/web");
    for (const { path } of files) {
      mkdirSync(dirname(join(to, path)), { recursive: true });
      cpSync(join(web, path), join(to, path));
    }
    expect(files.filter((f) => /\.(tsx?|css)$/.test(f.path) && !f.path.endsWith(".d.ts"))).toEqual(
      [],
    );
    writeFileSync(join(dir, "package.json"), '{"type":"module"}');
    writeFileSync(join(dir, "site.ts"), example);
    const options = {
      ...how,
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      target: "es2022",
      types: [],
    };
    const tsconfig = {
      compilerOptions: { ...options, lib: ["es2022", "dom"] },
      files: ["site.ts"],
    };
    writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(tsconfig));
    execFileSync(join(web, "node_modules/.bin/tsc"), ["--project", dir], { encoding: "utf8" });
    // A server that renders pages may import it, too.
    execFileSync("node", ["-e", 'import("@caseroom/web").then((m) => m.mount.name)'], { cwd: dir });
  } catch (err) {
    throw new Error(`${(err as { stdout?: string }).stdout ?? ""}\n${String(err)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
