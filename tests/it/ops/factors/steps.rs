//! The second step of a sign-in, and step-up.

use domicile::signin;

use super::*;

#[test]
fn s68_guesses_end_the_first_step_and_slow_down_however_often_it_is_repeated() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let enrolment = house.enrol(&ada);
    let mut guesses = 0;
    let end = house.clock.now().plus(hours(1));
    while house.clock.now() < end {
        let half = house.half_of("ada-ada");
        loop {
            match house.second_step(&half, "000000") {
                Err(SigninError::Factor(FactorError::CodeRefused)) => guesses += 1,
                Err(SigninError::HalfOver) => {
                    guesses += 1;
                    break;
                }
                Err(SigninError::Factor(FactorError::Throttled(throttled))) => {
                    house.clock.advance(seconds(u64::from(throttled.wait_seconds)));
                    if house.clock.now() >= end {
                        break;
                    }
                    // The half-session may have been over by then.
                    if house.look(|view| factors::half(view, half.expose()).unwrap().is_none()) {
                        break;
                    }
                }
                other => panic!("{:?}", other.map(|_| "in")),
            }
        }
    }

    assert!((10..=20).contains(&guesses), "{guesses} guesses in an hour");
    // The hour may have ended with a wait that was over.
    while !waits(house.second_step(&house.half_of("ada-ada"), "000000")) {}
    assert!(waits(house.second_step(&house.half_of("ada-ada"), &enrolment.codes[0])), "a recovery code waits, too");
    house.clock.advance(minutes(16));
    house.second_step(&house.half_of("ada-ada"), &enrolment.code(&house)).unwrap();
}

#[test]
fn s68_the_fifth_wrong_code_asks_for_the_password_again() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let enrolment = house.enrol(&ada);
    let half = house.half_of("ada-ada");
    for _ in 0..4 {
        assert!(code_refused(house.second_step(&half, "000000")));
    }
    assert!(matches!(house.second_step(&half, "000000"), Err(SigninError::HalfOver)));
    assert!(matches!(house.second_step(&half, &enrolment.code(&house)), Err(SigninError::HalfOver)));
    assert_eq!(house.number("select count(*) from half_session"), 0);
    assert_eq!(house.number("select count(*) from session"), 0);
}

#[test]
fn s69_a_recovery_code_is_not_guessed_faster_than_any_other() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    house.enrol(&ada);
    let mut refused = 0;
    for number in 0..20 {
        let guess = format!("{number:05}-00000-00000");
        match house.second_step(&house.half_of("ada-ada"), &guess) {
            Err(SigninError::Factor(FactorError::CodeRefused)) => refused += 1,
            Err(SigninError::Factor(FactorError::Throttled(_))) => {}
            other => panic!("{:?}", other.map(|_| "in")),
        }
    }
    assert_eq!(refused, 6, "five for free, and the one that begins the pauses");
}

#[test]
fn s70_a_half_session_is_over_after_ten_minutes_or_with_the_password() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let enrolment = house.enrol(&ada);
    let slow = house.half_of("ada-ada");
    house.clock.advance(minutes(10));
    assert!(matches!(house.second_step(&slow, &enrolment.code(&house)), Err(SigninError::HalfOver)));

    let half = house.half_of("ada-ada");
    let (actor, account) = (ada.by_browser(), ada.account.id);
    house.write(move |tx| accounts::set_password(tx, &actor, account, "$argon2id$another")).unwrap();
    assert!(matches!(house.second_step(&half, &enrolment.code(&house)), Err(SigninError::HalfOver)));

    let bob = house.person("bob-bob");
    let enrolment = house.enrol(&bob);
    let half = house.half_of("bob-bob");
    house.suspend(&bob);
    assert!(matches!(house.second_step(&half, &enrolment.code(&house)), Err(SigninError::HalfOver)));
    assert_eq!(house.number("select count(*) from session"), 0);
}

#[test]
fn s70_a_half_session_is_no_session_and_the_reverse() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let enrolment = house.enrol(&ada);
    let half = house.half_of("ada-ada");
    assert!(house.look(|view| sessions::current(view, half.expose()).unwrap().is_none()));
    assert!(house.look(|view| crate::support::places_of(view, half.expose().as_bytes())).is_empty());

    let token = house.second_step(&half, &enrolment.code(&house)).unwrap();
    assert!(house.look(|view| factors::half(view, token.expose()).unwrap().is_none()));
    assert!(matches!(house.second_step(&half, &enrolment.codes[0]), Err(SigninError::HalfOver)), "used up");
    assert_eq!(house.enrolled(&ada).codes_left, 10);
}

#[test]
fn p9_a_reset_password_does_not_spare_the_second_factor() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let enrolment = house.enrol(&ada);
    house.block_on(flows::request_reset(&house.app, visitor(), "ada-ada@example.org")).unwrap();
    let link = house.letter("ada-ada@example.org", "Set your password").link("/reset?token=");
    let token = link.rsplit('=').next().unwrap().to_owned();
    house.block_on(flows::reset(&house.app, visitor(), token, Secret::new(PASSWORD.to_owned()))).unwrap();

    let half = house.half_of("ada-ada");
    assert_eq!(house.number("select count(*) from session"), 0);
    house.second_step(&half, &enrolment.code(&house)).unwrap();
}

#[test]
fn s3_a_step_up_is_as_strong_as_what_was_enrolled() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let password = || StepUp::Password(Secret::new(PASSWORD.to_owned()));
    let typed = |code: &str| StepUp::Factor(Presented::Typed(Secret::new(code.to_owned())));
    house.prove_again(&ada, password()).unwrap();
    assert!(
        matches!(house.prove_again(&ada, typed("123456")), Err(SigninError::NotProved)),
        "there is nothing to prove"
    );

    let enrolment = house.enrol(&ada);
    let refused = house.prove_again(&ada, password());
    assert!(matches!(refused, Err(SigninError::NotProved)), "a right password no longer does");
    house.prove_again(&ada, typed(&enrolment.code(&house))).unwrap();
    house.prove_again(&ada, typed(&enrolment.codes[3])).unwrap();
    assert_eq!(house.enrolled(&ada).codes_left, 9);
    for _ in 0..6 {
        let _ = house.prove_again(&ada, typed("000000"));
    }
    assert!(waits(house.prove_again(&ada, typed(&enrolment.codes[4]))));
    assert_eq!(house.enrolled(&ada).codes_left, 9);
}

#[test]
fn whoever_has_no_factor_signs_in_as_before() {
    let house = TestApp::new();
    house.person("ada-ada");
    assert_eq!(house.method_of(&house.session("ada-ada")), "password");
    assert!(!signin::Proof::Password.is_complete());
}
