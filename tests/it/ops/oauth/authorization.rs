//! O1 and O2: a response counts once, within ten minutes, for the browser that started the request, from its provider.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domicile::base::{hours, minutes, seconds};
use domicile::signin::oauth::{AuthorizationResponse, CallbackOutcome, OauthError, Purpose, Refusal, flows};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{ANONYMOUS, OTHER_BROWSER, ProviderTest, TestBrowser, describe, provider, rows};

fn query(url: &str, wanted: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    found.unwrap_or_else(|| panic!("no {wanted} in {url}"))
}

/// Asserts that the response is refused for this reason, with one event and no other change, and before any request to
/// the provider.
fn assert_refused(
    world: &mut ProviderTest,
    name: &str,
    response: AuthorizationResponse,
    who: TestBrowser<'_>,
    why: Refusal,
) {
    let (before, events, tokens) = (rows(&world.test), world.events(), world.requests_to("/token"));
    let refused = world.finish(name, response, who);
    assert!(matches!(refused, Err(OauthError::Refused(found)) if found == why), "{why:?}: {}", describe(&refused));
    assert_eq!(rows(&world.test), before, "{why:?}");
    assert_eq!(world.events(), events + 1, "{why:?}");
    assert!(world.last_event().1.contains(why.as_str()), "{why:?}");
    assert_eq!(world.requests_to("/token"), tokens, "{why:?}: the code is not sent");
}

#[test]
fn o1_every_request_has_its_own_state_nonce_and_challenge_and_none_is_stored_readable() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let mut seen = BTreeSet::new();

    for _ in 0..20 {
        let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
        assert_eq!(query(&url, "code_challenge_method"), "S256");
        assert_eq!(query(&url, "response_type"), "code");
        for part in ["state", "nonce", "code_challenge"] {
            let value = query(&url, part);
            assert_eq!(URL_SAFE_NO_PAD.decode(&value).unwrap().len(), 32, "{part}: 256 bits");
            assert_eq!(world.test.columns_with(&value), Vec::<String>::new(), "{part} is stored as a digest or sealed");
            assert!(seen.insert(value), "{part} was used twice");
        }
    }

    world.answers(json!({"claims": {"sub": "1"}}));
    let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    world.finish("corp", world.follow(&url), ANONYMOUS).unwrap();
    let exchange = world.bodies("/token").pop().unwrap();
    let verifier = exchange["code_verifier"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), query(&url, "code_challenge"));
    assert_eq!(world.test.columns_with(verifier), Vec::<String>::new());
}

#[test]
fn o1_a_response_counts_once() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    world.answers(json!({"claims": {"sub": "1"}}));
    let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    let response = world.follow(&url);
    assert!(matches!(world.finish("corp", response.clone(), ANONYMOUS), Ok(CallbackOutcome::SignedIn(_))));

    assert_refused(&mut world, "corp", response.clone(), ANONYMOUS, Refusal::State);
    let again = world.follow(&url);
    assert_refused(
        &mut world,
        "corp",
        AuthorizationResponse { code: again.code, ..response },
        ANONYMOUS,
        Refusal::State,
    );
}

#[test]
fn o1_a_response_after_more_than_ten_minutes_does_not_count() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    for (wait, is_good) in [(minutes(10) - seconds(1), true), (minutes(10), false)] {
        let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
        world.test.clock.advance(wait);
        world.answers(json!({"claims": {"sub": "1"}}));
        let response = world.follow(&url);
        if is_good {
            assert!(matches!(world.finish("corp", response, ANONYMOUS), Ok(CallbackOutcome::SignedIn(_))), "{wait:?}");
        } else {
            assert_refused(&mut world, "corp", response, ANONYMOUS, Refusal::State);
        }
    }
}

