//! O1 and O2: an answer counts once, soon, for the browser that asked, from the provider that was asked.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domicile::base::{hours, minutes, seconds};
use domicile::signin::oauth::{Answered, Arrived, OauthError, Purpose, Refusal, flows};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{OTHER_BROWSER, STRANGER, Somebody, World, provider, rows, told};

fn query(url: &str, wanted: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    found.unwrap_or_else(|| panic!("no {wanted} in {url}"))
}

/// Refused for this reason, with an event and nothing else, before the provider is asked for anything.
fn assert_refused(world: &mut World, name: &str, answered: Answered, who: Somebody<'_>, why: Refusal) {
    let (before, events, tokens) = (rows(&world.test), world.events(), world.asked("/token"));
    let refused = world.finish(name, answered, who);
    assert!(matches!(refused, Err(OauthError::Refused(found)) if found == why), "{why:?}: {}", told(&refused));
    assert_eq!(rows(&world.test), before, "{why:?}");
    assert_eq!(world.events(), events + 1, "{why:?}");
    assert!(world.last_event().1.contains(why.as_str()), "{why:?}");
    assert_eq!(world.asked("/token"), tokens, "{why:?}: the code stays here");
}

#[test]
fn o1_every_way_has_its_own_state_nonce_and_challenge_and_none_is_kept_readable() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    let mut seen = BTreeSet::new();

    for _ in 0..20 {
        let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
        assert_eq!(query(&url, "code_challenge_method"), "S256");
        assert_eq!(query(&url, "response_type"), "code");
        for part in ["state", "nonce", "code_challenge"] {
            let value = query(&url, part);
            assert_eq!(URL_SAFE_NO_PAD.decode(&value).unwrap().len(), 32, "{part}: 256 bits");
            assert_eq!(world.test.places_of(&value), Vec::<String>::new(), "{part} is kept as a digest or sealed");
            assert!(seen.insert(value), "{part} came twice");
        }
    }

    world.says(json!({"claims": {"sub": "1"}}));
    let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    world.finish("corp", world.answer(&url), STRANGER).unwrap();
    let exchange = world.bodies("/token").pop().unwrap();
    let verifier = exchange["code_verifier"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), query(&url, "code_challenge"));
    assert_eq!(world.test.places_of(verifier), Vec::<String>::new());
}

#[test]
fn o1_an_answer_counts_once() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    world.says(json!({"claims": {"sub": "1"}}));
    let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    let answered = world.answer(&url);
    assert!(matches!(world.finish("corp", answered.clone(), STRANGER), Ok(Arrived::Entered(_))));

    assert_refused(&mut world, "corp", answered.clone(), STRANGER, Refusal::State);
    let again = world.answer(&url);
    assert_refused(&mut world, "corp", Answered { code: again.code, ..answered }, STRANGER, Refusal::State);
}

#[test]
fn o1_an_answer_that_takes_longer_than_ten_minutes_does_not_count() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    for (wait, is_good) in [(minutes(10) - seconds(1), true), (minutes(10), false)] {
        let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
        world.test.clock.advance(wait);
        world.says(json!({"claims": {"sub": "1"}}));
        let answered = world.answer(&url);
        if is_good {
            assert!(matches!(world.finish("corp", answered, STRANGER), Ok(Arrived::Entered(_))), "{wait:?}");
        } else {
            assert_refused(&mut world, "corp", answered, STRANGER, Refusal::State);
        }
    }
}

#[test]
fn o1_forged_states_lead_nowhere() {
    let mut world = World::new();
    let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    let (real, nonce) = (query(&url, "state"), query(&url, "nonce"));
    let (long, cut, shouted) = ("x".repeat(10_000), real[1..].to_owned(), real.to_uppercase());
    for state in ["", "0", &long, &cut, &shouted, &nonce, "' or 1=1 --", "\u{0}"] {
        let forged = Answered { state: state.to_owned(), code: "c".into(), ..Answered::default() };
        assert_refused(&mut world, "corp", forged, STRANGER, Refusal::State);
    }
}

#[test]
fn o1_only_the_browser_that_left_brings_an_answer() {
    let mut world = World::new();
    world.newcomer("1", "thief@example.net", "a-thief");
    world.says(json!({"claims": {"sub": "1"}}));
    let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    let answered = world.answer(&url);

    // Login CSRF: the thief's own answer, brought by somebody else's browser.
    for browser in [None, Some(OTHER_BROWSER), Some("")] {
        let victim = Somebody { browser, session: None };
        assert_refused(&mut world, "corp", answered.clone(), victim, Refusal::Browser);
    }
    assert!(matches!(world.finish("corp", answered, STRANGER), Ok(Arrived::Entered(_))), "whose it is may still");
}

#[test]
fn o1_a_provider_that_says_no_lets_nobody_in() {
    let mut world = World::new();
    let before = rows(&world.test);
    let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    let no = Answered { state: query(&url, "state"), error: "access_denied".into(), ..Answered::default() };
    assert!(matches!(world.finish("corp", no.clone(), STRANGER), Err(OauthError::Declined { .. })));
    assert_eq!(rows(&world.test), before);
    assert_refused(&mut world, "corp", no, STRANGER, Refusal::State);
}

