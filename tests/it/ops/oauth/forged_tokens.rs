//! O3: invalid ID tokens, each from a real provider process.

use domicile::base::hours;
use domicile::config::Provider;
use domicile::signin::oauth::{CallbackOutcome, OauthError, Refusal};
use serde_json::{Value, json};

use super::{CLIENT, ProviderTest, describe, provider, rows};

/// Tokens that are invalid in exactly one way.
fn bad(now: i64, issuer: &str) -> Vec<(&'static str, Value)> {
    let claims = |name: &'static str, claims: Value| (name, json!({"claims": claims}));
    let signed = |method: &'static str| (method, json!({"sign": method}));
    let twice = format!(
        "{{\"iss\":\"{issuer}\",\"sub\":\"a\",\"sub\":\"b\",\"aud\":\"{CLIENT}\",\"exp\":{},\"iat\":{now}}}",
        now + 300
    );
    vec![
        claims("another issuer", json!({"iss": "https://evil.example"})),
        claims("the issuer with a slash", json!({"iss": format!("{issuer}/")})),
        claims("the issuer in capitals", json!({"iss": issuer.to_uppercase()})),
        claims("no issuer", json!({"iss": null})),
        claims("an issuer that is a list", json!({"iss": [issuer]})),
        claims("another audience", json!({"aud": "somebody-else"})),
        claims("an audience that begins alike", json!({"aud": format!("{CLIENT}-too")})),
        claims("no audience", json!({"aud": null})),
        claims("an empty list of audiences", json!({"aud": []})),
        claims("two audiences", json!({"aud": [CLIENT, "somebody-else"]})),
        claims("two audiences and this party", json!({"aud": [CLIENT, "somebody-else"], "azp": CLIENT})),
        claims("another authorized party", json!({"azp": "somebody-else"})),
        claims("an empty authorized party", json!({"azp": ""})),
        claims("another nonce", json!({"nonce": "0000000000000000000000000000000000000000000"})),
        claims("no nonce", json!({"nonce": null})),
        claims("an empty nonce", json!({"nonce": ""})),
        claims("a nonce that is a list", json!({"nonce": ["x"]})),
        claims("expired by more than the clocks differ", json!({"exp": now - 61})),
        claims("no expiry", json!({"exp": null})),
        claims("an expiry that is text", json!({"exp": "never"})),
        claims("issued in the future", json!({"iat": now + 61})),
        claims("issued long before the request began", json!({"iat": now - 661})),
        claims("not valid yet", json!({"nbf": now + 61})),
        claims("not valid yet, as text", json!({"nbf": "tomorrow"})),
        claims("no time of issue", json!({"iat": null})),
        claims("no subject", json!({"sub": null})),
        claims("an empty subject", json!({"sub": ""})),
        claims("a subject that is a number", json!({"sub": 7})),
        claims("a subject too long to be one", json!({"sub": "x".repeat(256)})),
        claims("a subject with a line break", json!({"sub": "1\n2"})),
        signed("none"),
        signed("none_with_kid"),
        signed("none_upper_case"),
        signed("stripped"),
        signed("public_pem_as_secret"),
        signed("public_modulus_as_secret"),
        signed("client_secret"),
        signed("empty_secret"),
        signed("foreign_key"),
        signed("foreign_key_without_kid"),
        signed("unknown_kid"),
        signed("enclosed_key"),
        signed("linked_key"),
        signed("wrong_family"),
        signed("pss_by_a_key_for_another"),
        signed("zero_ecdsa"),
        signed("der_ecdsa"),
        signed("garbage"),
        ("a claim changed after signing", json!({"tampered": {"sub": "somebody-else"}})),
        ("a payload that is a list", json!({"payload": []})),
        ("a payload that is nothing", json!({"payload": "null"})),
        ("a subject twice", json!({"payload": twice})),
        ("two parts", json!({"token": "e30.e30"})),
        ("four parts", json!({"token": "e30.e30.e30.e30"})),
        ("five parts, like an encrypted token", json!({"token": "e30.e30.e30.e30.e30"})),
        ("no base64url characters", json!({"token": "\u{0}.\u{0}.\u{0}"})),
        ("nothing", json!({"token": ""})),
    ]
}

#[test]
fn o3_a_token_that_is_invalid_in_one_way_signs_nobody_in_and_leaves_only_an_event() {
    let mut world = ProviderTest::new();
    // An account is connected, so an accepted token would sign in to it.
    let ada = world.signed_up("1", "ada@example.net", "ada-l");
    let tokens = bad(world.now(), &world.issuer);
    assert!(tokens.len() >= 40, "{} kinds of forged tokens", tokens.len());

    for (name, mut answers) in tokens {
        if answers["claims"].get("sub").is_none() {
            answers["claims"]["sub"] = json!("1");
        }
        world.answers(answers);
        let (before, events) = (rows(&world.test), world.events());
        let refused = world.sign_in();
        assert!(matches!(refused, Err(OauthError::Refused(Refusal::Token(_)))), "{name}: {}", describe(&refused));
        assert_eq!(rows(&world.test), before, "{name}");
        assert_eq!(world.events(), events + 1, "{name}: one event, and no other row");
        let (event, data) = world.last_event();
        assert_eq!(event, "auth.signin_failed", "{name}");
        assert!(data.contains("\"oauth:corp\"") && data.contains("\"token\""), "{name}: {data}");
        assert!(data.contains("\"member\""), "{name}: {data}");
    }

    world.answers(json!({"claims": {"sub": "1"}}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))), "the same token, valid in all");
    assert_eq!(world.identities(ada).len(), 1);
}

