// What the checks share: the files of a project, and how a finding is written.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** All files under a folder, sorted; no node_modules and nothing hidden. */
export function walk(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith(".") && entry.name !== "node_modules")
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)]));
}

/** The package directories of a project, absolute. */
export function packages(root) {
  const project = JSON.parse(readFileSync(join(root, "sfdx-project.json"), "utf8"));
  return project.packageDirectories.map((d) => join(root, d.path)).filter((d) => statSync(d).isDirectory());
}

/** The source files of a project, absolute. */
export const source = (root) => packages(root).flatMap(walk);

/** Classes and triggers. */
export const apex = (root) => source(root).filter((f) => /\.(cls|trigger)$/.test(f));

/** Apex without its comments; lines stay where they are. */
export function code(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'/g, (part) =>
    part.startsWith("'") ? part : part.replace(/[^\n]/g, " "),
  );
}

/** One finding: where, and what. */
export function finding(root, file, line, message) {
  return `${relative(root, file).split(sep).join("/")}${line ? `:${line}` : ""}: ${message}`;
}
