"""A real SMTP server whose answers a test sets. Its settings are one JSON argument:
{"folder", "tls": "off" | "offered" | "required" | "implicit", "certificate", "key", "name", "password"}.
Prints its port. Then each line of standard input is {"answers": {...}}: from then on, the server answers so at "greeting",
"auth", "mail", "rcpt" and "data" (a text, or an object from the recipient to a text). It prints how many connections and
sign-ins there were, and writes each mail that it takes into the folder."""

import asyncio
import itertools
import json
import os
import ssl
import sys
import threading

try:
    from aiosmtpd.smtp import SMTP, AuthResult
except ModuleNotFoundError:
    sys.exit("this test needs aiosmtpd, which is not here. Run: ./dev tools")

settings = json.loads(sys.argv[1])
numbers = itertools.count(1)
answers = {}
counts = {"connections": 0, "sign_ins": 0, "encrypted": 0}


def answer(step, recipient=None):
    found = answers.get(step)
    return found.get(recipient) if isinstance(found, dict) else found


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        refused = answer("mail")
        if not refused:
            envelope.mail_from = address
        return refused or "250 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refused = answer("rcpt", address)
        if not refused:
            envelope.rcpt_tos.append(address)
        return refused or "250 fine"

    async def handle_DATA(self, server, session, envelope):
        if refused := answer("data", envelope.rcpt_tos[0]):
            return refused
        counts["encrypted"] += 1 if session.ssl or settings["tls"] == "implicit" else 0
        path = os.path.join(settings["folder"], f"{next(numbers):04}.eml")
        with open(path + ".new", "wb") as file:
            file.write(envelope.content)
        os.rename(path + ".new", path)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    counts["sign_ins"] += 1
    if refused := answer("auth"):
        return AuthResult(success=False, handled=False, message=refused)
    good = (data.login.decode(), data.password.decode()) == (settings["name"], settings["password"])
    return AuthResult(success=good, handled=False, message=None if good else "535 5.7.8 wrong name or password")


class Relay(SMTP):
    def connection_made(self, transport):
        counts["connections"] += 1
        super().connection_made(transport)

    async def push(self, status):
        if isinstance(status, str) and status.startswith("220 ") and "ESMTP" in status and answer("greeting"):
            await super().push(answer("greeting"))
            self.transport.close()
            return
        await super().push(status)


def listen(loop):
    """Reads what the test sets."""
    for line in sys.stdin:
        request = json.loads(line)

        def change():
            answers.clear()
            answers.update(request.get("answers", {}))
            print(json.dumps(counts), flush=True)

        loop.call_soon_threadsafe(change)
    os._exit(0)


async def serve():
    loop = asyncio.get_running_loop()
    context = None
    if settings["tls"] != "off":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
    has_sign_in = bool(settings.get("password"))
    is_implicit = settings["tls"] == "implicit"
    make = lambda: Relay(
        Handler(),
        loop=loop,
        ident="ESMTP relay.test",
        tls_context=None if is_implicit else context,
        require_starttls=settings["tls"] == "required",
        auth_required=has_sign_in,
        auth_require_tls=settings["tls"] not in ("off", "implicit"),
        authenticator=authenticate if has_sign_in else None,
        auth_exclude_mechanism=None if has_sign_in else ["PLAIN", "LOGIN"],
    )
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=context if is_implicit else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=listen, args=(loop,), daemon=True).start()
    await server.serve_forever()


asyncio.run(serve())
