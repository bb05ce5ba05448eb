//! The gateway configurations in the package, each tested with the real gateway in front of a service.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    Appliance, GATEWAY_HEADERS, HelperProcess, finish, free_port, rounds, tool, tool_script, wait_for,
};

/// An example of the package, with the changes that its first lines ask the admin to make.
pub(super) fn example(name: &str, changes: &[(&str, String)]) -> String {
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
    /// `gateway` writes the configuration into a folder and returns the command that starts the gateway.
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
        let request = json!({"method": method, "url": url, "headers": headers, "body": body});
        self.client.request(&request)
    }

    /// The status, and the request as the service received it. `Null`: it did not reach the service.
    fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> (u64, Value) {
        let answer = self.ask("GET", path, headers, "");
        (answer["status"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_default())
    }

    /// The number of requests that reached the service.
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

/// What every gateway must do. `rate_limited`: its status when a key exceeds its rate limit.
fn protects_the_service(site: &mut Site, rate_limited: u64) {
    let account = site.site.account("ada-l");
    let right = site.site.api_key("ada-l", &["models:read", "account:read"]);
    let other = site.site.api_key("ada-l", &["billing:read"]);
    let bearer = format!("Bearer {right}");

    // Requests that are not allowed do not reach the service.
    let answer = site.ask("GET", "/", &[], "");
    assert_eq!(answer["status"], 401, "{answer}");
    assert!(answer["headers"]["www-authenticate"].as_str().unwrap_or_default().starts_with("Bearer"), "{answer}");
    assert_eq!(site.get("/", &[("Authorization", "Bearer dok_nonsense")]).0, 401);
    let answer = site.ask("GET", "/", &[("Authorization", &format!("Bearer {other}"))], "");
    assert_eq!(
        (answer["status"].as_u64(), answer["headers"]["domicile-reason"].as_str()),
        (Some(403), Some("insufficient_scope"))
    );
    // A client that adds scopes to its request can only require more.
    for path in ["/?scope=billing:read", "/?scope=&nginx=0", "/v1/forward-auth?scope=billing:read"] {
        assert_eq!(
            site.get(path, &[("Authorization", &format!("Bearer {other}")), ("X-Domicile-Scope", "billing:read")]).0,
            403,
            "{path}"
        );
    }
    assert_eq!(site.reached(), 0);

    // Allowed requests reach the service, and only the gateway tells the service who sends them.
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
        (vec!["models:read account:read"], vec!["ada-l@example.org"])
    );
    assert!(!seen.to_string().contains(&right), "the service needs no key, so it gets none: {seen}");

    // The other header for a key, and a body that the gateway does not send to forward-auth.
    let body = "x".repeat(200_000);
    let answer = site.ask("POST", "/generate", &[("X-Api-Key", &right), ("Content-Type", "text/plain")], &body);
    assert_eq!((answer["status"].as_u64(), answer["headers"]["x-of-the-service"].as_str()), (Some(200), Some("stays")));
    let seen: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(seen["sha256"], hex::encode(Sha256::digest(&body)));
    assert!(!seen.to_string().contains(&right));

    // Above the rate limit, the answer has the reason and the time to wait.
    let slow = ["key", "create", "--account", "ada-l", "--name", "slow", "--scope", "models:read", "--rate", "1"];
    let slow = format!("Bearer {}", site.site.run(&slow).ok());
    let answers: Vec<_> = (0..3).map(|_| site.ask("GET", "/", &[("Authorization", &slow)], "")).collect();
    assert_eq!(answers[0]["status"], 200);
    let last = &answers[2];
    assert_eq!(
        (last["status"].as_u64(), last["headers"]["domicile-reason"].as_str()),
        (Some(rate_limited), Some("rate_limited"))
    );
    assert!(last["headers"]["retry-after"].as_str().unwrap_or_default().parse::<u32>().is_ok(), "{last}");

    // A revoked key is refused at the next request, also on an open connection.
    let listed: Value =
        serde_json::from_str(&site.site.run(&["key", "list", "--account", "ada-l", "--json"]).ok()).unwrap();
    for key in listed["keys"].as_array().unwrap() {
        site.site.run(&["key", "revoke", key["id"].as_str().unwrap()]).ok();
    }
    assert_eq!(site.get("/", &[("Authorization", &bearer)]).0, 401);

    // While the appliance is stopped, the gateway lets no request through.
    let key = site.site.api_key("ada-l", &["models:read"]);
    let (bearer, reached) = (format!("Bearer {key}"), site.reached());
    assert_eq!(site.get("/", &[("Authorization", &bearer)]).0, 200);
    assert!(site.site.stop().success());
    assert!(site.get("/", &[("Authorization", &bearer)]).0 >= 500);
    assert_eq!(site.reached(), reached + 1);
    site.site.start();
    assert_eq!(site.get("/", &[("Authorization", &bearer)]).0, 200, "the gateway recovers by itself");
    assert!(site.gateway.as_mut().unwrap().is_running() && site.upstream.is_running());
}

