// The upstream calls that the tutorials' servers make for each request, on the
// libraries they name: Express, axios and tls-sig-api-v2. As there, the admin's
// UserSig is made for every call, Salesforce is logged in to for every case, and
// the caller is not authenticated. Salesforce's login is one SOAP request by
// axios, less work than the client library there does.
import axios from 'axios';
import express from 'express';
import tls from 'tls-sig-api-v2';

const { ZENDESK, ZENDESK_USER, ZENDESK_TOKEN, SALESFORCE, SALESFORCE_USER, SALESFORCE_PASSWORD, TENCENT, ADMIN } =
  process.env;
const sdkAppId = Number(process.env.SDK_APP_ID);
const signer = new tls.Api(sdkAppId, process.env.SECRET_KEY);

const zendesk = axios.create({
  baseURL: `${ZENDESK}/api/v2/`,
  auth: { username: ZENDESK_USER, password: ZENDESK_TOKEN },
  timeout: 35_000,
});

async function im(command, body) {
  const params = new URLSearchParams({
    sdkappid: sdkAppId,
    identifier: ADMIN,
    usersig: signer.genUserSig(ADMIN, 600),
    random: Math.floor(Math.random() * 2 ** 32),
    contenttype: 'json',
  });
  const { data } = await axios.post(`${TENCENT}/v4/group_open_http_svc/${command}?${params}`, body);
  if (data.ErrorCode !== 0) throw new Error(`${command}: ${data.ErrorCode}`);
  return data;
}

const escapeXML = (s) => s.replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);

async function salesforceSession() {
  const { data } = await axios.post(
    `${SALESFORCE}/services/Soap/u/64.0`,
    '<?xml version="1.0" encoding="utf-8"?>' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' +
      '<login xmlns="urn:partner.soap.sforce.com">' +
      `<username>${escapeXML(SALESFORCE_USER)}</username><password>${escapeXML(SALESFORCE_PASSWORD)}</password>` +
      '</login></s:Body></s:Envelope>',
    { headers: { 'Content-Type': 'text/xml', SOAPAction: '""' } },
  );
  return /<sessionId>([^<]*)</.exec(data)[1];
}

const app = express();
app.use(express.json());

const route = (path, operation) =>
  app.post(path, async (req, res) => {
    try {
      res.status(200).send(await operation(req.body));
    } catch (e) {
      res.status(500).send(e.message);
    }
  });

route('/zendesk/createticket', async ({ userId, caseInfo: { subject, desc, name, email } }) => {
  const { data } = await zendesk.post('tickets.json', {
    ticket: { requester: { name, email }, subject, comment: { body: desc } },
  });
  const group = await im('create_group', {
    Type: 'Public',
    Name: subject,
    GroupId: `ZENDESK#${data.ticket.id}`,
    ApplyJoinOption: 'FreeAccess',
    MemberList: [{ Member_Account: userId }],
  });
  // Nobody waits for the greeting.
  im('send_group_system_notification', { GroupId: group.GroupId, Content: 'Please wait for an agent.' }).catch((e) => {
    console.error(e.message);
    process.exit(1);
  });
  return group;
});

route('/salesforce/createticket', async ({ userId, caseInfo: { subject, desc, name, email } }) => {
  const session = await salesforceSession();
  const { data } = await axios.post(
    `${SALESFORCE}/services/data/v64.0/sobjects/Case`,
    { Subject: subject, Description: desc, SuppliedName: name, SuppliedEmail: email },
    { headers: { Authorization: `Bearer ${session}` } },
  );
  return im('create_group', { Owner_Account: userId, Type: 'Public', Name: subject, GroupId: data.id });
});

route('/joingroup', ({ groupId, userId }) =>
  im('add_group_member', { GroupId: groupId, MemberList: [{ Member_Account: userId }] }),
);
route('/leavegroup', ({ groupId, userId }) =>
  im('delete_group_member', { GroupId: groupId, MemberToDel_Account: [userId] }),
);

const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
