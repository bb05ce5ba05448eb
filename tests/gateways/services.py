"""Services behind a gateway that fold the names of headers: PHP, WSGI and node. The port in front of them passes each request to
all three and answers with what each of them was told."""

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None, b""
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    return head, rest


def read_body(connection, head, rest):
    """The body of a message, decoded if it is chunked."""
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    if length:
        while len(rest) < int(length[1]):
            more = connection.recv(65536)
            if not more:
                break
            rest += more
        return rest
    if re.search(rb"(?im)^transfer-encoding: *chunked", head):
        body = b""
        while True:
            while b"\r\n" not in rest:
                rest += connection.recv(65536)
            size, rest = rest.split(b"\r\n", 1)
            size = int(size.split(b";")[0], 16)
            while len(rest) < size + 2:
                rest += connection.recv(65536)
            body, rest = body + rest[:size], rest[size + 2 :]
            if size == 0:
                return body
    return b""


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def wsgi(environ, start_response):
    told = {name: value for name, value in environ.items() if name.startswith("HTTP_") and isinstance(value, str)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


class Services:
    """`reached` counts requests, and `head` is the last one as it arrived."""

    def __init__(self, php, node):
        self.reached, self.head, self.counting = 0, "", threading.Lock()
        self.ports = {"php": free_port(), "node": free_port()}
        site = os.path.join(HERE, "service.php")
        self.programs = [
            subprocess.Popen([php, "-n", "-S", f"127.0.0.1:{self.ports['php']}", site], stderr=subprocess.DEVNULL),
            subprocess.Popen([node, os.path.join(HERE, "service.mjs"), str(self.ports["node"])]),
        ]
        server = make_server("127.0.0.1", 0, wsgi, handler_class=Quiet)
        self.ports["wsgi"] = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for port in self.ports.values():
            wait_for(port)
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while True:
                head, rest = read_head(connection)
                if head is None:
                    return
                with self.counting:
                    self.reached, self.head = self.reached + 1, head.decode("latin-1")
                if re.search(rb"(?im)^upgrade: *websocket", head):
                    key = re.search(rb"(?im)^sec-websocket-key: *(\S+)", head)[1]
                    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
                    lines = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                    connection.sendall(lines + proof + b"\r\n\r\n" + rest)
                    while data := connection.recv(65536):
                        connection.sendall(data)
                    return
                body = read_body(connection, head, rest)
                answer = {"told": {name: self.ask(port, head) for name, port in self.ports.items()}}
                answer.update(length=len(body), sha256=hashlib.sha256(body).hexdigest(), line=head.split(b"\r\n")[0].decode("latin-1"))
                raw = json.dumps(answer).encode()
                start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nAccess-Control-Allow-Origin: https://app.example\r\n"
                raw = b"" if head.startswith(b"HEAD ") else raw
                connection.sendall(start + b"Content-Length: %d\r\n\r\n" % len(raw) + raw)

    @staticmethod
    def ask(port, head):
        """The same headers as a GET without a body, whose connection ends."""
        lines = [line for line in head.split(b"\r\n")[1:] if not re.match(rb"(?i)(content-length|transfer-encoding|connection|expect):", line)]
        with socket.create_connection(("127.0.0.1", port)) as service:
            service.sendall(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"Connection: close", b"", b""]))
            data = b""
            while more := service.recv(65536):
                data += more
        head, body = data.split(b"\r\n\r\n", 1)
        if re.search(rb"(?im)^transfer-encoding: *chunked", head):
            body = re.sub(rb"(?m)^[0-9a-f]+\r\n", b"", body).replace(b"\r\n", b"")
        return json.loads(body)

    def stop(self):
        for program in self.programs:
            program.kill()
            program.wait()
