//! The answers that a gateway gets from `/v1/forward-auth`.

use crate::support::{Appliance, GATEWAY_HEADERS};

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
