// Converts the source to the Metadata API's format, as a deployment does, with the
// values of an org put in; and asks whether everything arrived.
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { finding, packages, source, walk } from "./files.mjs";

const values = {
  CASEROOM_API_URL: "https://abc123.execute-api.eu-central-1.amazonaws.com",
  CASEROOM_AWS_REGION: "eu-central-1",
  CASEROOM_CREDENTIAL: "Caseroom",
  CASEROOM_PANEL_URL: "https://panel.example.com/panel.html",
  CASEROOM_PANEL_ORIGIN: "https://panel.example.com",
  CASEROOM_CONTACT_EMAIL: "it@example.com",
};

const MANIFEST = new Set(["package.xml"]);

export async function convert(root) {
  const found = [];
  const out = mkdtempSync(join(realpathSync(tmpdir()), "caseroom-convert-"));
  const cwd = process.cwd();
  process.chdir(root);
  Object.assign(process.env, values, { SF_APPLY_REPLACEMENTS_ON_CONVERT: "true", SF_DISABLE_LOG_FILE: "true" });
  const { ComponentSet, MetadataConverter } = createRequire(import.meta.url)("@salesforce/source-deploy-retrieve");
  try {
    const { sourceApiVersion } = JSON.parse(readFileSync("sfdx-project.json", "utf8"));
    if (!/^\d+\.0$/.test(sourceApiVersion)) {
      found.push(`sfdx-project.json: ${sourceApiVersion} is no API version`);
    }
    const set = ComponentSet.fromSource(packages(root));
    set.sourceApiVersion = sourceApiVersion;
    const arrived = new Set();
    for (const component of set.getSourceComponents()) {
      for (const part of [component, ...component.getChildren()]) {
        for (const file of [part.xml, part.content, ...part.walkContent()]) {
          arrived.add(file);
        }
      }
    }
    for (const file of source(root)) {
      if (!arrived.has(file) && !file.includes("/__tests__/")) {
        found.push(finding(root, file, 0, "no deployment would take it: its name or folder is unknown"));
      }
    }
    await new MetadataConverter().convert(set, "metadata", {
      type: "directory",
      outputDirectory: out,
      genUniqueDir: false,
    });
    const manifest = readFileSync(join(out, "package.xml"), "utf8");
    if (!manifest.includes(`<version>${sourceApiVersion}</version>`)) {
      found.push(`package.xml: the version is not ${sourceApiVersion}`);
    }
    for (const file of walk(out)) {
      const text = readFileSync(file, "utf8");
      const left = text.match(/CASEROOM_[A-Z_]+/);
      if (left) {
        found.push(`${basename(file)}: ${left[0]} is in no replacement of sfdx-project.json`);
      }
      if (!MANIFEST.has(basename(file)) && text === "") {
        found.push(`${basename(file)}: it is empty`);
      }
    }
  } catch (failure) {
    found.push(`conversion: ${failure.message}`);
  } finally {
    process.chdir(cwd);
    rmSync(out, { recursive: true, force: true });
  }
  return found;
}
