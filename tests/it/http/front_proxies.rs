//! The proxies in front of Domicile itself that the package has examples for, each tested with the real program.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::shipped_gateways::example;
use crate::support::{Appliance, HelperProcess, PASSWORD, encode, free_port, tool, wait_for};

/// The address of the visitor. The proxy itself has another one.
const VISITOR: &str = "127.0.0.5";
const ORIGIN: &str = "https://account.example.org";

struct Front {
    site: Appliance,
    _proxy: HelperProcess,
    port: u16,
    visitor: HelperProcess,
}

/// The ports of the proxy, and a folder with a certificate (`site.pem`, `site.key`, both in `both.pem`).
struct Place<'p> {
    folder: &'p Path,
    tls: u16,
    plain: u16,
}

impl Place<'_> {
    fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Front {
    /// `proxy` writes the configuration and returns the command that starts the proxy.
    fn with(proxy: impl FnOnce(&Appliance, &Place<'_>) -> Command) -> Self {
        let mut site = Appliance::initialized();
        site.reconfigure(&format!("public_url = \"{}\"", site.url()), &format!("public_url = \"{ORIGIN}\""));
        let listen = "[listen]\nbehind_proxy = true\nhsts = \"365d\"\ntrusted_proxies = [\"127.0.0.1/32\"]";
        site.reconfigure("[listen]", listen);
        site.start();
        let folder = site.folder().join("proxy");
        std::fs::create_dir(&folder).unwrap();
        let own = rcgen::generate_simple_self_signed(["account.example.org".to_owned()]).unwrap();
        let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        for (name, text) in [("site.pem", &chain), ("site.key", &key), ("both.pem", &format!("{chain}{key}"))] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let place = Place { folder: &folder, tls: free_port(), plain: free_port() };
        let process = HelperProcess::start(&mut proxy(&site, &place));
        let port = place.tls;
        wait_for("the proxy", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { site, _proxy: process, port, visitor: HelperProcess::python("gateways/visit.py") }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str, padded_by: usize) -> Value {
        let headers: BTreeMap<_, _> = headers.iter().copied().collect();
        let url = format!("https://127.0.0.1:{}{path}", self.port);
        self.visitor.request(&json!({
            "method": method, "url": url, "headers": headers, "body": body, "from": VISITOR, "padded_by": padded_by,
        }))
    }
}

/// What a client may say about itself, which nobody may believe.
const FORGED: [(&str, &str); 6] = [
    ("X-Forwarded-For", "198.51.100.9"),
    ("Forwarded", "for=198.51.100.9;proto=http;host=evil.example"),
    ("X-Real-IP", "198.51.100.9"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "http"),
    ("X-Request-Id", "forged-by-the-client"),
];

/// What every proxy must do.
fn serves_the_site(front: &mut Front) {
    front.site.account("ada-l");
    let service = format!("Bearer {}", front.site.service("gpu"));

    // Sign-in, with everything that a client can forge.
    let page = front.ask("GET", "/signin", &FORGED, "", 0);
    assert_eq!(page["status"], 200, "{page}");
    assert_ne!(page["headers"]["x-request-id"], "forged-by-the-client");
    let text = page["body"].as_str().unwrap();
    let csrf = text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let form = format!("csrf={}&name=ada-l&password={}", encode(&csrf), encode(PASSWORD));
    let mut headers = FORGED.to_vec();
    headers.extend([
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", ORIGIN),
        ("Sec-Fetch-Site", "same-origin"),
    ]);
    let signed_in = front.ask("POST", "/signin", &headers, &form, 0);
    assert_eq!(
        (signed_in["status"].as_u64(), signed_in["headers"]["location"].as_str()),
        (Some(303), Some("/settings/profile")),
        "{signed_in}"
    );
    let security = front.ask("GET", "/settings/security", &FORGED, "", 0);
    assert_eq!(security["status"], 200, "{security}");
    let log = wait_for("the sign-in in the log", || {
        Some(front.site.log()).filter(|log| log.contains("event=auth.signin_succeeded"))
    });
    assert!(log.contains(&format!("event=auth.signin_succeeded outcome=success visitor={VISITOR} ")), "{log}");
    assert!(!log.contains("198.51.100.9") && !log.contains("forged"), "{log}");

    // The largest body passes, and of a larger one Domicile itself says that it is too large.
    let json = [("Authorization", service.as_str()), ("Content-Type", "application/json")];
    let largest = 8 * 1024 * 1024 - 2;
    let passed = front.ask("POST", "/v1/usage/events", &json, "[]", largest);
    assert_ne!(passed["status"], 413, "{passed}");
    assert!(passed["headers"]["content-type"].as_str().unwrap().contains("json"), "{passed}");
    let refused = front.ask("POST", "/v1/usage/events", &json, "[]", largest + 1);
    assert_eq!(refused["status"], 413, "{refused}");
    assert!(refused["body"].as_str().unwrap().contains("request_id"), "the proxy refused: {refused}");

    // Paths and queries arrive as they were sent; answers come back as they are.
    let unknown = front.ask("GET", "/v1/nothing%2Fat%20all?a=%2F", &[], "", 0);
    assert_eq!(
        (unknown["status"].as_u64(), unknown["headers"]["content-type"].as_str()),
        (Some(404), Some("application/problem+json"))
    );

    // A program waits for news.
    let waited = front.ask("GET", "/v1/revocations?wait=1", &json, "", 0);
    assert_eq!(waited["status"], 200, "{waited}");
}

fn changes(site: &Appliance, more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut changes = vec![("127.0.0.1:8080", format!("127.0.0.1:{}", site.port))];
    changes.extend(more.iter().cloned());
    changes
}

#[test]
fn nginx_in_front_keeps_what_matters() {
    let mut front = Front::with(|site, place| {
        let own = changes(
            site,
            &[
                ("listen 80", format!("listen 127.0.0.1:{}", place.plain)),
                ("listen 443", format!("listen 127.0.0.1:{}", place.tls)),
                ("/etc/ssl/certs/account.pem", place.at("site.pem")),
                ("/etc/ssl/private/account.key", place.at("site.key")),
            ],
        );
        std::fs::write(place.at("site.conf"), example("front-nginx.conf", &own)).unwrap();
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders: String = folders.map(|name| format!("{name}_temp_path {};\n", place.at(name))).concat();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log {} warn;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}include {};\n}}\n",
            place.at("pid"),
            place.at("error.log"),
            place.at("site.conf")
        );
        std::fs::write(place.at("nginx.conf"), main).unwrap();
        let mut command = Command::new(tool("nginx"));
        command.arg("-p").arg(place.folder).args(["-e", &place.at("error.log"), "-c", &place.at("nginx.conf")]);
        command
    });

    serves_the_site(&mut front);
}

