"""The clients that services in Python use: Authlib exchanges and introspects, PyJWT verifies. Prints who each of them found. The
key and the credential of the service gpu-farm come from the standard input."""

import json
import sys

try:
    import jwt
    from authlib.integrations.httpx_client import OAuth2Client
except ModuleNotFoundError as missing:
    sys.exit(f"this test needs {missing.name}, which is not here. Run: ./dev tools")

base = sys.argv[1]
key, secret = sys.stdin.read().split()
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"

seen = {}
for method in ("client_secret_basic", "client_secret_post"):
    client = OAuth2Client("GPU-Farm", secret, token_endpoint_auth_method=method, trust_env=False)
    found = client.introspect_token(f"{base}/v1/introspect", token=key).json()
    seen[f"{method} introspects a key"] = found["active"] and found["username"]
    exchanged = client.fetch_token(f"{base}/v1/token", grant_type=EXCHANGE, subject_token=key, scope="models:read")
    token = client.introspect_token(f"{base}/v1/introspect", token=exchanged["access_token"]).json()
    seen[f"{method} introspects a token"] = token["active"] and token["sub"] == found["sub"] and found["username"]

    signing_key = jwt.PyJWKClient(f"{base}/.well-known/jwks.json").get_signing_key_from_jwt(exchanged["access_token"])
    claims = jwt.decode(
        exchanged["access_token"], signing_key.key, algorithms=["EdDSA"], audience="gpu-farm", issuer=base
    )
    seen[f"PyJWT verifies after {method}"] = claims["sub"] == found["sub"] and found["username"]

    wrong = OAuth2Client("GPU-Farm", f"{secret[:-1]}x", token_endpoint_auth_method=method, trust_env=False)
    refused = wrong.introspect_token(f"{base}/v1/introspect", token=key)
    seen[f"{method} with a wrong secret is refused"] = refused.status_code == 401 and found["username"]
print(json.dumps(seen))
