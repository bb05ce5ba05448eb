//! S6, S8: the headers that every response must have, errors included, and the information that no response may reveal.

use domicile::server::ROUTES;

use crate::support::{Answer, Appliance};

/// Paths where other programs have debug pages, directory listings or sensitive files.
const SENSITIVE_PATHS: [&str; 40] = [
    "/.env",
    "/.git/config",
    "/.git/HEAD",
    "/.well-known/",
    "/.DS_Store",
    "/Cargo.toml",
    "/WEB-INF/web.xml",
    "/_debug",
    "/_profiler",
    "/actuator",
    "/actuator/env",
    "/admin",
    "/api",
    "/api/",
    "/api/docs",
    "/assets",
    "/assets/",
    "/assets/../Cargo.toml",
    "/assets/%2e%2e/Cargo.toml",
    "/assets/..%2fCargo.toml",
    "/assets/app.css/",
    "/backup.zip",
    "/cgi-bin/",
    "/config.json",
    "/console",
    "/data/live/",
    "/debug",
    "/debug/pprof/",
    "/debug/vars",
    "/domicile.sqlite",
    "/domicile.toml",
    "/heapdump",
    "/index.php",
    "/metrics",
    "/phpinfo.php",
    "/server-info",
    "/server-status",
    "/static/",
    "/swagger-ui/",
    "/trace.axd",
];

fn check(answer: &Answer, what: &str, is_page: bool) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert!(!answer.header("cache-control").is_empty(), "{what} says nothing about caches");
    assert!(
        answer.header("server").is_empty() && answer.header("x-powered-by").is_empty(),
        "{what} reveals the server software"
    );
    assert!(answer.header("x-page").is_empty(), "{what} has an internal header");
    // Nothing about other hosts below this one.
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{what}");
    // Files for everybody. The first letter may be encoded.
    let files = ["/assets/app.css", "avicon.ico", "pple-touch-icon.png", "obots.txt"];
    if is_page && !files.iter().any(|path| what.contains(path)) {
        assert!(answer.header("cache-control").contains("no-store"), "{what} may be cached");
    }
    if is_page {
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert!(!policy.contains("unsafe"), "{what}: {policy}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{what}");
    }
    for (_, cookie) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
        let is_right = cookie.starts_with("__Host-")
            && ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"].iter().all(|part| cookie.contains(part))
            && !cookie.contains("Domain=");
        assert!(is_right, "{what} sets the cookie {cookie}");
    }
}

#[test]
fn s6_every_response_has_its_security_headers() {
    let mut site = Appliance::initialized();
    // As people reach it: over TLS, which a proxy may terminate.
    site.reconfigure(&format!("\"http://localhost:{}\"", site.port), "\"https://site.example.org\"");
    site.start();
    let unbound = site.call("GET", "/healthz").send();
    assert_eq!(
        unbound.header("strict-transport-security"),
        "",
        "browsers are bound only where the settings ask for it"
    );
    site.stop();
    site.reconfigure("[listen]", "[listen]\nhsts = \"365d\"");
    site.start();
    site.account("ada-l");
    let mut ada = site.browser();
    check(&ada.sign_in("ada-l"), "sign-in", true);

    let unknown = ["/nothing/here", "/v1/nothing", "/api/nothing", "/assets/nothing.js", "/settings/keys/x/revoke"];
    let known = ROUTES.iter().map(|route| route.path.replace("{id}", "key_0").replace("{name:.*}", "app.css"));
    for path in known.chain(unknown.map(str::to_owned)) {
        for method in ["GET", "POST", "PUT", "TRACE"] {
            let answer = ada.call(method, &path).send();
            let is_program = ["/v1/", "/api/", "/.well-known/"].iter().any(|start| path.starts_with(start));
            let is_page = path == "/v1/docs" || !is_program && !path.ends_with('z');
            check(&answer, &format!("{method} {path}"), is_page);
            assert!(answer.status < 500, "{method} {path}: {}", answer.status);
            // For the router the encoded path is the same path.
            let encoded = percent_encoded(&path);
            let same = ada.call(method, &encoded).send();
            check(&same, &format!("{method} {encoded}"), is_page);
            assert_eq!(same.status, answer.status, "{method} {encoded}");
        }
    }
}

/// The same path with the first letter of its last part percent-encoded (RFC 3986 §2.1).
fn percent_encoded(path: &str) -> String {
    let start = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[start..].chars().next() {
        Some(letter) => format!("{}%{:02x}{}", &path[..start], u32::from(letter), &path[start + 1..]),
        None => path.to_owned(),
    }
}

#[test]
fn faults_have_the_format_that_their_client_reads() {
    let site = Appliance::running();

    let page = site.call("GET", "/nothing/here").send();
    assert_eq!(page.status, 404);
    assert!(page.text().contains("<h1") && page.header("content-type").starts_with("text/html"));

    let service = site.call("GET", "/v1/nothing").send();
    assert_eq!((service.status, service.header("content-type")), (404, "application/problem+json"));
    assert_eq!(service.json()["code"], "not_found");
    assert_eq!(service.json()["status"], 404);
    // A program has no pages to go to.
    assert!(page.text().contains("go back to your account"));
    assert!(service.json()["detail"].as_str().unwrap().contains("/v1/docs"), "{}", service.text());

    let holder = site.call("GET", "/api/account/summary").bearer("dok_nonsense").send();
    assert_eq!((holder.status, holder.json()["error"].as_str()), (401, Some("Invalid API key")));

    let wrong_method = site.call("DELETE", "/v1/introspect").send();
    assert_eq!((wrong_method.status, wrong_method.json()["code"].as_str()), (405, Some("method_not_allowed")));
    assert_eq!(wrong_method.header("allow"), "POST");
    assert!(wrong_method.json()["error"].as_str().unwrap().contains("Allow"), "{}", wrong_method.text());
}

#[test]
fn s8_trace_is_refused_everywhere_and_echoes_nothing() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");

    for route in ROUTES {
        let path = route.path.replace("{id}", "key_0").replace("{name:.*}", "app.css");
        for method in ["TRACE", "TRACK", "DEBUG"] {
            let answer = ada.call(method, &path).header("X-Canary", "tell me what I sent").send();
            // Gateways ask with every method. The answer names the person, but repeats nothing of the request.
            assert!(path.starts_with("/v1/forward-auth") || matches!(answer.status, 404 | 405), "{method} {path}");
            assert!(!answer.text().contains("tell me what") && !answer.text().contains("__Host-"), "{method} {path}");
        }
    }
}

#[test]
fn s8_no_response_has_a_directory_listing_a_debug_page_or_a_version() {
    let site = Appliance::running();
    site.account("ada-l");
    let mut ada = site.browser();
    ada.sign_in("ada-l");
    let known = ROUTES.iter().map(|route| route.path.replace("{id}", "key_0").replace("{name:.*}", "app.css"));

    for path in SENSITIVE_PATHS {
        let answer = ada.call("GET", path).send();
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("app.js\"><") && !answer.text().contains("Index of"), "{path}");
    }
    for path in
        known.chain(SENSITIVE_PATHS.map(str::to_owned)).filter(|path| path != "/v1/openapi.json" && path != "/readyz")
    {
        let answer = ada.call("GET", &path).send();
        let headers = format!("{:?}", answer.headers).to_lowercase();
        for telling in ["actix", "\"server\"", "x-powered-by", env!("CARGO_PKG_VERSION")] {
            assert!(!headers.contains(telling), "GET {path} reveals {telling}: {headers}");
        }
        assert!(!answer.text().contains(env!("CARGO_PKG_VERSION")), "GET {path} reveals the version");
    }
}
