// The checks against what they must find: an integration with the faults of the
// tutorial, and our own files with one thing wrong.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { format, parse, pmd, types } from "./apex.mjs";
import { convert } from "./convert.mjs";
import { metadata } from "./metadata.mjs";
import { rules } from "./rules.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const ours = join(here, "..");
const tutorial = join(here, "testdata", "tutorial");

const scratch = mkdtempSync(join(realpathSync(tmpdir()), "caseroom-checks-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const folders = JSON.parse(readFileSync(join(ours, "sfdx-project.json"), "utf8")).packageDirectories.map(
  ({ path }) => path,
);

let copies = 0;

/** A copy of the package in which one file is changed, or made. */
function changed(file, change) {
  const root = join(scratch, String(copies++));
  mkdirSync(root);
  for (const name of ["sfdx-project.json", ...folders]) {
    cpSync(join(ours, name), join(root, name), { recursive: true });
  }
  const path = join(root, file);
  let before = "";
  try {
    before = readFileSync(path, "utf8");
  } catch {
    mkdirSync(dirname(path), { recursive: true });
  }
  const text = change(before);
  assert.notEqual(text, before, `${file} is not changed`);
  writeFileSync(path, text);
  return root;
}

const replace = (from, to) => (text) => text.replace(from, to);

const found = {};
before(async () => {
  for (const [name, check] of Object.entries({ types, rules, pmd, format, metadata })) {
    found[name] = await check(tutorial);
  }
});

// The tutorial's faults by their checks. Those that no check can see, because they
// are what was not thought of (whose case it is, what closing means, the order of
// calls), are for the Apex tests of CaseroomHandlerTest.
for (const [fault, check, says] of [
  ["arguments that do not fit: it does not compile", "types", /AssignAgent\.trigger:\d+: .*deleteGroup/],
  ["one asynchronous call for each record, none from a batch, no order", "rules", /TIMCallOuts\.cls:2: @future/],
  ["nothing when a case is made", "rules", /AssignAgent\.trigger:1: nothing happens after insert/],
  ["nothing when a case comes back", "rules", /AssignAgent\.trigger:1: nothing happens after undelete/],
  ["logic in the trigger", "rules", /AssignAgent\.trigger:1: logic in a trigger/],
  ["logic in the trigger, says PMD", "pmd", /AvoidLogicInTrigger/],
  ["owners by the prefix of their id", "rules", /AssignAgent\.trigger:5: an id's prefix/],
  ["the wrong field for the agent", "rules", /AgentOmniChannel\.trigger:5: AgentWork's agent/],
  ["the status before is read and not used", "pmd", /AgentOmniChannel\.trigger:4: UnusedLocalVariable/],
  ["an object that not every org has", "rules", /AgentOmniChannel\.trigger:1: AgentWork is there only/],
  ["a body that is no JSON", "rules", /TIMCallOuts\.cls:37: JSON by concatenation/],
  ["a call that anybody on the way can read", "rules", /TIMCallOuts\.cls:35: http:/],
  ["the same, says PMD", "pmd", /TIMCallOuts\.cls:35: ApexInsecureEndpoint/],
  ["no credential, and the host in the code", "rules", /TIMCallOuts\.cls:8: setEndpoint/],
  ["no time-out", "rules", /TIMCallOuts\.cls:7: a call without a time-out/],
  ["a lost answer is nobody's", "rules", /TIMCallOuts\.cls:12: a lost answer/],
  ["failures for the debug log", "rules", /TIMCallOuts\.cls:14: System\.debug/],
  ["arguments by position", "rules", /TIMCallOuts\.cls:3: arguments by position/],
  ["no sharing", "rules", /TIMCallOuts\.cls:1: the class does not say its sharing/],
  ["no test", "rules", /TIMCallOuts\.cls:1: no test names the class/],
  ["a file and a class of two names", "rules", /TIMCallOuts\.cls:1: the class is TIMCallouts/],
  ["an API version from before the access modes", "metadata", /API version 57\.0/],
  ["no format", "format", /TIMCallOuts\.cls: npm run format/],
]) {
  test(`the tutorial: ${fault}`, () => {
    assert.ok(
      found[check].some((f) => says.test(f)),
      `${check} found only:\n${found[check].join("\n")}`,
    );
  });
}

const A = "force-app/main/default/";

for (const [name, check, file, change, says] of [
  [
    "a syntax error",
    parse,
    A + "classes/CaseroomLog.cls",
    replace("= 'Gave up';", "= ;"),
    /CaseroomLog\.cls:\d+: column/,
  ],
  ["an unclosed trigger", parse, A + "triggers/CaseroomCase.trigger", replace(/\}\s*$/, ""), /CaseroomCase\.trigger/],
  [
    "an unknown field",
    types,
    A + "classes/CaseroomLog.cls",
    replace("Caseroom_Count__c = count", "Caseroom_Number__c = count"),
    /Caseroom_Number__c/,
  ],
  [
    "a wrong type",
    types,
    A + "classes/CaseroomEventRetry.cls",
    replace("private Integer status;", "private String status;"),
    /CaseroomEventRetry/,
  ],
  [
    "a caller that was forgotten",
    types,
    "force-omni/main/default/triggers/CaseroomAgentWork.trigger",
    replace("workChanged(", "workChange("),
    /workChange/,
  ],
  [
    "a query without a mode",
    rules,
    A + "classes/CaseroomHandler.cls",
    replace("WITH SYSTEM_MODE", ""),
    /a query without/,
  ],
  [
    "a write without a mode",
    rules,
    A + "classes/CaseroomLog.cls",
    replace("false, AccessLevel.SYSTEM_MODE", "false"),
    /without an AccessLevel/,
  ],
  [
    "a statement without a mode",
    rules,
    "force-app/tests/classes/CaseroomHandlerTest.cls",
    replace("insert as system", "insert"),
    /a write without as/,
  ],
  [
    "a merge without a mode",
    rules,
    "force-app/tests/classes/CaseroomHandlerTest.cls",
    replace("merge as system", "merge"),
    /a write without as/,
  ],
  [
    "an id that Apex throws at",
    rules,
    "force-omni/main/default/classes/CaseroomAgentWorkTest.cls",
    replace("AbCdEKAV", "AbCdEIAV"),
    /it ends with KAV/,
  ],
  [
    "a future where no queueable asked for it",
    rules,
    A + "classes/CaseroomJobs.cls",
    replace("!System.isQueueable() || ", ""),
    /CaseroomJobs\.cls:\d+: @future/,
  ],
  [
    "a name that is a word of the language",
    rules,
    A + "classes/CaseroomLog.cls",
    (text) => text.replaceAll("told", "transaction"),
    /transaction is a reserved word/,
  ],
  [
    "a method of such a name",
    rules,
    A + "classes/CaseroomJobs.cls",
    (text) => text.replaceAll("inFuture", "future"),
    /future is a reserved word/,
  ],
  [
    "a query that may end a save",
    rules,
    A + "classes/CaseroomHandler.cls",
    replace("Limits.getQueries() < Limits.getLimitQueries() &&", ""),
    /Limits\.getQueries: not asked/,
  ],
  [
    "a write that may end a save",
    rules,
    A + "classes/CaseroomLog.cls",
    replace("Limits.getDmlRows() < Limits.getLimitDmlRows()", "true"),
    /Limits\.getDmlRows: not asked/,
  ],
  [
    "a job that may end a save",
    rules,
    A + "classes/CaseroomJobs.cls",
    (text) => text.replaceAll("Limits.getQueueableJobs()", "0"),
    /Limits\.getQueueableJobs: not asked/,
  ],
  [
    "an unknown field in a query",
    metadata,
    A + "classes/CaseroomPanel.cls",
    replace("Caseroom_User__c != NULL", "Caseroom_Usr__c != NULL"),
    /CaseroomPanel\.cls:\d+: there is no Caseroom_Usr__c/,
  ],
  [
    "a value that the picklist refuses",
    metadata,
    A + "classes/CaseroomLog.cls",
    replace("'Not allowed'", "'Forbidden'"),
    /Caseroom_Kind__c does not take Forbidden/,
  ],
  [
    "a method that the panel cannot call",
    metadata,
    A + "classes/CaseroomPanel.cls",
    replace("public static List<Id> assigned()", "public static List<Id> mine()"),
    /no class offers CaseroomPanel\.assigned/,
  ],
  [
    "a field that the panel cannot read",
    metadata,
    A + "lwc/caseroomPanel/caseroomPanel.js",
    replace("schema/Case.Caseroom_User__c", "schema/Case.Caseroom_Usr__c"),
    /no field Case\.Caseroom_Usr__c/,
  ],
  [
    "a right without those it depends on",
    metadata,
    A + "permissionsets/Caseroom_Doctor.permissionset-meta.xml",
    replace("<allowDelete>true", "<allowDelete>false"),
    /modifyAllRecords on Case depends on allowDelete/,
  ],
  [
    "a right on transcripts without their cases",
    metadata,
    A + "permissionsets/Caseroom_Agent.permissionset-meta.xml",
    replace("<object>Case</object>", "<object>Contact</object>"),
    /allowRead on Caseroom_Transcript__c depends on allowRead on Case/,
  ],
  [
    "a principal that Apex cannot see",
    metadata,
    "force-iam/main/default/permissionsets/Caseroom_Callout_IAM.permissionset-meta.xml",
    replace("<name>Caseroom_Callout<", "<name>Caseroom_Bypass<"),
    /goes the custom permission Caseroom_Callout/,
  ],
  [
    "a header that is text",
    metadata,
    "force-key/main/default/externalCredentials/Caseroom_Key.externalCredential-meta.xml",
    replace("{!'Bearer ' &amp; $", () => "Bearer {!$"),
    /is no formula/,
  ],
  [
    "a key in the code",
    rules,
    A + "classes/CaseroomClient.cls",
    replace("request.setMethod('POST');", "request.setHeader('Authorization', 'x');"),
    /Authorization/,
  ],
  [
    "a host in the code",
    rules,
    A + "classes/CaseroomClient.cls",
    replace("'callout:' +", "'https://' +"),
    /setEndpoint/,
  ],
  [
    "a class without a test",
    rules,
    A + "classes/CaseroomNew.cls",
    () => "public with sharing class CaseroomNew {\n}\n",
    /no test names the class/,
  ],
  [
    "a class without its file",
    rules,
    A + "classes/CaseroomNew.cls",
    () => "public with sharing class CaseroomNew {\n}\n",
    /there is no -meta\.xml/,
  ],
  [
    "an unformatted line",
    format,
    A + "classes/CaseroomLog.cls",
    replace("  private static", "private  static"),
    /CaseroomLog/,
  ],
  ["broken XML", metadata, A + "tabs/Caseroom_Log__c.tab-meta.xml", replace("</CustomTab>", ""), /tab-meta\.xml: /],
  [
    "an unknown element",
    metadata,
    A + "tabs/Caseroom_Log__c.tab-meta.xml",
    replace("<motif>", "<mottif>x</mottif><motif>"),
    /CustomTab has no mottif/,
  ],
  [
    "a value that is none",
    metadata,
    A + "objects/Case/fields/Caseroom_Key__c.field-meta.xml",
    replace(">Text<", ">Txt<"),
    /Txt is none of/,
  ],
  [
    "a boolean that is none",
    metadata,
    A + "objects/Case/fields/Caseroom_Key__c.field-meta.xml",
    replace("<unique>true", "<unique>yes"),
    /yes is no boolean/,
  ],
  [
    "a missing element",
    metadata,
    "force-org/main/default/cspTrustedSites/Caseroom_Panel.cspTrustedSite-meta.xml",
    replace(/ *<endpointUrl>.*\n/, ""),
    /endpointUrl is missing/,
  ],
  [
    "an element twice",
    metadata,
    A + "tabs/Caseroom_Log__c.tab-meta.xml",
    replace(/( *<motif>.*\n)/, "$1$1"),
    /motif stands there 2 times/,
  ],
  [
    "a field under another name",
    metadata,
    A + "objects/Case/fields/Caseroom_Key__c.field-meta.xml",
    replace("<fullName>Caseroom_Key__c", "<fullName>Caseroom_Kay__c"),
    /fullName is/,
  ],
  [
    "a right on a class that is gone",
    metadata,
    A + "permissionsets/Caseroom_Agent.permissionset-meta.xml",
    replace("CaseroomPanel", "CaseroomPanal"),
    /no class CaseroomPanal/,
  ],
  [
    "a right on a field that is gone",
    metadata,
    A + "permissionsets/Caseroom_Agent.permissionset-meta.xml",
    replace("Case.Caseroom_Key__c", "Case.Caseroom_Kay__c"),
    /no field Case\.Caseroom_Kay__c/,
  ],
  [
    "a right on a required field",
    metadata,
    A + "permissionsets/Caseroom_Agent.permissionset-meta.xml",
    replace("Case.Caseroom_Key__c", "Caseroom_Transcript__c.Caseroom_Case__c"),
    /is required/,
  ],
  [
    "a principal that is gone",
    metadata,
    "force-key/main/default/permissionsets/Caseroom_Callout.permissionset-meta.xml",
    replace("Caseroom_Key-Org", "Caseroom_Key-Other"),
    /no principal/,
  ],
  [
    "a principal in the package",
    metadata,
    A + "permissionsets/Caseroom_Callout.permissionset-meta.xml",
    () =>
      readFileSync(join(ours, "force-key/main/default/permissionsets/Caseroom_Callout.permissionset-meta.xml"), "utf8"),
    /a package takes no access/,
  ],
  [
    "a key in the source",
    metadata,
    "force-iam/main/default/externalCredentials/Caseroom_SigV4.externalCredential-meta.xml",
    replace("AwsService", "AwsSecretKey"),
    /never in source/,
  ],
  [
    "another credential's key",
    metadata,
    "force-key/main/default/externalCredentials/Caseroom_Key.externalCredential-meta.xml",
    replace("$Credential.Caseroom_Key", () => "$Credential.Other"),
    /does not take its value/,
  ],
  [
    "a call without TLS",
    metadata,
    "force-key/main/default/namedCredentials/Caseroom.namedCredential-meta.xml",
    replace("CASEROOM_API_URL", "http://api.example.com"),
    /is not https/,
  ],
  [
    "a credential that is gone",
    metadata,
    "force-key/main/default/namedCredentials/Caseroom.namedCredential-meta.xml",
    replace(">Caseroom_Key<", ">Caseroom_Kay<"),
    /no external credential/,
  ],
  [
    "a setting that is gone",
    metadata,
    "force-org/main/default/customMetadata/Caseroom_Settings.Default.md-meta.xml",
    replace("Caseroom_Enabled__c", "Caseroom_On__c"),
    /has no Caseroom_On__c/,
  ],
  [
    "a component that is gone",
    metadata,
    A + "flexipages/Caseroom_UtilityBar.flexipage-meta.xml",
    replace(">caseroomPanel<", ">caseroomPanal<"),
    /no component caseroomPanal/,
  ],
  [
    "a Trusted URL for everything",
    metadata,
    "force-org/main/default/cspTrustedSites/Caseroom_Panel.cspTrustedSite-meta.xml",
    (text) => text.replaceAll("Src>false", "Src>true"),
    /opens 6 of 6/,
  ],
  [
    "a file that no deployment takes",
    convert,
    A + "namedCredential/X.namedCredentials-meta.xml",
    () => "<NamedCredential/>",
    /no deployment would take it|conversion/,
  ],
  [
    "a value that nothing puts in",
    convert,
    "force-org/main/default/customMetadata/Caseroom_Settings.Default.md-meta.xml",
    replace("CASEROOM_PANEL_URL", "CASEROOM_OTHER_URL"),
    /CASEROOM_OTHER_URL is in no replacement/,
  ],
  ["another API version", convert, "sfdx-project.json", replace('"68.0"', '"sixty"'), /sixty/],
]) {
  test(`ours with ${name}`, async () => {
    const list = await check(changed(file, change));
    assert.ok(
      list.some((f) => says.test(f)),
      `found only:\n${list.join("\n")}`,
    );
  });
}