fn nginx(site: &Appliance, port: u16, upstream: u16, folder: &Path) -> Command {
    let at = |name: &str| folder.join(name).display().to_string();
    let changes = [
        ("127.0.0.1:8080", format!("127.0.0.1:{}", site.port)),
        ("127.0.0.1:9000", format!("127.0.0.1:{upstream}")),
        ("dos_REPLACE_ME", site.service("nginx")),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        ("/etc/ssl/certs/inference.pem", at("site.pem")),
        ("/etc/ssl/private/inference.key", at("site.key")),
    ];
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

/// As on most sites: pages and gateways share a machine, so a gateway must prove that it is one.
fn behind_a_proxy() -> Appliance {
    let mut site = Appliance::initialized();
    site.reconfigure("[listen]", "[listen]\nbehind_proxy = true");
    site.reconfigure("allow = [\"127.0.0.1/32\"]", "allow = []");
    site.start();
    site
}

#[test]
fn the_nginx_example_protects_a_service() {
    let mut site = Site::with(behind_a_proxy(), nginx);

    protects_the_service(&mut site, 403);

    // nginx understands 200, 401 and 403. It got no other status, except 502 while the appliance was stopped.
    let log = std::fs::read_to_string(site.site.folder().join("gateway/error.log")).unwrap();
    let unexpected = log.lines().filter(|line| line.contains("unexpected status") && !line.contains("status: 502"));
    assert_eq!(unexpected.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_caddy_example_protects_a_service() {
    let mut site = Site::with(behind_a_proxy(), |site, port, upstream, folder| {
        let at = |name: &str| folder.join(name).display().to_string();
        let own = format!("https://inference.example.org:{port} {{\n\ttls {} {}", at("site.pem"), at("site.key"));
        let changes = [
            ("127.0.0.1:8080", format!("127.0.0.1:{}", site.port)),
            ("127.0.0.1:9000", format!("127.0.0.1:{upstream}")),
            ("dos_REPLACE_ME", site.service("caddy")),
            ("https://inference.example.org {", own),
        ];
        // Only this site: no port 80, no certificates from an authority, no admin API.
        let whole = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{}", example("caddy.conf", &changes));
        std::fs::write(folder.join("Caddyfile"), whole).unwrap();
        let mut command = Command::new(tool("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
        command.env("HOME", folder).stderr(std::fs::File::create(folder.join("log")).unwrap());
        command
    });

    protects_the_service(&mut site, 429);
}

#[test]
fn the_internal_location_of_nginx_cannot_be_reached_from_outside() {
    let mut site = Site::with(behind_a_proxy(), nginx);

    assert_eq!(site.get("/.domicile", &[]).0, 404);
    assert_eq!(site.reached(), 0);
}

/// The table of attacks in `tests/gateways/attacks.py`, against one gateway in front of services that fold names of headers.
fn withstands_the_attacks(gateway: &str) {
    let mut site = Appliance::initialized();
    let (http, tls) = (format!("127.0.0.1:{}", site.port), free_port());
    // Apache asks over https. The clients have another address than the gateway, which is a trusted proxy too.
    let listen = format!("address = [\"http://{http}\", \"https://127.0.0.1:{tls}\"]\ntls = \"self-signed\"");
    site.reconfigure(&format!("address = \"{http}\""), &listen);
    site.reconfigure("[listen]", "[listen]\nbehind_proxy = true\ntrusted_proxies = [\"127.0.0.1/32\"]");
    site.reconfigure("allow = [\"127.0.0.1/32\"]", "allow = []");
    site.start();
    let account = site.account("ada-l");
    let key = |name: &str, scope: &str, networks: &[&str]| {
        let mut arguments = vec!["key", "create", "--account", "ada-l", "--name", name, "--scope", scope];
        networks.iter().for_each(|network| arguments.extend(["--network", network]));
        site.run(&arguments).ok()
    };
    let folder = site.folder().join("gateway");
    std::fs::create_dir(&folder).unwrap();
    let own = rcgen::generate_simple_self_signed(["inference.example.org".to_owned()]).unwrap();
    let (chain, private) = (own.cert.pem(), own.signing_key.serialize_pem());
    for (name, text) in [("site.pem", &chain), ("site.key", &private), ("both.pem", &format!("{chain}{private}"))] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let mut given = json!({
        "gateway": gateway, "domicile": site.port, "domicile_tls": tls, "folder": folder, "account": account,
        "examples": Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples"),
        // A quick run takes some of the spellings, not the same for each header.
        "every": rounds(9, 1),
        "credential": site.service(gateway),
        "key": key("good", "models:read", &[]),
        "other": key("without the scope", "billing:read", &[]),
        "local": key("of the network of the client", "models:read", &["127.0.0.5/32"]),
        "limited": key("of another network", "models:read", &["203.0.113.0/24"]),
    });
    for name in ["php", "node", "nginx", "caddy", "envoy", "haproxy", "apache2"] {
        given[name] = json!(tool(name));
    }

    let mut command = Command::new(tool("python3"));
    command.arg(tool_script("gateways/attacks.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(&mut command, &format!("{given}\n"));

    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let seen: Value = serde_json::from_str(&ran.stdout).unwrap();
    let faults: Vec<_> = seen["faults"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap()).collect();
    assert!(faults.is_empty(), "{gateway}, {} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(seen["requests"].as_u64().unwrap() > 250, "{seen}");
}

#[test]
fn nginx_withstands_the_attacks() {
    withstands_the_attacks("nginx");
}

#[test]
fn caddy_withstands_the_attacks() {
    withstands_the_attacks("caddy");
}

#[test]
fn envoy_withstands_the_attacks() {
    withstands_the_attacks("envoy");
}

#[test]
fn haproxy_withstands_the_attacks() {
    withstands_the_attacks("haproxy");
}

#[test]
fn apache_withstands_the_attacks() {
    withstands_the_attacks("apache");
}

/// The others are attacked.
#[test]
fn the_example_that_cannot_be_run_says_so_and_removes_the_headers_of_the_client() {
    let text = example("traefik.conf", &[]);
    assert!(text.lines().next().unwrap().contains("was not run"), "{text}");
    let text = text.to_lowercase();
    let is_directive = |line: &&str| !line.trim_start().starts_with('#');
    let directives: String = text.lines().filter(is_directive).collect::<Vec<_>>().join("\n");
    let more = ["x-domicile-scope", "x-domicile-service", "domicile-reason", "forwarded", "x-real-ip"];
    for header in GATEWAY_HEADERS.iter().chain(&more) {
        for spelling in [(*header).to_owned(), header.replace('-', "_"), header.replace('-', ".")] {
            let removed = format!("{spelling}: \"\"");
            assert!(directives.contains(&removed), "traefik.conf does not remove {spelling} of the client");
        }
    }
    // Their usual spellings are Traefik's own.
    for header in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-server", "x-forwarded-port"]
    {
        for spelling in [header.replace('-', "_"), header.replace('-', ".")] {
            let removed = format!("{spelling}: \"\"");
            assert!(directives.contains(&removed), "traefik.conf does not remove {spelling} of the client");
        }
    }
    for word in
        ["/v1/forward-auth", "models:read", "authorization: \"\"", "x-api-key: \"\"", "x-domicile-service: \"dos_"]
    {
        assert!(directives.contains(word), "traefik.conf does not have {word}");
    }
}
