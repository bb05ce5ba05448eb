//! The answers that a gateway gets from `/v1/forward-auth`.

use crate::support::{Answer, Appliance, GATEWAY_HEADERS};

#[test]
fn a_gateway_always_gets_all_headers_so_that_none_of_the_client_remains() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["read"]);
    let mut ada = site.browser();
    ada.sign_in("ada-l");

    let by_key = site.call("GET", "/v1/forward-auth").bearer(&key).send();
    let by_session =
        ada.call("GET", "/v1/forward-auth/some/path").header("Domicile-Key", "key_of_another_person").send();

    for answer in [&by_key, &by_session] {
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
        for name in GATEWAY_HEADERS {
            let sent: Vec<_> = answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).collect();
            assert_eq!(sent.len(), 1, "{name}: {answer:?}");
            assert!(!sent[0].1.is_empty() || name == "domicile-key", "{name} is empty");
        }
    }
    assert!(by_key.header("domicile-key").starts_with("key_"));
    assert_eq!(by_session.header("domicile-key"), "");
}

#[test]
fn a_refusal_has_a_status_that_gateways_understand_and_the_reason() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let ask = |query: &str, credential: &str| {
        let answer = site.call("PUT", &format!("/v1/forward-auth?{query}")).header("X-Api-Key", credential).send();
        (answer.status, answer.header("www-authenticate").to_owned())
    };

    assert_eq!(ask("scope=models:read", &key).0, 200);
    let refusal = (403, "Bearer error=\"insufficient_scope\"".to_owned());
    assert_eq!(ask("scope=models:write", &key), refusal);
    assert_eq!(ask("scope=flying", &key), refusal);
    let refusal = (401, "Bearer error=\"invalid_token\"".to_owned());
    assert_eq!(ask("", "dok_nonsense"), refusal);
}

/// Status, headers and body, without what differs in every answer.
fn comparable(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.header("x-request-id");
    let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    headers.sort_unstable();
    for (name, value) in &mut headers {
        if name == "x-request-id" {
            assert_eq!(value.len(), 16, "{answer:?}");
            value.clear();
        }
    }
    (answer.status, headers, if id.is_empty() { answer.text() } else { answer.text().replace(id, "") })
}

#[test]
fn the_fast_path_and_the_router_give_the_same_answers() {
    let site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    let service = site.service("gateway");
    let path = |query: &str| format!("/v1/forward-auth{query}");
    let ask = |query: &str| site.call("GET", &path(query));
    let introspect = |fields: &[(&str, &str)]| site.call("POST", "/v1/introspect").bearer(&service).form(fields);
    let pad = "x".repeat(60_000);
    // Each request is sent twice: plainly, for the fast path, and with a header that changes nothing but leads to the
    // router.
    let cases = [
        ("is allowed", ask("?scope=models:read").bearer(&key), "cookie"),
        ("another method", site.call("PUT", &path("")).bearer(&key), "cookie"),
        ("below, as Envoy asks", site.call("GET", &path("/v1/models?scope=models:write")).bearer(&key), "cookie"),
        ("lacks the scope", ask("?scope=models:write").bearer(&key), "cookie"),
        ("no such scope", ask("?scope=flying").bearer(&key), "cookie"),
        ("no key", ask("").bearer("dok_nonsense"), "cookie"),
        ("no credential", ask(""), "cookie"),
        ("no such service", ask("").bearer(&key).header("X-Domicile-Service", "dos_nonsense"), "cookie"),
        ("valid key", introspect(&[("token", &key)]), "content-encoding"),
        (
            "valid key, body in several chunks",
            introspect(&[("pad", &pad), ("token", &key), ("scope", "models:read")]),
            "content-encoding",
        ),
        ("invalid key", introspect(&[("token", "dok_nonsense")]), "content-encoding"),
        ("no token", introspect(&[]), "content-encoding"),
        ("no form", site.call("POST", "/v1/introspect").bearer(&service).body("token=%zz"), "content-encoding"),
        ("no caller", site.call("POST", "/v1/introspect").form(&[("token", &key)]), "content-encoding"),
        ("too large", introspect(&[("token", &pad), ("more", &pad)]), "content-encoding"),
    ];

    let mut statuses = Vec::new();
    for (what, call, header) in cases {
        let by_fast_path = call.clone().send();
        let by_router = call.header(header, if header == "cookie" { "a=b" } else { "identity" }).send();
        assert_eq!(comparable(&by_fast_path), comparable(&by_router), "{what}");
        statuses.push(by_fast_path.status);
    }
    assert_eq!(statuses, [200, 200, 403, 403, 403, 401, 401, 403, 200, 200, 200, 400, 400, 401, 413]);
}
