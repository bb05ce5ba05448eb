"""Starts the gateways that the package has examples for, with the changes that their first lines ask the admin to make."""

import os
import shutil
import subprocess
import tempfile

MODULES = ["mpm_event", "authn_core", "authz_core", "authz_user", "ssl", "proxy", "proxy_http", "proxy_wstunnel", "headers", "setenvif",
           "lua", "alias", "socache_shmcb", "auth_openidc"]  # fmt: skip

# Removed when the program ends.
KEPT = []


class Site:
    """What a gateway needs: the folder of the examples, a folder with a certificate, ports and a credential."""

    def __init__(self, given, service_port, port):
        self.given, self.service_port, self.port, self.folder = given, service_port, port, given["folder"]

    def at(self, name):
        return os.path.join(self.folder, name)

    def example(self, name, *changes):
        with open(os.path.join(self.given["examples"], name)) as file:
            text = file.read()
        domicile = [("127.0.0.1:8080", f"127.0.0.1:{self.given['domicile']}")] if "127.0.0.1:8080" in text else []
        service = ("127.0.0.1:9000", f"127.0.0.1:{self.service_port}")
        for old, new in (*domicile, service, ("dos_REPLACE_ME", self.given["credential"]), *changes):
            assert old in text, f"{name} does not have {old}"
            text = text.replace(old, new)
        return text

    def write(self, name, text):
        with open(self.at(name), "w") as file:
            file.write(text)
        return self.at(name)

    def readable(self, name):
        """A copy of an example that the user of Apache can read."""
        folder = tempfile.TemporaryDirectory(dir="/tmp")
        KEPT.append(folder)
        os.chmod(folder.name, 0o755)
        path = shutil.copy(os.path.join(self.given["examples"], name), folder.name)
        os.chmod(path, 0o644)
        return path

    def start(self, *command, **environment):
        with open(self.at("log"), "w") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **environment})


def nginx(site):
    files = (("/etc/ssl/certs/inference.pem", site.at("site.pem")), ("/etc/ssl/private/inference.key", site.at("site.key")))
    site.write("site.conf", site.example("nginx.conf", ("listen 443 ssl", f"listen 127.0.0.1:{site.port} ssl"), *files))
    folders = "".join(f"{name}_temp_path {site.at(name)};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"""daemon off;
master_process off;
pid {site.at("pid")};
error_log {site.at("error.log")} warn;
events {{}}
http {{
access_log off;
{folders}include {site.at("site.conf")};
}}
"""
    return site.start(site.given["nginx"], "-p", site.folder, "-e", site.at("error.log"), "-c", site.write("nginx.conf", main))


def caddy(site):
    own = f"https://inference.example.org:{site.port} {{\n\ttls {site.at('site.pem')} {site.at('site.key')}"
    text = site.example("caddy.conf", ("https://inference.example.org {", own))
    whole = "{\n\tadmin off\n\tauto_https off\n}\n" + text
    return site.start(site.given["caddy"], "run", "--adapter", "caddyfile", "--config", site.write("Caddyfile", whole), HOME=site.folder)


def envoy(site):
    text = site.example(
        "envoy.conf",
        ("address: 0.0.0.0, port_value: 443", f"address: 127.0.0.1, port_value: {site.port}"),
        ("/etc/ssl/certs/inference.pem", site.at("site.pem")),
        ("/etc/ssl/private/inference.key", site.at("site.key")),
        ("address: 127.0.0.1, port_value: 8080", f"address: 127.0.0.1, port_value: {site.given['domicile']}"),
        ("address: 127.0.0.1, port_value: 9000", f"address: 127.0.0.1, port_value: {site.service_port}"),
        # The test names the port too.
        ('domains: ["inference.example.org"]', 'domains: ["inference.example.org", "inference.example.org:*"]'),
    )
    return site.start(site.given["envoy"], "-c", site.write("envoy.yaml", text), "--concurrency", "1", "--disable-hot-restart")


def haproxy(site):
    lua = os.path.join(site.given["examples"], "haproxy-domicile.lua")
    text = site.example(
        "haproxy.cfg",
        ("bind :443", f"bind 127.0.0.1:{site.port}"),
        ("/etc/haproxy/inference.pem", site.at("both.pem")),
        ("/etc/haproxy/haproxy-domicile.lua", lua),
    )
    return site.start(site.given["haproxy"], "-db", "-f", site.write("haproxy.cfg", text))


def apache(site):
    text = site.example(
        "apache.conf",
        ("*:443", f"127.0.0.1:{site.port}"),
        ("/etc/apache2/apache-domicile.lua", site.readable("apache-domicile.lua")),
        # Its certificate is self-signed.
        ("https://account.example.org/v1/introspect", f"https://localhost:{site.given['domicile_tls']}/v1/introspect\nOIDCOAuthSSLValidateServer Off"),
        ("/etc/ssl/certs/inference.pem", site.at("site.pem")),
        ("/etc/ssl/private/inference.key", site.at("site.key")),
    )
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
    main = f"""ServerRoot {site.folder}
ServerName localhost
PidFile {site.at("pid")}
ErrorLog {site.at("error.log")}
DefaultRuntimeDir {site.folder}
Listen 127.0.0.1:{site.port}
{modules}User #65534
Group #65534
{text}
"""
    return site.start(site.given["apache2"], "-X", "-f", site.write("apache.conf", main))


GATEWAYS = {"nginx": nginx, "caddy": caddy, "envoy": envoy, "haproxy": haproxy, "apache": apache}
