// Rules of our own, for faults that compile: what a trigger may do, where a call
// may go, which mode a query runs in, and that every class has a test.
import { readFileSync } from "node:fs";
import { basename, sep } from "node:path";
import { apex, code, finding, packages, source } from "./files.mjs";

/** Blanks strings, too. */
const bare = (text) => code(text).replace(/'(?:\\.|[^'\\\n])*'/g, (s) => `'${" ".repeat(s.length - 2)}'`);

const lineOf = (text, index) => text.slice(0, index).split("\n").length;

// Each: what it looks for, in code with or without strings, and what it says.
const patterns = [
  {
    what: /@future/gi,
    say: "@future: one job for each call, none from a batch, no retry; queue one job",
    // A queueable may start one job only, and that one is its author's.
    unless: (text) => /System\.isQueueable\(\)[^}]*Limits\.getFutureCalls\(\)\s*>=/.test(text),
  },
  { what: /System\s*\.\s*debug/gi, say: "System.debug: nobody reads it; write a log record, or nothing" },
  { what: /\bhttp:\/\//gi, strings: true, say: "http://: a call must be encrypted" },
  {
    what: /setEndpoint\s*\((?!\s*'callout:)/gi,
    strings: true,
    say: "setEndpoint: the host and the key are a Named Credential's, callout:…",
  },
  { what: /'[^'\n]*\{"[^'\n]*'\s*\+/g, strings: true, tests: false, say: "JSON by concatenation: use JSONGenerator" },
  { what: /\.substring\s*\(\s*0\s*,\s*3\s*\)/gi, say: "an id's prefix: ask Id.getSobjectType()" },
  { what: /setHeader\s*\(\s*'Authorization'/gi, strings: true, say: "Authorization: the Named Credential adds it" },
  { what: /\[\s*SELECT\b(?![^\]]*\bWITH\s+(?:SYSTEM|USER)_MODE\b)[^\]]*\]/gi, say: "a query without WITH … _MODE" },
  {
    what: /(?:^|[;{}])\s*(?:insert|update|upsert|delete|undelete|merge)\s+(?!as\s+(?:system|user)\b)(?=[\w[])/gi,
    say: "a write without as system or as user",
  },
  {
    what: /Database\s*\.\s*(?:insert|update|upsert|delete|undelete|merge)\s*\((?![^;]*AccessLevel\.)/gi,
    say: "a write without an AccessLevel",
  },
  { what: /String\s*\[\s*\]\s+\w+\s*\)/gi, say: "arguments by position in a list: name them" },
];

// Words that name nothing of one's own, by the Apex guide's list, and those that only
// its earlier editions have; the parser lets most of them pass.
const RESERVED = new Set(
  (
    "abstract activate and any array as asc autonomous begin bigdecimal blob boolean break bulk by byte case cast " +
    "catch char class collect commit const continue currency date datetime decimal default delete desc do double " +
    "else end enum exception exit export extends false final finally float for from global goto group having hint " +
    "if implements import in inner insert instanceof int integer interface into join like limit list long loop map " +
    "merge new not null nulls number object of on or outer override package parallel pragma private protected " +
    "public retrieve return rollback select set short sobject sort static string super switch synchronized system " +
    "testmethod then this throw time transaction trigger true try undelete update upsert using virtual void " +
    "webservice when where while future savepoint search stat type convertcurrency returning today tomorrow yesterday"
  ).split(" "),
);

// Within a trigger's transaction other code may have spent a limit, and going beyond
// one ends the user's save; nobody can catch that.
const SPENT = [
  { what: /\[\s*SELECT\b/i, asks: "Limits.getQueries" },
  { what: /\bDatabase\s*\.\s*(?:insert|update|delete)\s*\(/i, asks: "Limits.getDmlRows" },
  { what: /\bDatabase\s*\.\s*(?:insert|update|delete)\s*\(/i, asks: "Limits.getDmlStatements" },
  { what: /\bSystem\s*\.\s*enqueueJob\s*\(/i, asks: "Limits.getQueueableJobs" },
];

/** The last three characters of a record's id: which of the others are capitals. */
function checksum(id) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
  return [0, 5, 10]
    .map((from) => letters[[...id.slice(from, from + 5)].reduce((bits, c, i) => bits | (/[A-Z]/.test(c) << i), 0)])
    .join("");
}

/** Faults that no parser and no type check finds. */
export function rules(root) {
  const found = [];
  const files = apex(root).map((file) => ({ file, text: readFileSync(file, "utf8") }));
  const isTest = ({ text }) => /@IsTest\s+(?:private|public)\s+class/i.test(text);
  const tests = files
    .filter(isTest)
    .map(({ text }) => bare(text))
    .join("\n");
  const metas = new Set(source(root).filter((f) => f.endsWith("-meta.xml")));

  for (const { file, text } of files) {
    const say = (index, message) => found.push(finding(root, file, lineOf(text, index), message));
    for (const p of patterns) {
      if ((p.tests === false && isTest({ text })) || p.unless?.(bare(text))) {
        continue;
      }
      const searched = p.strings ? code(text) : bare(text);
      for (const match of searched.matchAll(p.what)) {
        say(match.index + match[0].search(/\S/), p.say);
      }
    }
    for (const match of code(text).matchAll(/'([05a][0-9A-Za-z]{14})([A-Z0-5]{3})'/g)) {
      if (checksum(match[1]) !== match[2]) {
        say(match.index, `${match[1]}${match[2]} is no id, it ends with ${checksum(match[1])}: Apex throws at it`);
      }
    }
    const plain = bare(text);
    for (const match of plain.matchAll(
      /\b(?:void|[A-Z][\w.]*(?:<[\w\s,.<>]*>)?(?:\[\])?)\s+([a-z]\w*)\s*(?=[=;:({),])/g,
    )) {
      if (RESERVED.has(match[1].toLowerCase())) {
        say(match.index, `${match[1]} is a reserved word`);
      }
    }
    const name = basename(file).replace(/\.\w+$/, "");
    if (file.endsWith(".trigger")) {
      const body = plain.slice(plain.indexOf("{", plain.indexOf(")")) + 1, plain.lastIndexOf("}"));
      if (/\b(?:for|while|if)\b|\[\s*SELECT/i.test(body) || (body.match(/;/g) ?? []).length > 1) {
        say(0, "logic in a trigger: call one handler");
      }
      if (/\bon\s+AgentWork\b/i.test(plain)) {
        if (file.startsWith(packages(root)[0] + sep)) {
          say(0, "AgentWork is there only with Omni-Channel: keep its trigger out of the package");
        }
        if (/\.OwnerId\b/i.test(plain)) {
          say(plain.search(/\.OwnerId\b/i), "AgentWork's agent is UserId, not OwnerId");
        }
      }
      const events = plain.match(/\bon\s+\w+\s*\(([^)]*)\)/i)?.[1] ?? "";
      if (/\bon\s+Case\b/i.test(plain)) {
        for (const event of ["insert", "update", "delete", "undelete"]) {
          if (!new RegExp(`after\\s+${event}`, "i").test(events)) {
            say(0, `nothing happens after ${event} of a case`);
          }
        }
      }
    } else {
      const declared = plain.match(/\bclass\s+(\w+)/i)?.[1];
      if (declared !== name) {
        say(0, `the class is ${declared}, the file ${name}`);
      }
      if (!isTest({ text }) && !/\b(?:with|without|inherited)\s+sharing\b/i.test(plain.slice(0, plain.indexOf("{")))) {
        say(0, "the class does not say its sharing");
      }
      if (!isTest({ text }) && !new RegExp(`\\b${name}\\b`).test(tests)) {
        say(0, "no test names the class");
      }
      if (!isTest({ text }) && /\bwithout\s+sharing\b/i.test(plain.slice(0, plain.indexOf("{")))) {
        for (const { what, asks } of SPENT) {
          if (what.test(plain) && !plain.includes(asks)) {
            say(plain.search(what), `${asks}: not asked, and a limit that is exceeded ends the user's save`);
          }
        }
      }
      for (const match of plain.matchAll(/new\s+HttpRequest\s*\(/gi)) {
        if (!/\.setTimeout\s*\(/.test(plain.slice(match.index))) {
          say(match.index, "a call without a time-out");
        }
      }
      for (const match of plain.matchAll(/\.send\s*\(/g)) {
        if (!/\bcatch\s*\(\s*CalloutException\b/.test(plain.slice(match.index))) {
          say(match.index, "a lost answer is not caught");
        }
      }
    }
    if (!metas.has(file + "-meta.xml")) {
      say(0, "there is no -meta.xml");
    }
  }
  return found;
}