#[test]
fn o1_forged_states_are_refused() {
    let mut world = ProviderTest::new();
    let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    let (real, nonce) = (query(&url, "state"), query(&url, "nonce"));
    let (long, truncated, upper_case) = ("x".repeat(10_000), real[1..].to_owned(), real.to_uppercase());
    for state in ["", "0", &long, &truncated, &upper_case, &nonce, "' or 1=1 --", "\u{0}"] {
        let forged =
            AuthorizationResponse { state: state.to_owned(), code: "c".into(), ..AuthorizationResponse::default() };
        assert_refused(&mut world, "corp", forged, ANONYMOUS, Refusal::State);
    }
}

#[test]
fn o1_only_the_browser_that_started_the_request_can_bring_the_response() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "thief@example.net", "a-thief");
    world.answers(json!({"claims": {"sub": "1"}}));
    let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    let response = world.follow(&url);

    // Login CSRF: the response for the thief, brought by the browser of a victim.
    for browser in [None, Some(OTHER_BROWSER), Some("")] {
        let victim = TestBrowser { browser, session: None };
        assert_refused(&mut world, "corp", response.clone(), victim, Refusal::Browser);
    }
    assert!(
        matches!(world.finish("corp", response, ANONYMOUS), Ok(CallbackOutcome::SignedIn(_))),
        "the right browser may still use it"
    );
}

#[test]
fn o1_an_error_response_of_the_provider_signs_nobody_in() {
    let mut world = ProviderTest::new();
    let before = rows(&world.test);
    let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    let no = AuthorizationResponse {
        state: query(&url, "state"),
        error: "access_denied".into(),
        ..AuthorizationResponse::default()
    };
    assert!(matches!(world.finish("corp", no.clone(), ANONYMOUS), Err(OauthError::Declined { .. })));
    assert_eq!(rows(&world.test), before);
    assert_refused(&mut world, "corp", no, ANONYMOUS, Refusal::State);
}

#[test]
fn o2_a_response_at_the_path_of_another_provider_is_refused_before_any_request() {
    let mut world = ProviderTest::with(|issuer| vec![provider("corp", issuer), provider("other", issuer)]);
    world.signed_up("1", "ada@example.net", "ada-l");
    world.answers(json!({"claims": {"sub": "1"}}));
    let url = world.start("other", Purpose::SignIn, ANONYMOUS).unwrap();
    assert!(query(&url, "redirect_uri").ends_with("/oauth/other/callback"), "{url}");
    let response = world.follow(&url);
    assert_refused(&mut world, "corp", response, ANONYMOUS, Refusal::Provider);
}

#[test]
fn o2_a_response_that_names_another_issuer_is_refused_and_ends_the_request() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    let issuer = world.issuer.clone();
    for wrong in ["https://evil.example", "", &format!("{issuer}/"), &issuer.to_uppercase()] {
        let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
        let good = world.follow(&url);
        let crossed = AuthorizationResponse { issuer: Some(wrong.to_owned()), ..good.clone() };
        assert_refused(&mut world, "corp", crossed, ANONYMOUS, Refusal::Issuer);
        // The sender of the crossed response knows the state.
        assert_refused(&mut world, "corp", good, ANONYMOUS, Refusal::State);
    }

    world.answers(json!({"claims": {"sub": "1"}, "redirect": {"iss": issuer}}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))));
}

#[test]
fn o2_a_provider_that_promises_to_name_itself_must_do_so() {
    let mut world = ProviderTest::new();
    world.signed_up("1", "ada@example.net", "ada-l");
    world.test.clock.advance(hours(2));
    let promise = json!({"authorization_response_iss_parameter_supported": true});
    world.answers(json!({"claims": {"sub": "1"}, "metadata": promise}));
    let tokens = world.requests_to("/token");
    assert!(matches!(world.sign_in(), Err(OauthError::Refused(Refusal::Issuer))));
    assert_eq!(world.requests_to("/token"), tokens, "the code is not sent");

    let issuer = world.issuer.clone();
    world.answers(json!({"claims": {"sub": "1"}, "metadata": promise, "redirect": {"iss": issuer}}));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::SignedIn(_))));
}

