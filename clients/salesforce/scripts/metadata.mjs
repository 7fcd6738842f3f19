// Checks of the metadata: each file against Salesforce's own types, and the files
// against each other, which a deployment would otherwise be the first to do.
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { apex, code, finding, packages, source } from "./files.mjs";

const declarations = join(
  dirname(fileURLToPath(import.meta.url)),
  "../node_modules/@salesforce/types/lib/metadata.d.ts",
);

/** Salesforce's types: name → {fields: {name: {type, list, required}}} or {values: Set}. */
function load() {
  const types = new Map();
  let open;
  for (const line of readFileSync(declarations, "utf8").split("\n")) {
    const begin = line.match(/^export type (\w+) = (?:(\w+) & )?\{$/);
    const oneLine = line.match(/^export type (\w+) = (.*);$/);
    const field = line.match(/^ {4}(\w+)(\?)?: (.+?)(\[\])?;$/);
    if (begin) {
      open = { base: begin[2], fields: {} };
      types.set(begin[1], open);
    } else if (oneLine && oneLine[2].startsWith("'")) {
      types.set(oneLine[1], { values: new Set([...oneLine[2].matchAll(/'([^']*)'/g)].map((m) => m[1])) });
    } else if (open && field) {
      open.fields[field[1]] = { type: field[3], list: Boolean(field[4]), required: !field[2] && !field[4] };
    } else if (line.startsWith("}")) {
      open = undefined;
    }
  }
  return types;
}

const parser = new XMLParser({ ignoreAttributes: false, parseTagValue: false, trimValues: true });

const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** The root element's name and content, or a finding. */
function read(file) {
  const text = readFileSync(file, "utf8");
  const valid = XMLValidator.validate(text);
  if (valid !== true) {
    return { error: valid.err.msg };
  }
  const { "?xml": _, ...document } = parser.parse(text);
  const [root] = Object.keys(document);
  return { type: root, value: document[root] === "" ? {} : document[root] };
}

function fieldsOf(types, name) {
  const type = types.get(name);
  return type?.base ? { ...fieldsOf(types, type.base), ...type.fields } : (type?.fields ?? {});
}

function shape(types, name, value, path, say) {
  const type = types.get(name);
  if (type?.values) {
    if (!type.values.has(value)) {
      say(`${path}: ${value} is none of ${[...type.values].slice(0, 12).join(", ")}`);
    }
  } else if (name === "boolean") {
    if (value !== "true" && value !== "false") {
      say(`${path}: ${value} is no boolean`);
    }
  } else if (name === "number") {
    if (!/^-?\d+(\.\d+)?$/.test(value)) {
      say(`${path}: ${value} is no number`);
    }
  } else if (type) {
    const fields = fieldsOf(types, name);
    for (const [element, content] of Object.entries(value ?? {})) {
      if (element.startsWith("@_")) {
        continue;
      }
      const field = fields[element];
      if (!field) {
        say(`${path}: ${name} has no ${element}`);
        continue;
      }
      if (Array.isArray(content) && !field.list) {
        say(`${path}.${element} stands there ${content.length} times`);
      }
      for (const item of list(content)) {
        shape(types, field.type, item, `${path}.${element}`, say);
      }
    }
    for (const [element, field] of Object.entries(fields)) {
      if (field.required && value?.[element] === undefined) {
        say(`${path}: ${element} is missing`);
      }
    }
  }
}

// Their bundles are described by wrappers that the types leave open.
const LOOSE = { LightningComponentBundle: ["targets", "targetConfigs", "capabilities"] };
// Fields of an object's own files: the file's name is the full name.
const CHILD = { "field-meta.xml": "fields", "listView-meta.xml": "listViews" };

export function metadata(root) {
  const types = load();
  const found = [];
  const all = new Map();
  for (const file of source(root).filter((f) => f.endsWith("-meta.xml"))) {
    const say = (message) => found.push(finding(root, file, 0, message));
    const { type, value, error } = read(file);
    if (error) {
      say(error);
      continue;
    }
    all.set(file, { type, value });
    if (!types.get(type)?.fields) {
      say(`${type} is no metadata type`);
      continue;
    }
    const checked = { ...value };
    for (const element of LOOSE[type] ?? []) {
      delete checked[element];
    }
    // The types ask for the parts of an object that source keeps in files of
    // their own, and for values of a record, which may have any type.
    shape(types, type, checked, type, say);
    if (value["@_xmlns"] !== "http://soap.sforce.com/2006/04/metadata") {
      say("the namespace is not http://soap.sforce.com/2006/04/metadata");
    }
    if (value.apiVersion !== undefined && Number(value.apiVersion) < 67) {
      say(`API version ${value.apiVersion}: the access modes are those of 67.0 and later`);
    }
    for (const suffix of Object.keys(CHILD)) {
      if (file.endsWith(suffix) && value.fullName !== basename(file).slice(0, -suffix.length - 1)) {
        say(`fullName is ${value.fullName}`);
      }
    }
  }
  return found.concat(references(root, all));
}

// What one right of an object's asks for; a deployment adds none by itself.
const DEPENDS = {
  allowCreate: ["allowRead"],
  allowEdit: ["allowRead"],
  allowDelete: ["allowRead", "allowEdit"],
  viewAllRecords: ["allowRead"],
  modifyAllRecords: ["allowRead", "allowEdit", "allowDelete", "viewAllRecords"],
};

/**
 * What Apex and the panel name of the metadata: the type checker passes over fields
 * in queries and assignments, and over the values of a restricted picklist.
 */
function names(root, objects, fields) {
  const found = [];
  const known = new Set([...objects, ...[...fields.keys()].map((f) => f.split(".")[1])]);
  const values = new Map();
  for (const [name, field] of fields) {
    if (field.valueSet?.restricted === "true") {
      values.set(
        name.split(".")[1],
        list(field.valueSet.valueSetDefinition?.value).map((v) => v.fullName),
      );
    }
  }
  for (const file of apex(root)) {
    const text = code(readFileSync(file, "utf8"));
    const say = (at, message) => found.push(finding(root, file, text.slice(0, at).split("\n").length, message));
    for (const match of text.matchAll(/\b[A-Za-z]\w*__(?:c|mdt)\b/g)) {
      if (!known.has(match[0])) {
        say(match.index, `there is no ${match[0]}`);
      }
    }
    for (const match of text.matchAll(/\b(\w+__c)\s*=\s*'([^'\n]*)'/g)) {
      if (values.has(match[1]) && !values.get(match[1]).includes(match[2])) {
        say(match.index, `${match[1]} does not take ${match[2]}`);
      }
    }
  }
  const sources = new Map(apex(root).map((f) => [basename(f).replace(/\.\w+$/, ""), readFileSync(f, "utf8")]));
  for (const file of source(root).filter((f) => f.endsWith(".js") && !f.includes("/__tests__/"))) {
    for (const [, from] of readFileSync(file, "utf8").matchAll(/from "@salesforce\/(\S+)"/g)) {
      const [kind, name] = from.split("/");
      const [owner, member] = (name ?? "").split(".");
      const exposed = new RegExp(`@AuraEnabled(?:\\([^)]*\\))?\\s+public static [\\w.<>]+ ${member}\\(`);
      if (kind === "apex" && !exposed.test(sources.get(owner) ?? "")) {
        found.push(finding(root, file, 0, `no class offers ${name} to the panel`));
      }
      if (kind === "schema" && /__c$/.test(member) && !fields.has(name)) {
        found.push(finding(root, file, 0, `there is no field ${name}`));
      }
    }
  }
  return found;
}

/** The files against each other. */
function references(root, all) {
  const found = [];
  const of = (type) => [...all].filter(([, m]) => m.type === type).map(([file, m]) => ({ file, ...m.value }));
  const named = (type, suffix) => new Set(of(type).map((m) => basename(m.file).replace(suffix, "")));
  const classes = named("ApexClass", ".cls-meta.xml");
  const custom = named("CustomPermission", ".customPermission-meta.xml");
  const tabs = named("CustomTab", ".tab-meta.xml");
  const objects = named("CustomObject", ".object-meta.xml");
  const components = named("LightningComponentBundle", ".js-meta.xml");
  const fields = new Map(of("CustomField").map((f) => [`${basename(dirname(dirname(f.file)))}.${f.fullName}`, f]));
  const credentials = new Map(
    of("ExternalCredential").map((c) => [basename(c.file).replace(".externalCredential-meta.xml", ""), c]),
  );
  const isOurs = (name) => /__(c|mdt)$/.test(name);
  const main = packages(root)[0];
  found.push(...names(root, objects, fields));

  for (const set of of("PermissionSet")) {
    const say = (message) => found.push(finding(root, set.file, 0, message));
    for (const { apexClass } of list(set.classAccesses)) {
      if (!classes.has(apexClass)) {
        say(`there is no class ${apexClass}`);
      }
    }
    for (const { name } of list(set.customPermissions)) {
      if (!custom.has(name)) {
        say(`there is no custom permission ${name}`);
      }
    }
    for (const { name } of list(set.customMetadataTypeAccesses)) {
      if (!objects.has(name)) {
        say(`there is no type ${name}`);
      }
    }
    for (const { tab } of list(set.tabSettings)) {
      if (!tabs.has(tab)) {
        say(`there is no tab ${tab}`);
      }
    }
    const rights = new Map(list(set.objectPermissions).map((p) => [p.object, p]));
    for (const [object, granted] of rights) {
      if (isOurs(object) && !objects.has(object)) {
        say(`there is no object ${object}`);
      }
      for (const [right, needs] of Object.entries(DEPENDS)) {
        for (const need of granted[right] === "true" ? needs : []) {
          if (granted[need] !== "true") {
            say(`${right} on ${object} depends on ${need}`);
          }
        }
      }
      for (const [, detail] of [...fields].filter(([f]) => f.startsWith(`${object}.`))) {
        for (const right of detail.type === "MasterDetail" ? ["allowRead", "viewAllRecords", "modifyAllRecords"] : []) {
          if (granted[right] === "true" && rights.get(detail.referenceTo)?.[right] !== "true") {
            say(`${right} on ${object} depends on ${right} on ${detail.referenceTo}`);
          }
        }
      }
    }
    for (const { field } of list(set.fieldPermissions)) {
      const known = fields.get(field);
      if (isOurs(field) && !known) {
        say(`there is no field ${field}`);
      } else if (known && (known.required === "true" || known.type === "MasterDetail")) {
        say(`${field} is required: no permission set may name it`);
      }
    }
    for (const { externalCredentialPrincipal: name } of list(set.externalCredentialPrincipalAccesses)) {
      const [credential, principal] = name.split("-");
      const principals = list(credentials.get(credential)?.externalCredentialParameters)
        .filter((p) => p.parameterType === "NamedPrincipal")
        .map((p) => p.parameterName);
      if (!principals.includes(principal)) {
        say(`there is no principal ${name}`);
      }
      if (set.file.startsWith(main + "/")) {
        say("a package takes no access to a principal: move the set out of the package");
      }
      if (!list(set.customPermissions).some((p) => p.name === "Caseroom_Callout" && p.enabled === "true")) {
        say("with the principal goes the custom permission Caseroom_Callout: Apex cannot see the principal");
      }
    }
  }

  for (const credential of of("NamedCredential")) {
    const say = (message) => found.push(finding(root, credential.file, 0, message));
    for (const p of list(credential.namedCredentialParameters)) {
      if (p.parameterType === "Authentication" && !credentials.has(p.externalCredential)) {
        say(`there is no external credential ${p.externalCredential}`);
      }
      if (p.parameterType === "Url" && !/^(https:\/\/|CASEROOM_API_URL)/.test(p.parameterValue)) {
        say(`${p.parameterValue} is not https`);
      }
    }
  }
  for (const [name, credential] of credentials) {
    for (const p of list(credential.externalCredentialParameters)) {
      const say = (message) => found.push(finding(root, credential.file, 0, message));
      if (p.parameterType === "AuthHeader" && !p.parameterValue.includes(`$Credential.${name}.`)) {
        say(`the header ${p.parameterName} does not take its value from this credential's principal`);
      }
      if (p.parameterType === "AuthHeader" && !/^\{![^{}]*\}$/.test(p.parameterValue)) {
        say(`the header ${p.parameterName} is no formula: {!'Bearer ' & $Credential…}`);
      }
      if (p.parameterType === "AuthParameter" && !["AwsRegion", "AwsService"].includes(p.parameterName)) {
        say(`${p.parameterName}: a principal's values are entered in Setup, never in source`);
      }
    }
  }

  for (const record of of("CustomMetadata")) {
    const type = basename(record.file).split(".")[0] + "__mdt";
    for (const { field } of list(record.values)) {
      if (!fields.has(`${type}.${field}`)) {
        found.push(finding(root, record.file, 0, `${type} has no ${field}`));
      }
    }
  }
  for (const page of of("FlexiPage")) {
    for (const region of list(page.flexiPageRegions)) {
      for (const { componentInstance } of list(region.itemInstances)) {
        if (componentInstance && !components.has(componentInstance.componentName)) {
          found.push(finding(root, page.file, 0, `there is no component ${componentInstance.componentName}`));
        }
      }
    }
  }
  for (const layout of of("Layout")) {
    const object = basename(layout.file).split("-")[0];
    for (const section of list(layout.layoutSections)) {
      for (const column of list(section.layoutColumns)) {
        for (const { field } of list(column.layoutItems)) {
          if (isOurs(field) && !fields.has(`${object}.${field}`)) {
            found.push(finding(root, layout.file, 0, `${object} has no ${field}`));
          }
        }
      }
    }
  }
  for (const view of of("ListView")) {
    const object = basename(dirname(dirname(view.file)));
    for (const column of list(view.columns)) {
      if (isOurs(column) && !fields.has(`${object}.${column}`)) {
        found.push(finding(root, view.file, 0, `${object} has no ${column}`));
      }
    }
  }
  for (const site of of("CspTrustedSite")) {
    const open = Object.keys(site).filter((k) => k.startsWith("isApplicableTo") && site[k] === "true");
    if (open.length === 0 || open.length === 6) {
      found.push(finding(root, site.file, 0, `it opens ${open.length} of 6 directives: open what is needed`));
    }
    if (!/^(https|wss):\/\/|^CASEROOM_PANEL_ORIGIN$/.test(site.endpointUrl)) {
      found.push(finding(root, site.file, 0, `${site.endpointUrl} is not encrypted`));
    }
  }
  return found;
}
