"""Signs and verifies JWTs with PyJWT, one JSON request per line on stdin and one
JSON answer per line on stdout.

  {"op": "sign", "alg", "key", "claims", "header"?}  -> {"ok": true, "token"}
  {"op": "verify", "alg", "key", "token", "issuer"?, "audience"?}
                                                     -> {"ok": true, "header", "claims"}
  {"op": "keygen", "kty": "RSA" | "EC", "bits"?}     -> {"ok": true, "pem", "jwk", "xsolla"?}

key is a shared secret or a PEM text. A failure is {"ok": false, "error"}, where
error is the exception's class.
"""

import json
import sys

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


def sign(r):
    token = jwt.encode(r["claims"], r["key"], algorithm=r["alg"], headers=r.get("header"))
    return {"token": token}


def verify(r):
    claims = jwt.decode(
        r["token"],
        r["key"],
        algorithms=[r["alg"]],
        issuer=r.get("issuer"),
        audience=r.get("audience"),
        options={"require": ["exp"]},
    )
    return {"header": jwt.get_unverified_header(r["token"]), "claims": claims}


def keygen(r):
    if r["kty"] == "RSA":
        key = rsa.generate_private_key(public_exponent=65537, key_size=r.get("bits", 2048))
        numbers = key.public_key().public_numbers()
        answer = {
            "jwk": json.loads(RSAAlgorithm.to_jwk(key.public_key())),
            "xsolla": {"kty": "RSA", "n": f"{numbers.n:x}", "e": f"{numbers.e:x}"},
        }
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        answer = {"jwk": json.loads(ECAlgorithm.to_jwk(key.public_key()))}
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return answer | {"pem": pem.decode()}


OPS = {"sign": sign, "verify": verify, "keygen": keygen}


def main():
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = {"ok": True} | OPS[request["op"]](request)
        except Exception as e:
            answer = {"ok": False, "error": type(e).__name__}
        print(json.dumps(answer), flush=True)


main()
