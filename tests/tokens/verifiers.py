"""Services that verify our access tokens with a third-party library, without introspection."""

import json
import sys
import time

try:
    import httpx
    from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
except ModuleNotFoundError as missing:
    sys.exit(f"this test needs {missing.name}, which is not here. Run: ./dev tools")

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class Service(JWTBearerTokenValidator):
    """Caches the key set for as long as allowed, and fetches it again when a token names an unknown key."""

    def __init__(self, base_url, audience):
        super().__init__(issuer=base_url, resource_server=audience)
        self.base_url, self.keys, self.good_until = base_url, {}, 0.0

    def fetch(self):
        answer = httpx.get(f"{self.base_url}/.well-known/jwks.json")
        answer.raise_for_status()
        age = int(answer.headers["cache-control"].split("max-age=")[1])
        self.keys, self.good_until = answer.json(), time.time() + age

    def get_jwks(self):
        return self.keys

    def prepare(self, token):
        known = [key["kid"] for key in self.keys.get("keys", [])]
        if time.time() >= self.good_until or header_of(token).get("kid") not in known:
            self.fetch()

    def accept(self, token, scopes):
        """Returns the claims. Raises an exception if the token is not valid."""
        self.prepare(token)
        claims = self.authenticate_token(token)
        self.validate_token(claims, scopes, None)
        return claims


class LazyService(Service):
    """Fetches the key set only twice a day, whatever its headers say. It relies on keys being published a day in advance."""

    def prepare(self, token):
        if not self.keys or time.time() >= self.good_until:
            self.fetch()
            self.good_until = time.time() + 12 * 3600


def header_of(token):
    import base64

    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def exchange(client, base_url, key, audience, **more):
    form = {"grant_type": EXCHANGE, "subject_token": key, "subject_token_type": "urn:domicile:api-key", "audience": audience}
    return client.post(f"{base_url}/v1/token", data={**form, **more})
