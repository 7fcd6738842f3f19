// node-zendesk and jsforce on the sandbox: the calls that caseroom makes, and the
// ordinary ones of anybody who uses these libraries.
//
//   desks.mjs ZENDESK-URL SALESFORCE-URL, with the accounts as JSON on stdin.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import jsforce from 'jsforce';
import zendesk from 'node-zendesk';

const [zendeskUrl, salesforceUrl] = process.argv.slice(2);
const accounts = JSON.parse(readFileSync(0, 'utf8'));

const z = zendesk.createClient({ username: accounts.zendesk.email, token: accounts.zendesk.token, endpointUri: `${zendeskUrl}/api/v2` });
const { result: ticket } = await z.tickets.create({ ticket: { subject: 'From node-zendesk', comment: { body: 'It is dark.' }, external_id: `node-${randomUUID()}` } });
assert.ok(ticket.id);
assert.equal((await z.tickets.show(ticket.id)).result.subject, 'From node-zendesk');
const { result: updated } = await z.tickets.update(ticket.id, { ticket: { comment: { body: 'A note.', public: false } } });
assert.equal(updated.id, ticket.id);
const comments = await z.tickets.getComments(ticket.id);
assert.deepEqual((Array.isArray(comments) ? comments : comments.result).map((c) => c.body), ['It is dark.', 'A note.']);
const { result: me } = await z.users.me();
assert.equal(me.role, 'admin');
await assert.rejects(z.tickets.show(99999999), /\(404\)/);

const sf = new jsforce.Connection({ instanceUrl: salesforceUrl, loginUrl: salesforceUrl, version: '68.0' });
const grant = await fetch(`${salesforceUrl}/services/oauth2/token`, {
  method: 'POST',
  body: new URLSearchParams({ grant_type: 'client_credentials', client_id: accounts.salesforce.clientId, client_secret: accounts.salesforce.clientSecret }),
}).then((r) => r.json());
assert.equal(grant.instance_url, salesforceUrl);
sf.accessToken = grant.access_token;
const key = randomUUID();
const made = await sf.sobject('Case').create({ Subject: 'From jsforce', Caseroom_Key__c: key });
assert.equal(made.success, true);
await assert.rejects(sf.sobject('Case').create({ Subject: 'again', Caseroom_Key__c: key }), (e) => e.errorCode === 'DUPLICATE_VALUE');
assert.equal((await sf.sobject('Case').retrieve(made.id)).Subject, 'From jsforce');
await sf.sobject('Case').update({ Id: made.id, Status: 'Closed' });
const rows = await sf.query(`SELECT Id, IsClosed FROM Case WHERE Caseroom_Key__c = '${key}'`, { scanAll: true });
assert.deepEqual(rows.records.map((r) => [r.Id, r.IsClosed]), [[made.id, true]]);
assert.ok((await sf.limits()).DailyApiRequests.Max > 0);
await sf.sobject('Case').destroy(made.id);
const gone = await sf.query(`SELECT Id, IsDeleted FROM Case WHERE Id = '${made.id}'`, { scanAll: true });
assert.deepEqual(gone.records.map((r) => r.IsDeleted), [true]);
