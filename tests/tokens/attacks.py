"""Attacks with a valid token and the public key set, on a service that verifies with a third-party library, and on introspection.
Prints the tokens that were accepted, which must be only the valid one."""

import base64
import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from verifiers import Service, exchange, header_of, httpx

base_url = sys.argv[1]
key, service = sys.stdin.readline().split()
AUDIENCE = "inference"
client = httpx.Client(timeout=60)


def coded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(value):
    return coded(json.dumps(value).encode())


def exchanged(audience, **more):
    answer = exchange(client, base_url, key, audience, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


good = exchanged(AUDIENCE)
header = header_of(good)
claims = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
jwk = client.get(f"{base_url}/.well-known/jwks.json").json()["keys"][0]
public = base64.urlsafe_b64decode(jwk["x"] + "=")
pem = Ed25519PublicKey.from_public_bytes(public).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
mine = Ed25519PrivateKey.generate()
my_jwk = {"kty": "OKP", "crv": "Ed25519", "x": coded(mine.public_key().public_bytes_raw()), "kid": header["kid"], "alg": "EdDSA", "use": "sig"}
more_rights = {**claims, "scope": "admin"}


def unsigned(head, body=more_rights):
    return f"{part(head)}.{part(body)}."


def by_hmac(secret, alg="HS256", **head):
    message = f"{part({**header, 'alg': alg, **head})}.{part(more_rights)}"
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[alg]
    return f"{message}.{coded(hmac.new(secret, message.encode(), digest).digest())}"


def by_me(body=more_rights, **head):
    head = {name: value for name, value in {**header, **head}.items() if value is not None}
    message = f"{part(head)}.{part(body)}"
    return f"{message}.{coded(mine.sign(message.encode()))}"


head, body, signature = good.split(".")
attacks = {
    "none": unsigned({**header, "alg": "none"}),
    "None": unsigned({**header, "alg": "None"}),
    "none with the signature": f"{part({**header, 'alg': 'none'})}.{part(more_rights)}.{signature}",
    "no algorithm": unsigned({"typ": "at+jwt", "kid": header["kid"]}),
    "HS256 with the raw public key": by_hmac(public),
    "HS256 with its PEM": by_hmac(pem),
    "HS256 with its JWK": by_hmac(json.dumps(jwk).encode()),
    "HS256 with its x": by_hmac(jwk["x"].encode()),
    "HS512 with its PEM": by_hmac(pem, "HS512"),
    "HS256 with nothing": by_hmac(b""),
    "a key of mine under your name": by_me(),
    "a key of mine under no name": by_me(kid=None),
    "a path for a name": by_hmac(b"", kid="../../../../dev/null"),
    "a path and a key of mine": by_me(kid="../../../../dev/null"),
    "SQL for a name": by_me(kid="' union select x'00', 1 --"),
    "a number for a name": by_me(kid=1),
    "jku": by_me(jku="http://127.0.0.1:1/keys.json"),
    "x5u": by_me(x5u="http://127.0.0.1:1/keys.pem"),
    "jwk": by_me(jwk=my_jwk),
    "crit": by_me(crit=["exp"]),
    "an ID token": by_me({**more_rights, "nonce": "n", "aud": AUDIENCE}, typ="JWT"),
    "more rights, old signature": f"{head}.{part(more_rights)}.{signature}",
    "another header, old signature": f"{part({**header, 'typ': 'JWT'})}.{body}.{signature}",
    "no signature": f"{head}.{body}.",
    "half a signature": f"{head}.{body}.{signature[:40]}",
    "two parts": f"{head}.{body}",
    "five parts": f"{head}.{body}.{signature}.{signature}.{signature}",
    "for another service": exchanged("storage"),
    "nothing at all": "..",
}


def by_library(token):
    verifier = Service(base_url, AUDIENCE)
    try:
        verifier.fetch()
        verifier.prepare(token) if token.count(".") >= 2 and token != ".." else None
        verifier.accept(token, [])
        return True
    except Exception:
        return False


def by_introspection(token):
    answer = client.post(f"{base_url}/v1/introspect", data={"token": token}, headers={"Authorization": f"Bearer {service}"})
    assert answer.status_code == 200, answer.text
    if answer.text == '{"active":false}':
        return False
    assert answer.json()["active"] is True, answer.text
    return True


tried = {"good": good, **attacks}
print(json.dumps({
    "tried": len(attacks),
    "library": [name for name, token in tried.items() if by_library(token)],
    "introspection": [name for name, token in tried.items() if by_introspection(token)],
    "routes": [
        path
        for path in ("/api/account/summary", "/v1/forward-auth", "/v1/revocations")
        if client.get(f"{base_url}{path}", headers={"Authorization": f"Bearer {good}"}).status_code != 401
    ],
}))
