//! Authenticator apps and recovery codes.

use domicile::base::Rng;
use domicile::factors::{Seed, accepted_step};

use super::*;

#[test]
fn t1_a_thousand_codes_of_another_program_are_accepted() {
    let mut rng = Rng::seeded(3);
    let seed = Seed::generate(&mut rng);
    let secret = seed.base32();
    for _ in 0..1000 {
        // Until the year 2106.
        let at = i64::from(u32::from_be_bytes(rng.bytes()));
        let code = oath_code(secret.expose(), at);
        let step = accepted_step(&seed, &code, Timestamp::from_millis(at * 1000), None);
        assert!(step.is_some_and(|step| (step - at / 30).abs() <= 1), "{code} at {at}");
        // Exactly this step, once earlier steps are excluded, because two steps can have the same code.
        let exact = accepted_step(&seed, &code, Timestamp::from_millis(at * 1000), Some(at / 30 - 1));
        assert_eq!(exact, Some(at / 30), "{code} at {at}");
    }
}

#[test]
fn an_app_counts_after_a_code_confirmed_it() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (actor, account) = (ada.by_browser(), ada.account.id);
    let own = actor.clone();
    site.write(move |tx| factors::start_totp_setup(tx, &own, account)).unwrap();
    assert!(!site.enrolled(&ada).is_any());
    site.session("ada-ada");

    let own = actor.clone();
    let wrong = site.write(move |tx| factors::confirm_totp(tx, &own, account, "000000")).err().unwrap();
    assert!(matches!(wrong, FactorError::CodeRefused));
    site.clock.advance(minutes(31));
    let late = site.write(move |tx| factors::confirm_totp(tx, &actor, account, "000000")).err().unwrap();
    assert!(matches!(late, FactorError::NoSetUp));
    assert!(!site.enrolled(&ada).is_any());

    let enrolment = site.enrol(&ada);
    assert_eq!(site.enrolled(&ada), EnrolledFactors { has_totp: true, passkeys: 0, codes_left: 10 });
    assert_eq!(enrolment.codes.len(), 10);
    assert!(site.message("ada-ada@example.org", "Two-step sign-in is on").text.contains("authenticator app"));
    let pending = site.pending_sign_in("ada-ada");
    let token = site.second_step(&pending, &enrolment.code(&site)).unwrap();
    assert_eq!(site.method_of(&token), "password+totp");
}

#[test]
fn t2_a_code_is_accepted_once_and_nothing_older_after_it() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let previous = oath_code(&enrolment.secret, site.clock.now().unix_seconds() - 30);
    let code = enrolment.code(&site);
    site.second_step(&site.pending_sign_in("ada-ada"), &code).unwrap();

    for replayed in [&code, &previous] {
        let before = site.row_counts();
        assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), replayed)), "{replayed}");
        assert_eq!(site.row_counts(), before);
    }
    // A step-up does not accept it either.
    let again = site.prove_again(&ada, StepUp::Factor(FactorInput::Typed(Secret::new(code))));
    assert!(matches!(again, Err(SigninError::NotProved)));
}

#[test]
fn t2_the_code_that_confirmed_an_app_does_not_sign_in() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let confirming = oath_code(&enrolment.secret, site.clock.now().unix_seconds() - 60);
    let next = oath_code(&enrolment.secret, site.clock.now().unix_seconds() - 30);
    assert_ne!(confirming, next);
    assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &confirming)));
    site.second_step(&site.pending_sign_in("ada-ada"), &next).unwrap();
}

#[test]
fn t3_a_code_is_valid_one_step_early_and_one_step_late() {
    for (steps, is_valid) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let site = TestApp::new();
        let ada = site.person("ada-ada");
        let enrolment = site.enrol(&ada);
        site.clock.advance(minutes(2));
        let code = oath_code(&enrolment.secret, site.clock.now().unix_seconds() + steps * 30);

        assert_eq!(site.second_step(&site.pending_sign_in("ada-ada"), &code).is_ok(), is_valid, "{steps} steps");
    }
}

#[test]
fn a_code_may_be_typed_with_spaces_and_nothing_else() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let code = enrolment.code(&site);
    let pending = site.pending_sign_in("ada-ada");
    for no_code in ["", "abcdef", &code[1..], &format!("+{}", &code[1..])] {
        let answer = site.second_step(&pending, no_code);
        assert!(matches!(answer, Err(SigninError::Factor(FactorError::CodeMalformed))), "{no_code:?}");
    }
    site.clock.advance(seconds(30));
    let code = enrolment.code(&site);

    site.second_step(&pending, &format!(" {} {} ", &code[..3], &code[3..])).unwrap();
}

#[test]
fn t4_a_seed_is_sealed_and_never_shown_again() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);

    let account = ada.account.id;
    assert!(site.read(|view| factors::totp_setup(view, account).unwrap().is_none()));
    assert_eq!(site.columns_with(&enrolment.secret), Vec::<String>::new());
    let bytes = seed_bytes(&enrolment.secret);
    assert_eq!(bytes.len(), 20, "160 bits");
    assert!(site.read(|view| crate::support::columns_with(view, &bytes)).is_empty());
    // Copied to another person, it is useless.
    let bob = site.person("bob-bob");
    site.enrol(&bob);
    let (from, to) = (ada.account.id, bob.account.id);
    site.write(move |tx| {
        let copy = "update totp set last_step = 0, sealed_secret =
                (select sealed_secret from totp where account_id = :from) where account_id = :to";
        tx.execute(copy, rusqlite::named_params! {":from": from, ":to": to})
    })
    .unwrap();
    let moved = site.second_step(&site.pending_sign_in("bob-bob"), &enrolment.code(&site));
    assert!(matches!(moved, Err(SigninError::Factor(FactorError::Damaged))));
}

