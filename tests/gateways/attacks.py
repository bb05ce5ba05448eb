"""One table of attacks against one gateway of the package. Reads what it needs as one JSON object, prints the faults as a JSON list."""

import json
import re
import socket
import ssl
import subprocess
import sys
import time

from gateways import GATEWAYS, Site
from services import Services, free_port, read_body, read_head

IDENTITY = ["Domicile-Account", "Domicile-Username", "Domicile-Workspace", "Domicile-Role", "Domicile-Scopes", "Domicile-Key",
            "Domicile-Plan", "Domicile-Region", "Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups"]  # fmt: skip
OURS = [*IDENTITY, "Domicile-Reason", "X-Domicile-Scope", "X-Domicile-Service"]
CLIENT_HEADERS = ["X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded"]
# The names under which PHP, WSGI and CGI know what a client must not say.
WATCHED = {"HTTP_" + name.upper().replace("-", "_") for name in [*OURS, *CLIENT_HEADERS, "Cookie", "Authorization", "X-Api-Key"]}
# What a name of a header may have beside letters, digits and hyphens (RFC 9110 §5.6.2).
ODD = "_.!#$%&'*+^`|~"
# The client connects from here, and claims to be there.
CLIENT, CLAIMED = "127.0.0.5", "203.0.113.7"


def spellings(name, value):
    """Lines that a service could take for this header."""
    yield from (f"{name}: {value}", f"{name.lower()}: {value}", f"{name.upper()}: {value}", f"{name.swapcase()}:{value}")
    for odd in ODD:
        yield f"{name.replace('-', odd)}: {value}"
        yield f"{name.replace('-', odd, 1).lower()}: {value}"
    yield from (f"{name}: {value}\r\n{name}: {value}", f"{name}: x\r\n {value}", f"{name}:\r\n\t{value}", f"{name} : {value}")
    yield from (f"{name}\t: {value}", f" {name}: {value}", f"A: b\r\n{name.replace('-', '_')}: {value}\r\n{name}: {value}")
    yield f"X-Other: a\n{name}: {value}"
    yield f"X-Other: a\r{name}: {value}"


PATHS = ["/", "//", "///a//b", "/../x", "/a/../../x", "/%2e%2e/x", "/a/%2F/b", "/a%5c..%5cx", "/.domicile", "//.domicile", "/%2edomicile", "/v1/forward-auth",
         "/x?scope=models:read", "/x?q=100%", "/x?nginx=1", "/x;a=b/..;/y", "/%00", "/x%0d%0aRemote-User:%20me", "/x#frag", "http://evil.example/x", "*",
         "/x?q=%zz&scope=billing:read", "/" + "a" * 2000]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "TRACE", "get"]
PREFLIGHT = ["Origin: https://app.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"]


