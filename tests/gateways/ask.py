"""Sends requests through a gateway with a self-signed certificate and prints the answers: one JSON object per line in, one out."""

import json
import sys

try:
    import httpx
except ModuleNotFoundError:
    sys.exit("this test needs httpx, which is not here. Run: ./dev tools")

# Connects directly to the port, whatever the host name is, with a new connection for each request.
for line in sys.stdin:
    request = json.loads(line)
    with httpx.Client(verify=False, timeout=60, trust_env=False) as client:
        answer = client.request(
            request["method"],
            request["url"],
            headers={**request["headers"], "Host": "inference.example.org"},
            content=request["body"],
            extensions={"sni_hostname": "inference.example.org"},
        )
    print(json.dumps({"status": answer.status_code, "headers": dict(answer.headers), "body": answer.text}), flush=True)
