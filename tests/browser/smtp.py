"""A real SMTP server on a free port. Prints the port, then writes each mail it takes as a JSON file into the folder given."""

import asyncio
import email
import email.policy
import itertools
import json
import os
import sys
import threading

try:
    from aiosmtpd.smtp import SMTP
except ModuleNotFoundError:
    sys.exit("this test needs aiosmtpd, which is not here. Run: ./dev tools")

folder = sys.argv[1]
numbers = itertools.count(1)


def part(message, kind):
    found = message.get_body(preferencelist=(kind,))
    return found.get_content() if found else ""


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail = {
            "from": str(message["From"]),
            "to": envelope.rcpt_tos,
            "subject": str(message["Subject"]),
            "message_id": str(message["Message-ID"]),
            "date": str(message["Date"]),
            "text": part(message, "plain"),
            "html": part(message, "html"),
        }
        path = os.path.join(folder, f"{next(numbers):04}.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(mail, file)
        # Readers of the folder see complete mails only.
        os.rename(path + ".new", path)
        return "250 taken"


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Mailbox(), loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test: its standard input is closed then.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
    await server.serve_forever()


asyncio.run(serve())
