//! The configurations that are shipped for gateways, each before a real gateway in front of a real service.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Appliance, GATEWAY_HEADERS, HelperProcess, free_port, tool, wait_for};

/// An example as it is shipped, with what its first lines tell the admin to change.
fn example(name: &str, changes: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples").join(name);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not have {from}");
        text = text.replace(from, to);
    }
    text
}

/// A gateway in front of a service, and a client of it.
struct Site {
    site: Appliance,
    upstream: HelperProcess,
    upstream_port: u16,
    gateway: Option<HelperProcess>,
    port: u16,
    client: HelperProcess,
}

impl Site {
    /// `gateway` writes its configuration into a folder and says how it is started.
    fn with(site: Appliance, gateway: impl FnOnce(&Appliance, u16, u16, &Path) -> Command) -> Self {
        let mut upstream = HelperProcess::python("gateways/upstream.py");
        let upstream_port: u16 = upstream.next_line().parse().unwrap();
        let folder = site.folder().join("gateway");
        std::fs::create_dir(&folder).unwrap();
        let own = rcgen::generate_simple_self_signed(["inference.example.org".to_owned()]).unwrap();
        std::fs::write(folder.join("site.pem"), own.cert.pem()).unwrap();
        std::fs::write(folder.join("site.key"), own.signing_key.serialize_pem()).unwrap();
        let port = free_port();
        let gateway = HelperProcess::start(&mut gateway(&site, port, upstream_port, &folder));
        wait_for("the gateway", || TcpStream::connect(("127.0.0.1", port)).ok());
        let client = HelperProcess::python("gateways/ask.py");
        Self { site, upstream, upstream_port, gateway: Some(gateway), port, client }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
        let headers: BTreeMap<_, _> = headers.iter().copied().collect();
        let url = format!("https://127.0.0.1:{}{path}", self.port);
        let asked = json!({"method": method, "url": url, "headers": headers, "body": body});
        self.client.request(&asked)
    }

    /// The status, and what the service saw if it was asked.
    fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> (u64, Value) {
        let answer = self.ask("GET", path, headers, "");
        (answer["status"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_default())
    }

    /// How many requests reached the service.
    fn reached(&self) -> u64 {
        let url = format!("http://127.0.0.1:{}/how-many", self.upstream_port);
        let text = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["seen"].as_u64().unwrap()
    }
}

fn header<'v>(seen: &'v Value, name: &str) -> Vec<&'v str> {
    let pairs = seen["headers"].as_array().unwrap();
    pairs.iter().filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

