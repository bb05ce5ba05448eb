//! The fast path and the router give the same answers: hundreds of generated requests are sent twice.
//!
//! The second time, one letter of the path is percent-encoded. For the router it is the same path (RFC 3986 §2.3); the
//! fast path does not know it, so the router answers.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::Appliance;

/// A request as it goes over the wire: header names keep their spelling, and a header may stand twice.
#[derive(Clone)]
struct RawRequest {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// The answer without what differs every time: the lines of the head, sorted, and the body.
#[derive(Debug, PartialEq)]
struct RawAnswer {
    head: Vec<String>,
    body: String,
}

impl RawRequest {
    fn send(&self, port: u16) -> RawAnswer {
        let mut text =
            format!("{} {} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("\r\n{}", self.body);
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // A server that refuses a large body may close the connection before it has read everything.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?} to {text}"));
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap_or("none").to_owned();
        assert!(id == "none" || id.len() == 16, "{head}");
        let mut head: Vec<String> =
            head.lines().filter(|line| !line.starts_with("date: ")).map(|line| line.replace(&id, "ID")).collect();
        head[1..].sort_unstable();
        RawAnswer { head, body: body.replace(&id, "ID") }
    }

    /// The same request for the router alone.
    fn for_router(&self) -> Self {
        Self { path: self.path.replacen("/v1/", "/%761/", 1), ..self.clone() }
    }
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"];
/// What follows the path of a gateway's question.
const QUESTIONS: [&str; 12] = [
    "",
    "/",
    "?",
    "?scope=models:read",
    "?scope=models%3Aread",
    "?scope=models:write",
    "?scope=flying",
    "?scope=",
    "?scope=models:read&scope=models:write",
    "?scope=%zz&x",
    "/below/and/below?scope=models:read",
    "/%2e%2e/below?SCOPE=flying",
];

/// Ways to send credentials, right, wrong, doubled and misspelled.
fn credentials(key: &str, service: &str) -> Vec<Vec<(&'static str, String)>> {
    let bearer = |text: &str| format!("Bearer {text}");
    let bad = "dok_nonsense";
    vec![
        vec![],
        vec![("Authorization", bearer(key))],
        vec![("AUTHORIZATION", bearer(key))],
        vec![("authorization", format!("bearer {key}"))],
        vec![("Authorization", format!("Bearer  {key}"))],
        vec![("Authorization", key.to_owned())],
        vec![("Authorization", bearer(bad))],
        vec![("Authorization", String::new())],
        vec![("Authorization", "Basic eDp5".into())],
        vec![("Authorization", "Bearer \u{e9}".into())],
        vec![("Authorization", bearer(key)), ("Authorization", bearer(bad))],
        vec![("Authorization", bearer(bad)), ("authorization", bearer(key))],
        vec![("X-Api-Key", key.into())],
        vec![("x-API-key", key.into()), ("Authorization", bearer(bad))],
        vec![("X-Api-Key", bad.into()), ("Authorization", bearer(key))],
        vec![("Authorization", bearer(key)), ("X-Domicile-Service", service.into())],
        vec![("Authorization", bearer(key)), ("X-Domicile-Service", "dos_nonsense".into())],
        vec![("Authorization", bearer(key)), ("X-Domicile-Scope", "models:write".into())],
        vec![("Authorization", bearer(key)), ("X-Domicile-Scope", "models:read".into())],
        vec![("Authorization", bearer(key)), ("X-Forwarded-For", "192.0.2.7, nonsense".into())],
        vec![("Authorization", bearer(key)), ("Cookie", "a=b".into())],
        vec![("Authorization", bearer(service))],
    ]
}

fn questions(key: &str, service: &str) -> Vec<RawRequest> {
    let mut requests = Vec::new();
    for headers in credentials(key, service) {
        let request = |method, question: &str| RawRequest {
            method,
            path: format!("/v1/forward-auth{question}"),
            headers: headers.clone(),
            body: String::new(),
        };
        requests.extend(METHODS.iter().map(|method| request(method, "?scope=models:read")));
        requests.extend(QUESTIONS.iter().map(|question| request("GET", question)));
    }
    requests
}

/// Forms with usual and odd encodings.
fn forms(key: &str) -> Vec<String> {
    let pad = "x".repeat(30_000);
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    vec![
        format!("token={key}"),
        format!("token={encoded}&scope=models%3Aread"),
        format!("token={key}&scope=models:write"),
        format!("token={key}&scope=flying+high"),
        format!("token={key}&token=dok_nonsense"),
        format!("pad={pad}&token={key}&token_type_hint=access_token"),
        format!("token={pad}&more={pad}&and={pad}"),
        "token=dok_nonsense".into(),
        "token=".into(),
        "token".into(),
        "&&=&;=x".into(),
        "token=%zz".into(),
        "token=%00%ff".into(),
        "token=\u{e9}".into(),
        format!("{{\"token\":\"{key}\"}}"),
        String::new(),
    ]
}

fn introspections(key: &str, service: &str) -> Vec<RawRequest> {
    let types =
        ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", "text/plain", ""];
    let callers = [
        vec![("Authorization", format!("Bearer {service}"))],
        vec![("AUTHORIZATION", format!("BEARER {service}"))],
        vec![("Authorization", format!("Bearer {key}"))],
        vec![("Authorization", format!("Bearer {service}")), ("Authorization", "Bearer dos_nonsense".into())],
        vec![("X-Domicile-Service", service.to_owned())],
        vec![],
    ];
    let mut requests = Vec::new();
    for body in forms(key) {
        for (at, caller) in callers.iter().enumerate() {
            // Each type with the first caller, and each caller with the first type.
            for content_type in if at == 0 { &types[..] } else { &types[..1] } {
                let mut headers = caller.clone();
                headers.push(("Content-Length", body.len().to_string()));
                if !content_type.is_empty() {
                    headers.push(("content-TYPE", (*content_type).to_owned()));
                }
                requests.push(RawRequest {
                    method: "POST",
                    path: "/v1/introspect".into(),
                    headers,
                    body: body.clone(),
                });
            }
        }
    }
    for method in METHODS.into_iter().filter(|method| *method != "POST") {
        let headers = vec![("Authorization", format!("Bearer {service}"))];
        requests.push(RawRequest { method, path: "/v1/introspect?x".into(), headers, body: String::new() });
    }
    requests
}

#[test]
fn the_fast_path_and_the_router_give_the_same_answers() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let service = site.service("gateway");
    let requests: Vec<RawRequest> =
        questions(&key, &service).into_iter().chain(introspections(&key, &service)).collect();
    assert!(requests.len() > 500, "only {} requests", requests.len());

    let mut different = Vec::new();
    let mut statuses = std::collections::BTreeSet::new();
    for request in &requests {
        let (by_fast_path, by_router) = (request.send(site.port), request.for_router().send(site.port));
        statuses.insert(by_fast_path.head[0].clone());
        if by_fast_path != by_router {
            let RawRequest { method, path, headers, body } = request;
            let body: String = body.chars().take(80).collect();
            different.push(format!("{method} {path} {headers:?} {body}\n  {by_fast_path:?}\n  {by_router:?}"));
        }
    }

    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    for status in ["200 OK", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "413 Payload Too Large"] {
        assert!(
            statuses.contains(&format!("HTTP/1.1 {status}")),
            "no request was answered with {status}: {statuses:?}"
        );
    }
}