#[test]
fn o2_metadata_of_another_issuer_is_refused() {
    for answers in
        [json!({"issuer": "https://accounts.google.com"}), json!({"issuer": null}), json!({"token_endpoint": null})]
    {
        let mut world = ProviderTest::new();
        world.answers(json!({"metadata": answers}));
        let before = rows(&world.test);
        let refused = world.start("corp", Purpose::SignIn, ANONYMOUS);
        assert!(matches!(refused, Err(OauthError::Misconfigured { .. })), "{answers}");
        assert_eq!(rows(&world.test), before, "{answers}");
    }
}

#[test]
fn metadata_can_send_browsers_only_to_https_or_loopback() {
    for place in ["javascript:alert(1)", "http://idp.example/authorize", "data:text/html,x", "//evil.example"] {
        let mut world = ProviderTest::new();
        world.answers(json!({"metadata": {"authorization_endpoint": place}}));
        let refused = world.start("corp", Purpose::SignIn, ANONYMOUS);
        assert!(matches!(refused, Err(OauthError::Misconfigured { .. })), "{place}");
    }
}

#[test]
fn metadata_cannot_cause_requests_to_undeclared_hosts() {
    let elsewhere = |part: &str| json!({"claims": {"sub": "1"}, "metadata": {part: "https://inside.example/x"}});
    let mut world = ProviderTest::new();
    world.answers(elsewhere("token_endpoint"));
    let refused = world.sign_in();
    let cause = match &refused {
        Err(OauthError::Misconfigured { cause, .. }) => cause.as_str(),
        _ => panic!("{}", describe(&refused)),
    };
    assert!(cause.contains("inside.example is not declared"), "{cause}");

    // Without userinfo the person is known all the same; only the address is missing.
    let mut world = ProviderTest::new();
    world.answers(elsewhere("userinfo_endpoint"));
    assert!(matches!(world.sign_in(), Ok(CallbackOutcome::UsernameRequired)));
    assert_eq!(world.requests_to("/userinfo"), 0);
}

#[test]
fn a_response_with_a_code_and_an_error_is_refused_and_ends_the_request() {
    let mut world = ProviderTest::new();
    world.answers(json!({"claims": {"sub": "1"}, "redirect": {"error": "access_denied"}}));
    let before = rows(&world.test);
    let url = world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    let response = world.follow(&url);
    assert!(!response.code.is_empty() && !response.error.is_empty());

    let refused = world.finish("corp", response.clone(), ANONYMOUS);

    assert!(matches!(refused, Err(OauthError::Refused(Refusal::Answer))), "{}", describe(&refused));
    assert_eq!((rows(&world.test), world.requests_to("/token")), (before, 0), "the code is not sent");
    let again = AuthorizationResponse { error: String::new(), ..response };
    let refused = world.finish("corp", again, ANONYMOUS);
    assert!(matches!(refused, Err(OauthError::Refused(Refusal::State))), "{}", describe(&refused));
}

#[test]
fn a_provider_that_is_not_in_the_settings_is_not_found() {
    let world = ProviderTest::new();
    for name in ["google", "github", "apple", "", "CORP", "corp/../corp"] {
        assert!(matches!(world.start(name, Purpose::SignIn, ANONYMOUS), Err(OauthError::NotFound)), "{name}");
        assert!(
            matches!(world.finish(name, AuthorizationResponse::default(), ANONYMOUS), Err(OauthError::NotFound)),
            "{name}"
        );
        let posted = world.test.block_on(flows::keep_posted(&world.test.app, name, AuthorizationResponse::default()));
        assert!(matches!(posted, Err(OauthError::NotFound)), "{name}");
    }
}

#[test]
fn abandoned_requests_are_deleted() {
    let world = ProviderTest::new();
    for _ in 0..20 {
        world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    }
    world.test.clock.advance(minutes(10));
    for _ in 0..5 {
        world.start("corp", Purpose::SignIn, ANONYMOUS).unwrap();
    }
    assert_eq!(world.test.number("select count(*) from oauth_flow"), 5, "each start deletes four expired ones");
}
