// Verifies tokens with jose. Reads [{token, secret, kid?, claims}] as JSON from
// stdin: the token must be signed by the secret and no other, live, and have the
// key id and the claims.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { jwtVerify } from 'jose';

const key = (secret) => new TextEncoder().encode(secret);
for (const { token, secret, kid, claims } of JSON.parse(readFileSync(0, 'utf8'))) {
  const { payload, protectedHeader } = await jwtVerify(token, key(secret), { algorithms: ['HS256'], requiredClaims: ['exp'] });
  assert.equal(protectedHeader.kid, kid);
  for (const [name, value] of Object.entries(claims)) assert.deepEqual(payload[name], value, name);
  await assert.rejects(jwtVerify(token, key(`${secret}!`)), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
}
