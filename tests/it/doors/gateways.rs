//! What a gateway is told about who passes.

use crate::support::{Appliance, TOLD_TO_GATEWAYS};

#[test]
fn a_gateway_always_gets_the_whole_set_so_that_nothing_of_the_clients_stays() {
    let house = Appliance::running();
    house.account("ada-l");
    let key = house.api_key("ada-l", &["read"]);
    let mut ada = house.browser();
    ada.sign_in("ada-l");

    let by_key = house.call("GET", "/v1/forward-auth").bearer(&key).send();
    let by_session =
        ada.call("GET", "/v1/forward-auth/some/path").header("Domicile-Key", "key_of_somebody_else").send();

    for answer in [&by_key, &by_session] {
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
        for name in TOLD_TO_GATEWAYS {
            let sent: Vec<_> = answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).collect();
            assert_eq!(sent.len(), 1, "{name}: {answer:?}");
            assert!(!sent[0].1.is_empty() || name == "domicile-key", "{name} is empty");
        }
    }
    assert!(by_key.header("domicile-key").starts_with("key_"));
    assert_eq!(by_session.header("domicile-key"), "");
}

#[test]
fn a_gateway_is_told_why_not_in_the_three_ways_it_knows() {
    let house = Appliance::running();
    house.account("ada-l");
    let key = house.api_key("ada-l", &["models:read"]);
    let ask = |query: &str, credential: &str| {
        let answer = house.call("PUT", &format!("/v1/forward-auth?{query}")).header("X-Api-Key", credential).send();
        (answer.status, answer.header("www-authenticate").to_owned())
    };

    assert_eq!(ask("scope=models:read", &key).0, 200);
    let told = (403, "Bearer error=\"insufficient_scope\"".to_owned());
    assert_eq!(ask("scope=models:write", &key), told);
    assert_eq!(ask("scope=flying", &key), told);
    let told = (401, "Bearer error=\"invalid_token\"".to_owned());
    assert_eq!(ask("", "dok_nonsense"), told);
}
