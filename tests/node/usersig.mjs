// Checks UserSigs against Tencent's own Node library, both ways.
//
// Reads JSON lines {sdkAppId, key, userId, expire, time?, sig?} from standard
// input and answers each with one:
//   signed  what Tencent's library makes of the input: {sig, fields}
//   given   what is in sig: {fields, valid}, where valid means that the fields
//           are the input's and TLS.sig is their HMAC under key
// time, in seconds, stands still while the library signs.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createInterface } from 'node:readline';
import { inflateSync } from 'node:zlib';
import tls from 'tls-sig-api-v2';

const replacements = { '*': '+', '-': '/', _: '=' };

function decode(sig) {
  const base64 = sig.replace(/[*_-]/g, (c) => replacements[c]);
  return JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString('utf8'));
}

function sign({ sdkAppId, key, userId, expire, time }) {
  const clock = Date.now;
  if (time !== undefined) Date.now = () => time * 1000;
  try {
    return new tls.Api(sdkAppId, key).genUserSig(userId, expire);
  } finally {
    Date.now = clock;
  }
}

function valid(fields, { sdkAppId, key, userId, expire, time }) {
  const signed =
    `TLS.identifier:${fields['TLS.identifier']}\n` +
    `TLS.sdkappid:${fields['TLS.sdkappid']}\n` +
    `TLS.time:${fields['TLS.time']}\n` +
    `TLS.expire:${fields['TLS.expire']}\n`;
  const want = createHmac('sha256', key).update(signed).digest();
  const got = Buffer.from(fields['TLS.sig'], 'base64');
  return (
    fields['TLS.ver'] === '2.0' &&
    fields['TLS.identifier'] === userId &&
    fields['TLS.sdkappid'] === sdkAppId &&
    fields['TLS.expire'] === expire &&
    (time === undefined || fields['TLS.time'] === time) &&
    got.length === want.length &&
    timingSafeEqual(got, want)
  );
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  const input = JSON.parse(line);
  const sig = sign(input);
  const answer = { signed: { sig, fields: decode(sig) } };
  if (input.sig !== undefined) {
    const fields = decode(input.sig);
    answer.given = { fields, valid: valid(fields, input) };
  }
  console.log(JSON.stringify(answer));
}
