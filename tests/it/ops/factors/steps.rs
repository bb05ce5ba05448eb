//! The second step of a sign-in, and step-up.

use domicile::signin;

use super::*;

#[test]
fn s68_guesses_slow_down_however_often_the_first_step_is_repeated() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let mut guesses = 0;
    let end = site.clock.now().plus(hours(1));
    while site.clock.now() < end {
        match site.second_step(&site.pending_sign_in("ada-ada"), "000000") {
            Err(SigninError::Factor(FactorError::CodeRefused)) => guesses += 1,
            Err(SigninError::Factor(FactorError::Throttled(retry_after))) => {
                site.clock.advance(seconds(u64::from(retry_after.wait_seconds)));
            }
            other => panic!("{:?}", other.map(|_| "in")),
        }
    }

    assert!((5..=8).contains(&guesses), "{guesses} guesses in an hour");
    site.clock.advance(hours(24));
    assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), "000000")));
    assert!(
        waits(site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.codes[0])),
        "a recovery code waits too"
    );
    site.clock.advance(hours(24));
    site.second_step(&site.pending_sign_in("ada-ada"), &enrolment.code(&site)).unwrap();
}

#[test]
fn s68_the_fifth_wrong_code_asks_for_the_password_again() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let pending = site.pending_sign_in("ada-ada");
    for _ in 0..4 {
        assert!(code_refused(site.second_step(&pending, "000000")));
    }
    assert!(waits(site.second_step(&pending, "000000")));
    site.clock.advance(seconds(30));
    assert!(matches!(site.second_step(&pending, "000000"), Err(SigninError::PendingSignInOver)));
    assert!(matches!(site.second_step(&pending, &enrolment.code(&site)), Err(SigninError::PendingSignInOver)));
    assert_eq!(site.number("select count(*) from half_session"), 0);
    assert_eq!(site.number("select count(*) from session"), 0);
}

#[test]
fn s69_a_recovery_code_is_not_guessed_faster_than_any_other() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrol(&ada);
    let mut refused = 0;
    for number in 0..20 {
        let guess = format!("{number:05}-00000-00000");
        match site.second_step(&site.pending_sign_in("ada-ada"), &guess) {
            Err(SigninError::Factor(FactorError::CodeRefused)) => refused += 1,
            Err(SigninError::Factor(FactorError::Throttled(_))) => {}
            other => panic!("{:?}", other.map(|_| "in")),
        }
    }
    assert_eq!(refused, 4, "the last of them starts the waits");
}

#[test]
fn s70_a_pending_sign_in_ends_after_ten_minutes_or_with_a_new_password() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let slow = site.pending_sign_in("ada-ada");
    site.clock.advance(minutes(10));
    assert!(matches!(site.second_step(&slow, &enrolment.code(&site)), Err(SigninError::PendingSignInOver)));

    let pending = site.pending_sign_in("ada-ada");
    let (actor, account) = (ada.by_browser(), ada.account.id);
    site.write(move |tx| accounts::set_password(tx, &actor, account, "$argon2id$another")).unwrap();
    assert!(matches!(site.second_step(&pending, &enrolment.code(&site)), Err(SigninError::PendingSignInOver)));

    let bob = site.person("bob-bob");
    let enrolment = site.enrol(&bob);
    let pending = site.pending_sign_in("bob-bob");
    site.suspend(&bob);
    assert!(matches!(site.second_step(&pending, &enrolment.code(&site)), Err(SigninError::PendingSignInOver)));
    assert_eq!(site.number("select count(*) from session"), 0);
}

#[test]
fn s70_a_pending_sign_in_is_not_a_session_and_the_reverse() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    let pending = site.pending_sign_in("ada-ada");
    assert!(site.read(|view| sessions::current(view, pending.expose()).unwrap().is_none()));
    assert!(site.read(|view| crate::support::columns_with(view, pending.expose().as_bytes())).is_empty());

    let token = site.second_step(&pending, &enrolment.code(&site)).unwrap();
    assert!(site.read(|view| factors::pending_sign_in(view, token.expose()).unwrap().is_none()));
    assert!(matches!(site.second_step(&pending, &enrolment.codes[0]), Err(SigninError::PendingSignInOver)), "used up");
    assert_eq!(site.enrolled(&ada).codes_left, 10);
}

#[test]
fn p9_a_reset_password_does_not_spare_the_second_factor() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let enrolment = site.enrol(&ada);
    site.block_on(flows::request_reset(&site.app, visitor(), "ada-ada@example.org")).unwrap();
    let link = site.message("ada-ada@example.org", "Set your password").link("/reset?token=");
    let token = link.rsplit('=').next().unwrap().to_owned();
    site.block_on(flows::reset(&site.app, visitor(), token, Secret::new(PASSWORD.to_owned()))).unwrap();

    let pending = site.pending_sign_in("ada-ada");
    assert_eq!(site.number("select count(*) from session"), 0);
    site.second_step(&pending, &enrolment.code(&site)).unwrap();
}

#[test]
fn s3_a_step_up_is_as_strong_as_what_was_enrolled() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let password = || StepUp::Password(Secret::new(PASSWORD.to_owned()));
    let typed = |code: &str| StepUp::Factor(FactorInput::Typed(Secret::new(code.to_owned())));
    site.prove_again(&ada, password()).unwrap();
    assert!(
        matches!(site.prove_again(&ada, typed("123456")), Err(SigninError::NotProved)),
        "there is no second factor to prove"
    );

    let enrolment = site.enrol(&ada);
    let refused = site.prove_again(&ada, password());
    assert!(matches!(refused, Err(SigninError::NotProved)), "a right password is no longer enough");
    site.prove_again(&ada, typed(&enrolment.code(&site))).unwrap();
    site.prove_again(&ada, typed(&enrolment.codes[3])).unwrap();
    assert_eq!(site.enrolled(&ada).codes_left, 9);
    // Each session has its own tries.
    let again = |code: &str| {
        let (account, session) = (ada.account.id, ada.by_browser().session().unwrap());
        site.block_on(flows::step_up(&site.app, ada.by_browser(), account, session, typed(code)))
    };
    for _ in 0..6 {
        let _ = again("000000");
    }
    assert!(waits(again(&enrolment.codes[4]).map(|renewed| renewed.token)));
    assert_eq!(site.enrolled(&ada).codes_left, 9);
}

#[test]
fn a_person_without_a_factor_signs_in_with_the_password_only() {
    let site = TestApp::new();
    site.person("ada-ada");
    assert_eq!(site.method_of(&site.session("ada-ada")), "password");
    assert!(!signin::Proof::Password.is_complete());
}