#[test]
fn o3_the_algorithms_of_providers_are_accepted_and_clocks_may_differ_by_a_minute() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let now = world.now();

    for (name, mut answers) in [
        ("RS256", json!({})),
        ("PS256", json!({"sign": "pss"})),
        ("ES256", json!({"sign": "es256"})),
        ("EdDSA", json!({"sign": "eddsa"})),
        ("expired within the minute", json!({"claims": {"exp": now - 59}})),
        ("issued within the minute to come", json!({"claims": {"iat": now + 59}})),
        ("issued five minutes before the request, as Entra writes it", json!({"claims": {"iat": now - 300}})),
        ("valid from within the minute to come", json!({"claims": {"nbf": now + 59}})),
        ("times with a fraction", json!({"claims": {"iat": now as f64 + 0.5, "exp": now as f64 + 300.5}})),
        ("this party is authorized", json!({"claims": {"azp": CLIENT}})),
        ("a list of one audience", json!({"claims": {"aud": [CLIENT]}})),
    ] {
        answers["claims"]["sub"] = json!("1");
        world.answers(answers);
        let outcome = world.sign_in();
        assert!(matches!(outcome, Ok(CallbackOutcome::SignedIn(_))), "{name}: {}", describe(&outcome));
    }
}

#[test]
fn o3_a_token_for_another_application_of_the_same_issuer_is_refused() {
    let other = |issuer: &str| Provider { client_id: "domicile-other".into(), ..provider("other", issuer) };
    let mut world = ProviderTest::with(|issuer| vec![provider("corp", issuer), other(issuer)]);
    world.signed_up("1", "ada@example.net", "ada-l");

    world.answers(json!({"claims": {"sub": "1", "aud": "domicile-other"}}));
    assert!(matches!(world.sign_in(), Err(OauthError::Refused(Refusal::Token("aud")))));
}

#[test]
fn o3_a_new_key_is_fetched_and_unknown_keys_cause_at_most_one_fetch_a_minute() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let fetches = world.requests_to("/keys");
    assert_eq!(fetches, 1, "keys are cached");

    world.process.request(&json!({"rotate": true}));
    world.answers(json!({"claims": {"sub": "1"}}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))), "a new key is fetched");
    assert_eq!(world.requests_to("/keys"), fetches + 1);

    world.answers(json!({"claims": {"sub": "1"}, "sign": "unknown_kid"}));
    for _ in 0..5 {
        assert!(world.sign_in().is_err());
    }
    assert_eq!(world.requests_to("/keys"), fetches + 1, "not more than once a minute");

    world.later(1);
    world.answers(json!({"claims": {"sub": "1"}, "sign": "unknown_kid"}));
    assert!(world.sign_in().is_err());
    assert_eq!(world.requests_to("/keys"), fetches + 2);
}

#[test]
fn o3_keys_that_cannot_be_read_or_did_not_sign_a_token_without_a_name_are_fetched_once_more() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let signed_by_a_new_key = json!({"claims": {"sub": "1"}, "header": {"kid": null}});

    world.process.request(&json!({"rotate": true}));
    world.answers(signed_by_a_new_key);
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))), "a token without kid, by a new key");

    // The cached keys expire, and what replaces them cannot be read.
    world.test.clock.advance(hours(2));
    world.answers(json!({"claims": {"sub": "1"}, "keys": []}));
    assert!(world.sign_in().is_err());
    world.later(1);
    world.answers(json!({"claims": {"sub": "1"}}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))), "the keys are good again");

    let fetches = world.requests_to("/keys");
    world.answers(json!({"claims": {"sub": "1"}, "sign": "foreign_key_without_kid"}));
    for _ in 0..5 {
        assert!(world.sign_in().is_err());
    }
    assert_eq!(world.requests_to("/keys"), fetches, "not more than once a minute");
}

#[test]
fn o3_claims_from_the_userinfo_endpoint_must_be_about_the_same_person() {
    let mut world = ProviderTest::new();
    let userinfo = |subject: &str| json!({"sub": subject, "email": "ada@example.net", "email_verified": true});
    world.answers(json!({"claims": {"sub": "1"}, "userinfo": userinfo("2")}));
    let before = rows(&world.test);
    assert!(matches!(world.sign_in(), Err(OauthError::Refused(Refusal::Answer))));
    assert_eq!(rows(&world.test), before);

    world.answers(json!({"claims": {"sub": "1"}, "userinfo": userinfo("1")}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
}

#[test]
fn o3_unreadable_keys_and_responses_without_tokens_sign_nobody_in() {
    let mut world = ProviderTest::new();
    let before = rows(&world.test);
    for answers in [
        json!({"keys": []}),
        json!({"keys": {"keys": "none"}}),
        json!({"tokens": {"access_token": null, "id_token": null}}),
        json!({"tokens": {"id_token": 7}}),
        json!({"status": 400, "tokens": {"error": "invalid_grant"}}),
        json!({"status": 500}),
    ] {
        let case = answers.to_string();
        world.answers(answers);
        assert!(world.sign_in().is_err(), "{case}");
        assert_eq!(rows(&world.test), before, "{case}");
        // The cached keys expire.
        world.test.clock.advance(hours(2));
    }
}
