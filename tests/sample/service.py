"""A service of the platform: it keeps datasets, reports what they cost, and does what Domicile asks it to."""
import json
import os
import time
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

DOMICILE = os.environ["DOMICILE_URL"]
PORT = int(os.environ["PORT"])
# Without an address, the service receives no webhooks and reads its inbox.
WEBHOOK_URL = os.environ.get("WEBHOOK_URL")
# What the code brought: credential and webhook_secret.
SECRETS = "service-secrets.json"


def call(method, path, body=None, kind="application/json"):
    """An answer that is not 2xx raises urllib.error.HTTPError, which is an OSError. Its body says what to do."""
    headers = {"Content-Type": kind}
    if path != "/v1/services/enrol":
        headers["Authorization"] = f"Bearer {secrets['credential']}"
    request = urllib.request.Request(DOMICILE + path, body and body.encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def connect():
    if not os.path.exists(SECRETS):
        answer = call("POST", "/v1/services/enrol", json.dumps({"code": os.environ["DOMICILE_CODE"]}))
        with os.fdopen(os.open(SECRETS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(answer, file)
    with open(SECRETS) as file:
        return json.load(file)


def introduce():
    call("PUT", "/v1/services/self", json.dumps({
        "version": int(os.environ.get("MANIFEST_VERSION", "1")), "webhook_url": WEBHOOK_URL, "can_export": True, "can_erase": True,
        "skus": [{"sku": "gpu.h100", "label": "NVIDIA H100", "unit": "second"}]}))


def person_with(key):
    """None: the key is not valid, or may not do this."""
    form = urllib.parse.urlencode({"token": key, "scope": "datasets:write"})
    found = call("POST", "/v1/introspect", form, "application/x-www-form-urlencoded")
    return found if found["active"] and found["granted"] else None


def register(name, workspace, size):
    call("PUT", f"/v1/resources/{name}", json.dumps(
        {"workspace": workspace, "type": "dataset", "name": name, "size": size, "version": 1}))


def report(event_id, person, quantity):
    event = {"source": "datasets", "id": event_id, "workspace": person["workspace"], "key": person["client_id"],
             "sku": "gpu.h100", "quantity": quantity, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    for rejected in call("POST", "/v1/usage/events", json.dumps([event]))["rejected"]:
        print("not counted:", rejected["error"], flush=True)


# Name, owner and workspace of each dataset. A real service has a database.
datasets = {}


def export(command):
    own = [name for name, (owner, _) in datasets.items() if owner == command["subject"]]
    with open(f"export-{command['subject']}.json", "w") as file:
        json.dump(own, file)
    return "done", f"{len(own)} datasets"


def erase(command):
    own = [name for name, (owner, _) in datasets.items() if owner == command["subject"]]
    for name in own:
        del datasets[name]
    return "done", f"{len(own)} datasets"


def purge(command):
    datasets.pop(command["data"]["resource"], None)
    return "done", ""


HANDLERS = {"dsr.export": export, "dsr.erase": erase, "resource.purge": purge,
            "resource.trash": lambda command: ("done", ""), "resource.restore": lambda command: ("done", ""),
            "test.ping": lambda command: ("done", "pong")}


def work(command):
    handler = HANDLERS.get(command["type"], lambda command: ("failed", "this service does not know the command"))
    outcome, detail = handler(command)
    body = json.dumps({"outcome": outcome, "detail": detail})
    call("POST", f"/v1/inbox/{command['id']}/ack", body)
    print(command["type"], outcome, flush=True)


def catch_up(wait=0):
    for command in call("GET", f"/v1/inbox?wait={wait}")["commands"]:
        work(command)


def read_inbox():
    while True:
        try:
            catch_up(wait=30)
        except Exception as error:
            print("Not done, tried again:", error, flush=True)
            time.sleep(5)


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/domicile":
            self.webhook(body)
        else:
            self.upload()

    def webhook(self, body):
        try:
            work(Webhook(secrets["webhook_secret"]).verify(body, dict(self.headers)))
        except WebhookVerificationError:
            return self.answer(401)
        except OSError:
            return self.answer(503)
        self.answer(204)

    def upload(self):
        """A person with an API key stores a dataset."""
        person = person_with(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if person is None:
            return self.answer(401)
        name, event_id = f"ds-{uuid.uuid4()}", str(uuid.uuid4())
        try:
            register(name, person["workspace"], 2_000_000)
            datasets[name] = (person["sub"], person["workspace"])
            report(event_id, person, "2")
        except OSError:
            return self.answer(503)
        self.answer(201)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    secrets = connect()
    introduce()
    if WEBHOOK_URL is None:
        Thread(target=read_inbox, daemon=True).start()
    else:
        catch_up()
    ThreadingHTTPServer(("127.0.0.1", PORT), Service).serve_forever()
