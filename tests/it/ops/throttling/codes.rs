//! Codes: of a sign-up, of an added address, of an app.

use domicile::accounts::{AccountError, addresses};
use domicile::base::{Actor, EmailAddress, Secret, minutes, seconds};
use domicile::factors::{self, FactorError, PendingSignIn};
use domicile::signin::{self, FactorInput, SigninError, flows};

use super::{Proof, Verdict, WRONG, at};
use crate::support::{TestApp, oath_code, visitor};

#[test]
fn p7_codes_by_mail_are_counted_with_the_rest() {
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap().account;
    let code = site.message("ada@example.org", "code").code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let type_in = |code: &str| {
        let (actor, code) = (Actor::Anonymous(visitor()), code.to_owned());
        site.write_deciding(move |tx| signin::verify(tx, &actor, pending, &code))
    };
    let mut checked = 0;
    for _ in 0..40 {
        match type_in(wrong) {
            Err(SigninError::Account(AccountError::CodeRefused)) => checked += 1,
            Err(SigninError::Throttled(_)) => {}
            other => panic!("{:?}", other.err()),
        }
        site.clock.advance(seconds(20));
    }

    assert!((5..=10).contains(&checked), "{checked}");
    // An attacker who guesses at the name does not keep the person from the code.
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap().account;
    let code = site.message("ada@example.org", "code").code();
    (0..8).for_each(|_| {
        let _ = site.sign_in_from(&at("198.51.100.1"), "ada-ada", WRONG);
        site.clock.advance(seconds(30));
    });
    let actor = Actor::Anonymous(visitor());
    assert!(site.write_deciding(move |tx| signin::verify(tx, &actor, pending, &code)).is_ok());
}

#[test]
fn p7_codes_for_an_added_address_are_counted_with_the_rest() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (actor, account, work) = (ada.by_browser(), ada.account.id, EmailAddress::parse("ada@work.example").unwrap());
    let email = site.write(move |tx| addresses::add_email(tx, &actor, account, &work)).unwrap();
    let code = site.message("ada@work.example", "code").code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let type_in = |code: &str| {
        let (actor, code) = (ada.by_browser(), code.to_owned());
        site.write_deciding(move |tx| signin::verify_added_email(tx, &actor, account, email, &code))
    };
    assert_eq!(site.try_wrong(Proof::StepUp, &ada, &visitor()), Verdict::Wrong);

    let is_refused = |answer| matches!(answer, Err(SigninError::Account(AccountError::CodeRefused)));
    let checked = (0..10).take_while(|_| is_refused(type_in(wrong))).count();

    assert!((1..5).contains(&checked), "{checked}");
    let answers = type_in(&code);
    assert!(
        matches!(answers, Err(SigninError::Factor(FactorError::Throttled(_)))),
        "not even the right code is checked now"
    );
    assert_eq!(site.try_wrong(Proof::StepUp, &ada, &visitor()), Verdict::Wait);
    site.clock.advance(minutes(5));
    assert!(type_in(&code).is_ok(), "after the wait the code is accepted");
}

#[test]
fn c11_what_is_no_code_costs_no_try() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let secret = site.enrol_app(&ada);
    let pending = PendingSignIn { account: ada.account.id, method: "password".into(), remember: false };
    let token = site.write(move |tx| factors::start_pending_sign_in(tx, &pending)).unwrap().expose().clone();
    let enter = |code: &str| {
        let input = FactorInput::Typed(Secret::new(code.to_owned()));
        site.block_on(flows::prove_factor(&site.app, visitor(), token.clone(), input))
    };
    let before = site.footprint();

    for malformed in ["", "12345", "1234567", "abcdef", "aaaaa-aaaaa-aaaa"] {
        let answer = enter(malformed);
        assert!(matches!(answer, Err(SigninError::Factor(FactorError::CodeMalformed))), "{malformed}");
    }

    assert_eq!(site.footprint(), before);
    let code = oath_code(&secret, site.clock.now().unix_seconds());
    let wide: String = code.chars().map(|digit| char::from_u32(u32::from(digit) + 0xfee0).unwrap()).collect();
    assert!(enter(&format!("{}-{}", &wide[..9], &wide[9..])).is_ok(), "full-width digits with a hyphen");
}