#[test]
fn caddy_in_front_keeps_what_matters() {
    let mut front = Front::with(|site, place| {
        let own = format!("{ORIGIN}:{} {{\n\ttls {} {}", place.tls, place.at("site.pem"), place.at("site.key"));
        let own = changes(site, &[("https://account.example.org {", own)]);
        let whole = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{}", example("front-caddy.conf", &own));
        std::fs::write(place.at("Caddyfile"), whole).unwrap();
        let mut command = Command::new(tool("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config", &place.at("Caddyfile")]);
        command.env("HOME", place.folder).stderr(std::fs::File::create(place.at("log")).unwrap());
        command
    });

    serves_the_site(&mut front);
}

#[test]
fn apache_in_front_keeps_what_matters() {
    let mut front = Front::with(|site, place| {
        let own = changes(
            site,
            &[
                ("*:80", format!("127.0.0.1:{}", place.plain)),
                ("*:443", format!("127.0.0.1:{}", place.tls)),
                ("/etc/ssl/certs/account.pem", place.at("site.pem")),
                ("/etc/ssl/private/account.key", place.at("site.key")),
            ],
        );
        let modules = ["mpm_event", "authz_core", "ssl", "proxy", "proxy_http", "headers", "alias", "socache_shmcb"];
        let modules = modules.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
        let main = format!(
            "ServerRoot {}\nServerName localhost\nPidFile {}\nErrorLog {}\nDefaultRuntimeDir {}\nListen 127.0.0.1:{}\nListen 127.0.0.1:{}\n{}User #65534\nGroup #65534\n{}",
            place.folder.display(),
            place.at("pid"),
            place.at("error.log"),
            place.folder.display(),
            place.plain,
            place.tls,
            modules.concat(),
            example("front-apache.conf", &own)
        );
        std::fs::write(place.at("apache.conf"), main).unwrap();
        let mut command = Command::new(tool("apache2"));
        command.args(["-X", "-f", &place.at("apache.conf")]).stderr(Stdio::inherit());
        command
    });

    serves_the_site(&mut front);
}

#[test]
fn haproxy_in_front_keeps_what_matters() {
    let mut front = Front::with(|site, place| {
        let own = changes(
            site,
            &[
                ("bind :80", format!("bind 127.0.0.1:{}", place.plain)),
                ("bind :443", format!("bind 127.0.0.1:{}", place.tls)),
                ("/etc/haproxy/account.pem", place.at("both.pem")),
            ],
        );
        std::fs::write(place.at("haproxy.cfg"), example("front-haproxy.cfg", &own)).unwrap();
        let mut command = Command::new(tool("haproxy"));
        command.args(["-db", "-q", "-f", &place.at("haproxy.cfg")]).stderr(Stdio::inherit());
        command
    });

    serves_the_site(&mut front);
}
