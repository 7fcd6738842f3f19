// Checks of Apex: does it parse, do its types fit, what does PMD say, is it formatted.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ApexErrorListener, ApexParserFactory } from "@apexdevtools/apex-parser";
import { CodeAnalyzer, CodeAnalyzerConfig } from "@salesforce/code-analyzer-core";
import { createEnginePlugin } from "@salesforce/code-analyzer-pmd-engine";
import * as prettier from "prettier";
import { apex, finding, packages, source } from "./files.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const run = promisify(execFile);

/** Syntax, by the platform's grammar. */
export function parse(root) {
  const found = [];
  for (const file of apex(root)) {
    class Listener extends ApexErrorListener {
      apexSyntaxError(line, column, message) {
        found.push(finding(root, file, line, `column ${column + 1}: ${message}`));
      }
    }
    const parser = ApexParserFactory.createParser(readFileSync(file, "utf8"));
    parser.removeErrorListeners();
    parser.addErrorListener(new Listener());
    if (file.endsWith(".trigger")) {
      parser.triggerUnit();
    } else {
      parser.compilationUnit();
    }
  }
  return found;
}

// Omni-Channel's objects are not among those that the type checker knows, so a
// copy is checked in which they are custom objects of a package of their own.
const OMNI = {
  AgentWork: { WorkItemId: "Text", ServiceChannelId: "Text", Status: "Text", ShouldSkipCapacityCheck: "Checkbox" },
  ServiceChannel: { RelatedEntity: "Text" },
};
const OMNI_TYPE = /\b(AgentWork|ServiceChannel)\b/g;
const OMNI_FIELD = /\b(WorkItemId|ServiceChannelId|ShouldSkipCapacityCheck|RelatedEntity)\b(?!')/g;

function withoutOmni(text) {
  if (text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").search(OMNI_TYPE) < 0) {
    return text;
  }
  return text
    .replace(OMNI_TYPE, "$1__c")
    .replace(OMNI_FIELD, "$1__c")
    .replace(/\.Status\b/g, ".Status__c")
    .replace(/([(,]\s*)UserId(?=\s*=)/g, "$1OwnerId");
}

const xml = (type, body) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${type} xmlns="http://soap.sforce.com/2006/04/metadata">${body}</${type}>\n`;

function stubOmni(folder) {
  for (const [name, fields] of Object.entries(OMNI)) {
    const object = join(folder, "objects", `${name}__c`);
    mkdirSync(join(object, "fields"), { recursive: true });
    writeFileSync(
      join(object, `${name}__c.object-meta.xml`),
      xml(
        "CustomObject",
        `<deploymentStatus>Deployed</deploymentStatus><label>${name}</label>` +
          "<nameField><label>Name</label><type>Text</type></nameField>" +
          `<pluralLabel>${name}</pluralLabel><sharingModel>ReadWrite</sharingModel>`,
      ),
    );
    for (const [field, type] of Object.entries(fields)) {
      const rest = type === "Text" ? "<length>40</length>" : "<defaultValue>false</defaultValue>";
      writeFileSync(
        join(object, "fields", `${field}__c.field-meta.xml`),
        xml("CustomField", `<fullName>${field}__c</fullName><label>${field}</label>${rest}<type>${type}</type>`),
      );
    }
  }
}

/** Types, by the checker that comes with Salesforce's PMD engine. It needs Java. */
export async function types(root) {
  const work = mkdtempSync(join(realpathSync(tmpdir()), "caseroom-types-"));
  try {
    for (const file of source(root).filter((f) => !f.includes("/lwc/"))) {
      const to = join(work, relative(root, file));
      mkdirSync(dirname(to), { recursive: true });
      if (/\.(cls|trigger)$/.test(file)) {
        writeFileSync(to, withoutOmni(readFileSync(file, "utf8")));
      } else {
        cpSync(file, to);
      }
    }
    stubOmni(join(work, "stubs"));
    const dirs = ["stubs", ...packages(root).map((d) => relative(root, d))];
    for (const d of dirs) {
      mkdirSync(join(work, d), { recursive: true });
    }
    writeFileSync(
      join(work, "sfdx-project.json"),
      JSON.stringify({
        packageDirectories: dirs.map((path, i) => ({ path, ...(i === 1 && { default: true }) })),
        sourceApiVersion: "65.0",
      }),
    );
    const libraries = join(modules, "@salesforce", "code-analyzer-pmd-engine", "dist", "java-lib", "*");
    const checker = "io.github.apexdevtools.apexls.CheckForIssues";
    const args = ["-cp", libraries, checker, "-n", "-d", "errors", "-f", "json", "-w", work];
    let out;
    try {
      out = (await run("java", args, { maxBuffer: 1 << 24, timeout: 300000 })).stdout;
    } catch (failure) {
      // 4: there are issues. Anything else, and the checker itself is at fault.
      if (failure.code !== 4) {
        throw failure;
      }
      out = failure.stdout;
    }
    const { files = [] } = out.trim() === "" ? {} : JSON.parse(out);
    return files.flatMap((f) =>
      f.messages.map((m) => finding(root, join(root, relative(work, f.path)), m.start.line, m.message)),
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// Rules that are not for this code, each with its reason.
const NOT_OURS = {
  ApexDoc: "comments are for readers; a tag for every parameter and return is not",
  ApexUnitTestClassShouldHaveAsserts: "it does not see what a helper asserts",
  ApexUnitTestClassShouldHaveRunAs: "only where another user matters",
  FieldDeclarationsShouldBeAtStart: "a property with accessors counts as no field",
};
const NOT_IN_TESTS = {
  AvoidHardcodingId: "the ids are those of Caseroom_Golden",
  AvoidNonRestrictiveQueries: "a test sees its own rows only",
};

/** PMD's recommended rules for Apex. It needs Java. */
export async function pmd(root) {
  const analyzer = new CodeAnalyzer(CodeAnalyzerConfig.withDefaults());
  await analyzer.addEnginePlugin(createEnginePlugin());
  const workspace = await analyzer.createWorkspace(packages(root));
  const rules = await analyzer.selectRules(["pmd:Recommended"], { workspace });
  const results = await analyzer.run(rules, { workspace });
  return results
    .getViolations()
    .filter((v) => !(v.getRule().getName() in NOT_OURS))
    .filter(
      (v) => !(/\/tests\/|Test\.cls$/.test(v.getPrimaryLocation().getFile()) && v.getRule().getName() in NOT_IN_TESTS),
    )
    .map((v) => {
      const at = v.getPrimaryLocation();
      const rule = v.getRule();
      return finding(root, at.getFile(), at.getStartLine(), `${rule.getName()}: ${v.getMessage()}`);
    });
}

/** Whether prettier would change a file: Apex, and the panel's. */
export async function format(root) {
  const found = [];
  for (const file of source(root).filter((f) => /\.(cls|trigger|js|html|css)$/.test(f))) {
    const options = await prettier.resolveConfig(join(here, "..", ".prettierrc.json"), {
      config: join(here, "..", ".prettierrc.json"),
    });
    const kind = /\.(cls|trigger)$/.test(file)
      ? { parser: "apex", apexStandaloneParser: "native" }
      : file.endsWith(".html")
        ? { parser: "lwc" }
        : {};
    const plugins = [join(modules, "prettier-plugin-apex", "dist", "src", "index.js")];
    try {
      if (!(await prettier.check(readFileSync(file, "utf8"), { ...options, ...kind, plugins, filepath: file }))) {
        found.push(finding(root, file, 0, "npm run format would change it"));
      }
    } catch (failure) {
      found.push(finding(root, file, 0, String(failure.message).split("\n")[0]));
    }
  }
  return found;
}
