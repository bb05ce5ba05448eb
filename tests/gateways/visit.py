"""Visits a site through a proxy with a self-signed certificate, as one browser with an address of its own on this machine.
One JSON object per line in, one out. Keeps cookies."""

import json
import sys

try:
    import httpx
except ModuleNotFoundError:
    sys.exit("this test needs httpx, which is not here. Run: ./dev tools")

cookies = {}
for line in sys.stdin:
    request = json.loads(line)
    headers = dict(request["headers"])
    headers["Host"] = "account.example.org"
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    body = request["body"] + " " * request.get("padded_by", 0)
    transport = httpx.HTTPTransport(verify=False, local_address=request["from"])
    with httpx.Client(transport=transport, timeout=100, trust_env=False) as client:
        answer = client.request(
            request["method"],
            request["url"],
            headers=headers,
            content=body,
            extensions={"sni_hostname": "account.example.org"},
        )
    for name, value in answer.headers.multi_items():
        if name.lower() == "set-cookie":
            pair = value.split(";")[0].split("=", 1)
            cookies[pair[0]] = pair[1]
    print(json.dumps({"status": answer.status_code, "headers": dict(answer.headers), "body": answer.text}), flush=True)