/// What every gateway must do, whichever it is. `too_fast`: how it says that a key is used faster than it may be.
fn keeps_the_service(site: &mut Site, too_fast: u64) {
    let account = site.site.account("ada-l");
    let (right, other) = (site.site.api_key("ada-l", &["models:read"]), site.site.api_key("ada-l", &["billing:read"]));
    let bearer = format!("Bearer {right}");

    // Whoever may not pass does not reach the service.
    let answer = site.ask("GET", "/", &[], "");
    assert_eq!(answer["status"], 401, "{answer}");
    assert!(answer["headers"]["www-authenticate"].as_str().unwrap_or_default().starts_with("Bearer"), "{answer}");
    assert_eq!(site.get("/", &[("Authorization", "Bearer dok_nonsense")]).0, 401);
    let answer = site.ask("GET", "/", &[("Authorization", &format!("Bearer {other}"))], "");
    assert_eq!(
        (answer["status"].as_u64(), answer["headers"]["domicile-reason"].as_str()),
        (Some(403), Some("insufficient_scope"))
    );
    // What a client adds asks for more and never for less.
    for path in ["/?scope=billing:read", "/?scope=&nginx=0", "/v1/forward-auth?scope=billing:read"] {
        assert_eq!(
            site.get(path, &[("Authorization", &format!("Bearer {other}")), ("X-Domicile-Scope", "billing:read")]).0,
            403,
            "{path}"
        );
    }
    assert_eq!(site.reached(), 0);

    // Whoever may pass does, and the service is told who it is: by the gateway alone.
    let mut forged: Vec<(&str, &str)> = GATEWAY_HEADERS.iter().map(|name| (*name, "forged")).collect();
    forged.extend([
        ("Authorization", bearer.as_str()),
        ("X-Domicile-Service", "forged"),
        ("Domicile-Reason", "forged"),
    ]);
    let (status, seen) = site.get("/generate?prompt=a%20b", &forged);
    assert_eq!(
        (status, seen["method"].as_str(), seen["path"].as_str()),
        (200, Some("GET"), Some("/generate?prompt=a%20b"))
    );
    for name in GATEWAY_HEADERS {
        let values = header(&seen, name);
        assert!(values.len() == 1 && !values[0].is_empty() && values[0] != "forged", "{name}: {seen}");
    }
    assert!(!seen.to_string().contains("forged"), "{seen}");
    assert_eq!(
        (header(&seen, "domicile-account"), header(&seen, "remote-user")),
        (vec![account.as_str()], vec!["ada-l"])
    );
    assert_eq!(
        (header(&seen, "domicile-scopes"), header(&seen, "remote-email")),
        (vec!["models:read"], vec!["ada-l@example.org"])
    );
    assert!(!seen.to_string().contains(&right), "the service needs no key, so it gets none: {seen}");

    // The other way to carry a key, and a body that goes past the question.
    let body = "x".repeat(200_000);
    let answer = site.ask("POST", "/generate", &[("X-Api-Key", &right), ("Content-Type", "text/plain")], &body);
    assert_eq!((answer["status"].as_u64(), answer["headers"]["x-of-the-service"].as_str()), (Some(200), Some("stays")));
    let seen: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(seen["sha256"], hex::encode(Sha256::digest(&body)));
    assert!(!seen.to_string().contains(&right));

    // Too fast: with the reason, and when to come back.
    let slow = ["key", "create", "--account", "ada-l", "--name", "slow", "--scope", "models:read", "--rate", "1"];
    let slow = format!("Bearer {}", site.site.run(&slow).ok());
    let answers: Vec<_> = (0..3).map(|_| site.ask("GET", "/", &[("Authorization", &slow)], "")).collect();
    assert_eq!(answers[0]["status"], 200);
    let last = &answers[2];
    assert_eq!(
        (last["status"].as_u64(), last["headers"]["domicile-reason"].as_str()),
        (Some(too_fast), Some("rate_limited"))
    );
    assert!(last["headers"]["retry-after"].as_str().unwrap_or_default().parse::<u32>().is_ok(), "{last}");

    // Revoked is refused at the next request, also on a connection that is open.
    let listed: Value =
        serde_json::from_str(&site.site.run(&["key", "list", "--account", "ada-l", "--json"]).ok()).unwrap();
    for key in listed["keys"].as_array().unwrap() {
        site.site.run(&["key", "revoke", key["id"].as_str().unwrap()]).ok();
    }
    assert_eq!(site.get("/", &[("Authorization", &bearer)]).0, 401);

    // Nobody to ask is no yes.
    let key = site.site.api_key("ada-l", &["models:read"]);
    let (bearer, reached) = (format!("Bearer {key}"), site.reached());
    assert_eq!(site.get("/", &[("Authorization", &bearer)]).0, 200);
    assert!(site.site.stop().success());
    assert!(site.get("/", &[("Authorization", &bearer)]).0 >= 500);
    assert_eq!(site.reached(), reached + 1);
    site.site.start();
    assert_eq!(site.get("/", &[("Authorization", &bearer)]).0, 200, "and it goes on by itself");
    assert!(site.gateway.as_mut().unwrap().is_running() && site.upstream.is_running());
}