class Trial:
    def __init__(self, given, services, port):
        self.given, self.services, self.port, self.faults, self.count = given, services, port, [], 0
        self.is_apache = given["gateway"] == "apache"
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(CLIENT, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(plain, server_hostname="inference.example.org")

    def send(self, lines, method="GET", path="/x", body=b"", key=None, host="inference.example.org"):
        """The status and the answer. 0: the gateway closed the connection."""
        self.count += 1
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", *lines]
        if key:
            head.append(f"Authorization: Bearer {key}")
        if body and not any(line.lower().startswith("transfer-encoding") for line in lines):
            head.append(f"Content-Length: {len(body)}")
        if not any(line.lower().startswith("connection:") for line in lines):
            head.append("Connection: close")
        with self.connect() as connection:
            try:
                connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
                head, rest = read_head(connection)
                if head is None:
                    return 0, "", {}
                raw = b"" if method == "HEAD" else read_body(connection, head, rest)
            except OSError:
                return 0, "", {}
        status = int(head.split(b" ")[1])
        try:
            return status, head.decode("latin-1"), json.loads(raw)
        except ValueError:
            return status, head.decode("latin-1"), {}

    def fault(self, what, *more):
        self.faults.append(" ".join([what, *(str(one)[:600] for one in more)]))

    def expect(self, what, told, forbidden):
        """Each service knows the owner of the key, from one header, and no other header that it watches is from the client."""
        for service, headers in told.items():
            folded = {}
            for name, value in headers.items():
                folded.setdefault(re.sub("[^A-Z0-9]", "_", name.upper()), []).append(value)
            for name, value in (("HTTP_REMOTE_USER", "ada-l"), ("HTTP_DOMICILE_ACCOUNT", self.given["account"]), ("HTTP_DOMICILE_SCOPES", "models:read")):
                if folded.get(name) != [value]:
                    self.fault(what, service, name, folded.get(name))
            for name in WATCHED & folded.keys():
                if any(forbidden in value for value in folded[name]):
                    self.fault(what, service, "was told", name, folded[name])

    def reaches(self, what, lines, forbidden="forged", **more):
        """With a good key: the service is told who sent it and nothing that is forged, or the request is refused."""
        before = self.services.reached
        status, head, answer = self.send(lines, key=self.given["key"], **more)
        self.expect(what, answer.get("told", {}), forbidden)
        seen = json.dumps(answer) + self.services.head if self.services.reached > before else ""
        for secret in (self.given["key"], self.given["credential"]):
            if secret in seen:
                self.fault(what, f"the service was told {secret[:12]}", seen)
        if "told" not in answer and self.services.reached > before and more.get("method") != "HEAD":
            self.fault(what, "reached the service, but was not answered", status)
        if status == 0 or (status >= 500 and status != 501):
            # A gateway may close the connection, or refuse: never fail.
            if status != 0:
                self.fault(what, "the gateway failed", status, head)
        return status, answer

    def refused(self, what, lines, **more):
        before = self.services.reached
        status, head, _ = self.send(lines, **more)
        if self.services.reached > before:
            self.fault(what, "reached the service", status, self.services.head)
        return status

    def run(self):
        key, limited, other = self.given["key"], self.given["limited"], self.given["other"]
        status, answer = self.reaches("a plain request", [])
        if status != 200:
            return self.fault("a plain request is not allowed", status, answer)
        every, offset = self.given["every"], iter(range(10_000))
        for name in OURS:
            for line in list(spellings(name, "forged"))[next(offset) % every :: every]:
                self.reaches(f"{line!r}", [line])
                # Nor does the line help a key without the scope.
                if name in ("Domicile-Scopes", "X-Domicile-Scope", "X-Domicile-Service"):
                    self.refused(f"without the scope: {line!r}", [line.replace("forged", "billing:read")], key=other)
        for name in CLIENT_HEADERS:
            value = f"for={CLAIMED}" if name == "Forwarded" else CLAIMED
            for line in list(spellings(name, value))[next(offset) % every :: every]:
                self.reaches(f"{line!r}", [line], forbidden=CLAIMED)
                self.refused(f"from another network: {line!r}", [line], key=limited)
        for name in ("Remote-User", "Domicile-Scopes", "X-Forwarded-For", "Authorization", "Cookie", "X-Domicile-Service"):
            for line in (f"Connection: close, {name}", f"Connection: {name.lower()}, close", f"Connection: close\r\nConnection: {name}"):
                status, _ = self.reaches(f"{line!r}", [line])
                self.refused(f"without a key: {line!r}", [line])
                self.refused(f"from another network: {line!r}", [line, f"X-Forwarded-For: {CLAIMED}"], key=limited)
        # Without a value, and hidden by one without a value.
        for name in ("Remote-User", "Domicile-Account", "X-Forwarded-For"):
            odd = name.replace("-", "_")
            for line in (f"{odd}:", f"{odd}: forged\r\nZ_z:", f"Z_z:\r\n{odd}: forged", f"{odd}: forged\r\nZ_z:\r\nA: b"):
                self.reaches(f"{line!r}", [line])
        if not self.is_apache and self.send([], key=self.given["local"])[0] != 200:
            self.fault("a key for the network of the client is refused")
        self.paths(key, other)
        self.browsers()
        self.bodies(key)

    def paths(self, key, other):
        for path in PATHS:
            self.refused(f"without a key: {path}", [], path=path)
            self.refused(f"with a key without the scope: {path}", [], path=path, key=other)
            status, answer = self.reaches(f"path {path}", [], path=path)
            if status == 200 and path.startswith("/x?") and "scope=billing" not in path and f" {path} " not in answer.get("line", ""):
                self.fault("the path changed", path, answer.get("line"))
        for method in METHODS:
            self.refused(f"without a key: {method}", [], method=method)
        for lines in (["Authorization: Bearer " + key, "Authorization: Bearer x"], ["X-Api-Key: " + key, "X-Api-Key: x"], ["X_Api_Key: " + key],
                      ["Authorization: Bearer " + key + "x"], ["Proxy-Authorization: Bearer " + key], ["Cookie: __Host-session=" + key]):  # fmt: skip
            self.refused(f"credential {lines[0][:16]}", lines)

    def browsers(self):
        before = self.services.reached
        status, head, answer = self.send(PREFLIGHT + ["Remote-User: forged", "Remote_User: x"], method="OPTIONS")
        seen = json.dumps(answer)
        if self.is_apache:  # It refuses the underscore.
            status, head, answer = self.send(PREFLIGHT + ["Remote-User: forged"], method="OPTIONS")
            seen = json.dumps(answer)
        if status != 200 or self.services.reached == before or "access-control-allow-origin" not in head.lower():
            self.fault("a preflight is not answered by the service", status, head)
        if "forged" in seen or "HTTP_REMOTE_USER" in seen or "HTTP_DOMICILE_ACCOUNT" in seen:
            self.fault("a preflight has an identity", seen)
        self.refused("OPTIONS without a method", PREFLIGHT[:1], method="OPTIONS")
        self.refused("OPTIONS without an origin", PREFLIGHT[1:], method="OPTIONS")
        for method in ("GET", "POST", "HEAD"):
            self.refused(f"{method} dressed as a preflight", PREFLIGHT, method=method)
        self.refused("a method in another header", [*PREFLIGHT, "X-HTTP-Method-Override: OPTIONS"], method="POST")
        mine = ["a=1", "__Host-session=forged", "b=2", "__Host-device=forged", "domicile-session=forged", "c=3"]
        for order in (mine, mine[::-1], mine[1:] + mine[:1]):
            _, answer = self.reaches("cookies", ["Cookie: " + "; ".join(order)])
            for service, told in answer.get("told", {}).items():
                if not all(own in told.get("HTTP_COOKIE", "") for own in ("a=1", "b=2", "c=3")):
                    self.fault("cookies of the service are lost", service, told.get("HTTP_COOKIE"))
        for line in ("Cookie: __Host-session=forged", "Cookie: a=1; " + "; ".join(f"__Host-c{n}=forged" for n in range(9)),
                     "Cookie: __Host-session=forged\r\nCookie: __Host-device=forged", "Cookie: a=1;__Host-session=forged", "cookie:__Host-session=forged;b=2",
                     "Cookie: domicile-session=forged", "Cookie: a=1;domicile-device=forged; b=2", "Cookie: " + "; ".join(f"domicile-c{n}=forged" for n in range(9))):  # fmt: skip
            self.reaches(line, [line])

    def bodies(self, key):
        body = b"x" * 3_000_000
        for what, lines, sent in (
            ("an upload", [], body),
            ("an upload in chunks", ["Transfer-Encoding: chunked"], b"".join(b"%x\r\n%s\r\n" % (100_000, body[:100_000]) for _ in range(30)) + b"0\r\n\r\n"),
        ):
            status, answer = self.reaches(what, lines, method="POST", body=sent)
            if (status, answer.get("length")) != (200, len(body)):
                self.fault(what, status, answer.get("length"))
        shake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        self.refused("a WebSocket without a key", shake)
        with self.connect() as connection:
            head = ["GET /socket HTTP/1.1", "Host: inference.example.org", f"Authorization: Bearer {key}", "Remote-User: forged", *shake]
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            head, rest = read_head(connection)
            status = head.split(b" ")[1] if head else b"none"
            if status != b"101":
                return self.fault("a WebSocket is not opened", status, head)
            frame = b"\x81\x84\x01\x02\x03\x04" + bytes(a ^ b for a, b in zip(b"ping", b"\x01\x02\x03\x04", strict=True))
            connection.sendall(frame)
            while len(rest) < len(frame):
                rest += connection.recv(1024)
            if rest != frame:
                self.fault("a WebSocket does not echo", rest)
        if "forged" in self.services.head or "remote-user: ada-l" not in self.services.head.lower():
            self.fault("a WebSocket has another identity", self.services.head)


def start(given, services, port):
    """The gateway, once it listens."""
    gateway = GATEWAYS[given["gateway"]](Site(given, services.port, port))
    for _ in range(1500):
        if gateway.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.02)
    return gateway


def stop(gateway):
    gateway.terminate()
    try:
        gateway.wait(2)
    except subprocess.TimeoutExpired:
        gateway.kill()
        gateway.wait()


def main():
    given = json.loads(sys.stdin.readline())
    services = Services(given["php"], given["node"])
    port = free_port()
    trial = Trial(given, services, port)
    gateway = start(given, services, port)
    try:
        trial.run()
        if gateway.poll() is not None:
            trial.fault("the gateway ended")
        stop(gateway)
        # Without Domicile, nothing passes.
        trial.port = free_port()
        gateway = start({**given, "domicile": free_port(), "domicile_tls": free_port()}, services, trial.port)
        trial.refused("Domicile does not answer", ["Remote-User: forged"], key=given["key"])
    finally:
        stop(gateway)
        services.stop()
    if trial.faults:
        with open(given["folder"] + "/log") as log:
            trial.fault("log:", log.read()[-600:])
    print(json.dumps({"requests": trial.count, "faults": trial.faults}))


main()