/// RFC 4648 §6, for the search above.
fn seed_bytes(base32: &str) -> Vec<u8> {
    let value = |letter: u8| if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
    let bits: Vec<u8> =
        base32.bytes().flat_map(|letter| (0..5).rev().map(move |bit| (value(letter) >> bit) & 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| (sum << 1) | bit)).collect()
}

#[test]
fn t5_ten_recovery_codes_are_valid_once_each_and_not_in_the_database() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let bob = site.person("bob-bob");
    let enrolment = site.enrol(&ada);
    site.enrol(&bob);
    let mut distinct = enrolment.codes.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 10);

    for code in &enrolment.codes {
        for written in [code.clone(), code.replace('-', "")] {
            assert_eq!(site.columns_with(&written), Vec::<String>::new());
        }
    }
    assert!(
        code_refused(site.second_step(&site.pending_sign_in("bob-bob"), &enrolment.codes[0])),
        "it is the code of another person"
    );
    let token = site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.codes[0].to_uppercase()).unwrap();
    assert_eq!(site.method_of(&token), "password+recovery_code");
    assert_eq!(site.enrolled(&ada).codes_left, 9);
    assert!(site.message("ada-ada@example.org", "A recovery code was used").text.contains("You have 9 codes left."));
    assert_eq!(site.events_named("auth.recovery_code_used"), 1);
    let before = site.row_counts();
    assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.codes[0])));
    assert_eq!(site.row_counts(), before);
}

#[test]
fn t5_new_codes_replace_the_old_ones_and_end_other_sessions() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let elsewhere = site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.code(&site)).unwrap();

    let (actor, account) = (ada.by_browser(), ada.account.id);
    let fresh = site.write(move |tx| factors::generate_codes(tx, &actor, account)).unwrap();

    assert!(site.read(|view| sessions::current(view, elsewhere.expose()).unwrap().is_none()));
    assert_eq!(site.enrolled(&ada).codes_left, 10);
    assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.codes[1])));
    site.second_step(&site.pending_sign_in("ada-ada"), fresh.0[0].grouped().expose()).unwrap();
    site.message("ada-ada@example.org", "New recovery codes");
}

#[test]
fn removing_the_last_factor_deletes_the_codes_and_a_required_one_stays() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrol(&ada);
    let elsewhere = site.bare_session_of(&ada);
    let (actor, account) = (ada.by_browser(), ada.account.id);
    site.write(move |tx| factors::remove_totp(tx, &actor, account)).unwrap();
    assert_eq!(site.enrolled(&ada), EnrolledFactors::default());
    assert!(site.read(|view| sessions::list(view, account).unwrap().iter().all(|session| session.id != elsewhere)));
    site.message("ada-ada@example.org", "An authenticator app was removed");
    site.session("ada-ada");

    let site = TestApp::with(|config| config.factors.required = FactorsRequired::Everybody);
    let ada = site.person("ada-ada");
    assert!(site.read(|view| factors::must_enrol(view, ada.account.id, false).unwrap()));
    site.enrol(&ada);
    assert!(!site.read(|view| factors::must_enrol(view, ada.account.id, false).unwrap()));
    let before = site.row_counts();
    let (actor, account) = (ada.by_browser(), ada.account.id);
    let refused = site.write(move |tx| factors::remove_totp(tx, &actor, account)).unwrap_err();
    assert_eq!(Problem::from(refused).status, 409);
    assert_eq!(site.row_counts(), before);
}

#[test]
fn the_factors_of_another_person_cannot_be_changed() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let id = ada.account.id;
    let key = site.key_holder(&ada);
    for actor in [bob.by_browser(), site.anonymous(), key] {
        let before = site.footprint();
        assert!(matches!(site.write(|tx| factors::start_totp_setup(tx, &actor, id)), Err(FactorError::NotFound)));
        assert!(matches!(site.write(|tx| factors::confirm_totp(tx, &actor, id, "1")), Err(FactorError::NotFound)));
        assert!(matches!(site.write(|tx| factors::generate_codes(tx, &actor, id)), Err(FactorError::NotFound)));
        assert!(matches!(site.write(|tx| factors::remove_totp(tx, &actor, id)), Err(FactorError::NotFound)));
        assert_eq!(site.footprint(), before);
    }
}

#[test]
fn factors_that_were_added_after_a_point_in_time_can_be_removed() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    site.clock.advance(hours(1));
    let since = site.clock.now();
    let (actor, account) = (ada.by_browser(), ada.account.id);
    let own = actor.clone();
    assert!(!site.write(move |tx| factors::remove_since(tx, &own, account, since)).unwrap());
    assert_eq!(site.enrolled(&ada).codes_left, 10);
    site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.code(&site)).unwrap();

    site.enrol(&ada);
    let removed = site.write(move |tx| factors::remove_since(tx, &actor, account, since)).unwrap();

    assert!(removed);
    assert_eq!(site.enrolled(&ada), EnrolledFactors::default());
    assert_eq!(site.events_named("auth.totp_disabled"), 1);
}