fn nginx(site: &Appliance, port: u16, upstream: u16, folder: &Path, more: &[(&str, String)]) -> Command {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut changes = vec![
        ("127.0.0.1:8080", format!("127.0.0.1:{}", site.port)),
        ("127.0.0.1:9000", format!("127.0.0.1:{upstream}")),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        ("/etc/ssl/certs/inference.pem", at("site.pem")),
        ("/etc/ssl/private/inference.key", at("site.key")),
    ];
    changes.extend(more.iter().map(|(from, to)| (*from, to.clone())));
    std::fs::write(folder.join("site.conf"), example("nginx.conf", &changes)).unwrap();
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = folders.map(|name| format!("{name}_temp_path {};\n", at(name))).concat();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {};\nerror_log {} warn;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}include {};\n}}\n",
        at("pid"),
        at("error.log"),
        at("site.conf")
    );
    std::fs::write(folder.join("nginx.conf"), main).unwrap();
    let mut command = Command::new(tool("nginx"));
    command
        .arg("-p")
        .arg(folder)
        .arg("-e")
        .arg(at("error.log"))
        .arg("-c")
        .arg(at("nginx.conf"))
        .stderr(Stdio::inherit());
    command
}

#[test]
fn nginx_as_shipped_keeps_a_service() {
    let mut site =
        Site::with(Appliance::running(), |site, port, upstream, folder| nginx(site, port, upstream, folder, &[]));

    keeps_the_service(&mut site, 403);

    // It knows 200, 401 and 403, and was told nothing else but that nobody is there.
    let log = std::fs::read_to_string(site.site.folder().join("gateway/error.log")).unwrap();
    let unexpected = log.lines().filter(|line| line.contains("unexpected status") && !line.contains("status: 502"));
    assert_eq!(unexpected.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn nginx_that_is_on_no_trusted_network_proves_itself_as_shipped() {
    let mut site = Appliance::made();
    site.reconfigure("allow = [\"127.0.0.1/32\"]", "allow = []");
    site.start();
    let service = site.service("nginx");
    let mut site = Site::with(site, |site, port, upstream, folder| {
        let question = "proxy_set_header X-Domicile-Service \"\";\n        proxy_set_header Connection";
        let proof = (question, question.replace("\"\"", &format!("\"{service}\"")));
        nginx(site, port, upstream, folder, &[proof])
    });

    keeps_the_service(&mut site, 403);
}

#[test]
fn caddy_as_shipped_keeps_a_service() {
    let mut site = Site::with(Appliance::running(), |site, port, upstream, folder| {
        let at = |name: &str| folder.join(name).display().to_string();
        let own = format!("https://inference.example.org:{port} {{\n\ttls {} {}", at("site.pem"), at("site.key"));
        let changes = [
            ("127.0.0.1:8080", format!("127.0.0.1:{}", site.port)),
            ("127.0.0.1:9000", format!("127.0.0.1:{upstream}")),
            ("https://inference.example.org {", own),
        ];
        // Nothing but this site: no port 80, no certificates from elsewhere, no door for commands.
        let whole = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{}", example("caddy.conf", &changes));
        std::fs::write(folder.join("Caddyfile"), whole).unwrap();
        let mut command = Command::new(tool("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
        command.env("HOME", folder).stderr(std::fs::File::create(folder.join("log")).unwrap());
        command
    });

    keeps_the_service(&mut site, 429);
}

#[test]
fn a_page_of_the_gateways_own_is_not_to_be_reached_from_outside() {
    let mut site =
        Site::with(Appliance::running(), |site, port, upstream, folder| nginx(site, port, upstream, folder, &[]));

    assert_eq!(site.get("/.domicile", &[]).0, 404);
    assert_eq!(site.reached(), 0);
}

#[test]
fn every_example_takes_away_what_the_client_wrote_and_hands_on_all_that_is_told() {
    for name in ["nginx.conf", "traefik.conf", "caddy.conf", "envoy.conf"] {
        let text = example(name, &[]).to_lowercase();
        let said: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        for header in GATEWAY_HEADERS.iter().chain(&["x-domicile-scope", "x-domicile-service", "domicile-reason"]) {
            assert!(said.contains(header), "{name} lets the client's {header} through, or forgets to hand it on");
        }
        assert!(said.contains("/v1/forward-auth") && said.contains("models:read"), "{name} does not ask");
        assert!(said.contains("authorization") && said.contains("x-api-key"), "{name} hands the key on");
    }
}
