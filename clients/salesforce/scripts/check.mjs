// Runs every check on the package and ends with 1 if any finds something.
//   node scripts/check.mjs [check …]
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { format, parse, pmd, types } from "./apex.mjs";
import { convert } from "./convert.mjs";
import { metadata } from "./metadata.mjs";
import { rules } from "./rules.mjs";

const checks = { parse, types, rules, pmd, format, metadata, convert };
const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks);
let failed = false;
for (const name of names) {
  const check = checks[name];
  if (!check) {
    console.error(`${name} is none of ${Object.keys(checks).join(", ")}`);
    process.exit(2);
  }
  const start = Date.now();
  const found = await check(root);
  failed ||= found.length > 0;
  console.log(
    `${name}: ${found.length === 0 ? "ok" : `${found.length} found`} (${((Date.now() - start) / 1000).toFixed(1)} s)`,
  );
  found.forEach((f) => console.log(`  ${f}`));
}
process.exitCode = failed ? 1 : 0;