#[test]
fn o2_an_answer_at_another_providers_path_is_refused_before_anything_is_asked() {
    let mut world = World::with(|issuer| vec![provider("corp", issuer), provider("other", issuer)]);
    world.newcomer("1", "ada@example.net", "ada-l");
    world.says(json!({"claims": {"sub": "1"}}));
    let url = world.leave("other", Purpose::SignIn, STRANGER).unwrap();
    assert!(query(&url, "redirect_uri").ends_with("/oauth/other/callback"), "{url}");
    let answered = world.answer(&url);
    assert_refused(&mut world, "corp", answered, STRANGER, Refusal::Provider);
}

#[test]
fn o2_an_answer_that_names_another_issuer_is_refused_and_the_way_is_over() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    let issuer = world.issuer.clone();
    for wrong in ["https://evil.example", "", &format!("{issuer}/"), &issuer.to_uppercase()] {
        let url = world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
        let good = world.answer(&url);
        let crossed = Answered { issuer: Some(wrong.to_owned()), ..good.clone() };
        assert_refused(&mut world, "corp", crossed, STRANGER, Refusal::Issuer);
        // Whoever crossed it has seen the state.
        assert_refused(&mut world, "corp", good, STRANGER, Refusal::State);
    }

    world.says(json!({"claims": {"sub": "1"}, "redirect": {"iss": issuer}}));
    assert!(matches!(world.sign_in(), Ok(Arrived::Entered(_))));
}

#[test]
fn o2_a_provider_that_promises_to_name_itself_must_do_so() {
    let mut world = World::new();
    world.newcomer("1", "ada@example.net", "ada-l");
    world.test.clock.advance(hours(2));
    let promise = json!({"authorization_response_iss_parameter_supported": true});
    world.says(json!({"claims": {"sub": "1"}, "metadata": promise}));
    let tokens = world.asked("/token");
    assert!(matches!(world.sign_in(), Err(OauthError::Refused(Refusal::Issuer))));
    assert_eq!(world.asked("/token"), tokens, "the code stays here");

    let issuer = world.issuer.clone();
    world.says(json!({"claims": {"sub": "1"}, "metadata": promise, "redirect": {"iss": issuer}}));
    assert!(matches!(world.sign_in(), Ok(Arrived::Entered(_))));
}

#[test]
fn o2_metadata_about_another_issuer_are_not_believed() {
    for lie in
        [json!({"issuer": "https://accounts.google.com"}), json!({"issuer": null}), json!({"token_endpoint": null})]
    {
        let mut world = World::new();
        world.says(json!({"metadata": lie}));
        let before = rows(&world.test);
        let refused = world.leave("corp", Purpose::SignIn, STRANGER);
        assert!(matches!(refused, Err(OauthError::Down { .. })), "{lie}");
        assert_eq!(rows(&world.test), before, "{lie}");
    }
}

#[test]
fn browsers_are_led_by_metadata_to_https_or_this_machine_and_nowhere_else() {
    for place in ["javascript:alert(1)", "http://idp.example/authorize", "data:text/html,x", "//evil.example"] {
        let mut world = World::new();
        world.says(json!({"metadata": {"authorization_endpoint": place}}));
        let refused = world.leave("corp", Purpose::SignIn, STRANGER);
        assert!(matches!(refused, Err(OauthError::Down { .. })), "{place}");
    }
}

#[test]
fn what_is_not_declared_is_not_called_wherever_metadata_lead() {
    for part in ["token_endpoint", "userinfo_endpoint"] {
        let mut world = World::new();
        world.says(json!({"claims": {"sub": "1"}, "metadata": {part: "https://inside.example/x"}}));
        let refused = world.sign_in();
        assert!(matches!(refused, Err(OauthError::Down { .. })), "{part}: {}", told(&refused));
    }
}

#[test]
fn a_provider_that_is_not_in_the_settings_is_not_found() {
    let world = World::new();
    for name in ["google", "github", "apple", "", "CORP", "corp/../corp"] {
        assert!(matches!(world.leave(name, Purpose::SignIn, STRANGER), Err(OauthError::NotFound)), "{name}");
        assert!(matches!(world.finish(name, Answered::default(), STRANGER), Err(OauthError::NotFound)), "{name}");
        let posted = world.test.block_on(flows::post(&world.test.app, name, Answered::default()));
        assert!(matches!(posted, Err(OauthError::NotFound)), "{name}");
    }
}

#[test]
fn ways_that_nobody_comes_back_on_are_swept_away() {
    let world = World::new();
    for _ in 0..20 {
        world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    }
    world.test.clock.advance(minutes(10));
    for _ in 0..5 {
        world.leave("corp", Purpose::SignIn, STRANGER).unwrap();
    }
    assert_eq!(world.test.number("select count(*) from oauth_flow"), 5, "each beginning sweeps four old ones");
}
