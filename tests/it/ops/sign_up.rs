//! Sign-ups that start again, names without a proof, and codes as people type them.

use domicile::accounts::{self, AccountError, AccountState, NAME_HELD, Username};
use domicile::base::{AccountId, Actor, Secret, hours, minutes, seconds};
use domicile::crypto::PasswordFault;
use domicile::privacy;
use domicile::signin::{self, SignInOutcome, SignUp, SigninError, flows};

use crate::support::{PASSWORD, TestApp, visitor};

const OTHER: &str = "a brand new set of words";

impl TestApp {
    fn sign_up_again(
        &self,
        email: &str,
        username: &str,
        password: &str,
        own: Option<AccountId>,
    ) -> Result<AccountId, SigninError> {
        let form = SignUp { email: email.into(), username: username.into(), password: Secret::new(password.into()) };
        self.block_on(flows::sign_up(&self.app, visitor(), form, own)).map(|pending| pending.account)
    }

    fn enter(&self, pending: AccountId, code: &str) -> Result<SignInOutcome, SigninError> {
        let (actor, code) = (Actor::Anonymous(visitor()), code.to_owned());
        self.write_deciding(move |tx| signin::verify(tx, &actor, pending, &code))
    }

    fn mails_to(&self, address: &str, subject: &str) -> usize {
        let messages = self.read(crate::support::messages).into_iter();
        messages.filter(|mail| mail.to == address && mail.subject.contains(subject)).count()
    }

    fn is_free(&self, username: &str) -> bool {
        let name = Username::parse(username).unwrap();
        self.read(|view| accounts::must_be_free(view, &name, None)).is_ok()
    }
}

fn is_taken<T>(answer: Result<T, SigninError>) -> bool {
    matches!(answer, Err(SigninError::Account(AccountError::UsernameTaken)))
}

#[test]
fn c8_a_sign_up_with_a_typo_is_replaced_by_the_same_browser() {
    let site = TestApp::new();
    let typo = site.sign_up_again("ada@exmaple.org", "ada-ada", PASSWORD, None).unwrap();
    let code = site.message("ada@exmaple.org", "code").code();

    assert!(is_taken(site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None)), "another browser");
    let right = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, Some(typo)).unwrap();

    assert!(matches!(site.enter(typo, &code), Err(SigninError::Account(AccountError::CodeRefused))));
    let code = site.message("ada@example.org", "code").code();
    assert!(site.enter(right, &code).is_ok());
    assert_eq!(site.find("ada-ada").unwrap().id, right);
    assert!(site.find("ada@exmaple.org").is_none(), "the wrong address is gone");
    // What is left of the first is erased with all others that were never verified.
    site.clock.advance(hours(25));
    site.block_on(privacy::jobs::erase_pending(site.app.clone(), serde_json::Value::Null));
    assert!(site.read(|view| accounts::find(view, typo).unwrap()).is_none());
    assert!(site.read(|view| accounts::find(view, right).unwrap()).is_some());
}

#[test]
fn c8_an_account_that_is_in_use_is_replaced_by_nobody() {
    let site = TestApp::new();
    let pending = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None).unwrap();
    site.enter(pending, &site.message("ada@example.org", "code").code()).map(drop).unwrap();
    site.clock.advance(NAME_HELD);

    assert!(is_taken(site.sign_up_again("else@example.org", "ada-ada", PASSWORD, Some(pending))));
    let other = site.sign_up_again("else@example.org", "other-name", PASSWORD, Some(pending)).unwrap();
    site.write(move |tx| signin::restart_sign_up(tx, &Actor::Anonymous(visitor()), pending)).unwrap();

    assert_ne!(other, pending);
    assert_eq!(site.find("ada-ada").unwrap().id, pending);
    site.session("ada-ada");
}

#[test]
fn c8_a_person_who_starts_again_leaves_the_name_to_everybody() {
    let site = TestApp::new();
    let first = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None).unwrap();
    assert!(!site.is_free("ada-ada"));

    site.write(move |tx| signin::restart_sign_up(tx, &Actor::Anonymous(visitor()), first)).unwrap();

    assert!(site.is_free("ada-ada"));
    site.sign_up_again("else@example.org", "ada-ada", OTHER, None).unwrap();
}

#[test]
fn c8_the_same_name_address_and_password_replace_a_sign_up_in_any_browser() {
    let site = TestApp::new();
    let first = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None).unwrap();

    assert!(is_taken(site.sign_up_again("ada@example.org", "ada-ada", OTHER, None)));
    assert!(is_taken(site.sign_up_again("else@example.org", "ada-ada", PASSWORD, None)));
    let again = site.sign_up_again("Ada@Example.org", "ada-ada", PASSWORD, None).unwrap();

    assert_ne!(again, first);
    // Its password can be guessed as often as its code.
    let guess = |number: u32| site.sign_up_again("ada@example.org", "ada-ada", &format!("{OTHER} {number}"), None);
    assert_eq!((0..8).take_while(|number| is_taken(guess(*number))).count(), 4);
    assert!(matches!(guess(9), Err(SigninError::Throttled(_))));
}

#[test]
fn c8_a_name_without_a_proved_address_is_held_for_half_an_hour() {
    for known in ["ada@example.org", "new@example.org"] {
        let site = TestApp::new();
        site.person("ada-ada");
        site.sign_up_again(known, "grace-h", PASSWORD, None).unwrap();

        site.clock.advance(NAME_HELD - seconds(1));
        assert!(!site.is_free("grace-h"));
        assert!(is_taken(site.sign_up_again("grace@example.org", "grace-h", OTHER, None)));
        site.clock.advance(seconds(1));
        assert!(site.is_free("grace-h"));
        let grace = site.sign_up_again("grace@example.org", "grace-h", OTHER, None).unwrap();

        site.enter(grace, &site.message("grace@example.org", "code").code()).map(drop).unwrap();
        assert_eq!(site.find("grace-h").unwrap().id, grace);
    }
    // Every other way to a new account clears the name too.
    let site = TestApp::new();
    site.sign_up_again("else@example.org", "grace-h", PASSWORD, None).unwrap();
    site.clock.advance(NAME_HELD);
    let person = site.new_person("grace-h");
    site.write(move |tx| signin::create_account(tx, &Actor::Operator, person)).unwrap();
}

#[test]
fn c8_a_slow_person_can_still_enter_the_code_if_nobody_wanted_the_name() {
    let site = TestApp::new();
    let ada = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None).unwrap();
    site.clock.advance(minutes(600));
    site.write(move |tx| accounts::resend_code(tx, &Actor::Anonymous(visitor()), ada)).unwrap();

    let code = site.message("ada@example.org", "code").code();
    assert!(site.enter(ada, &code).is_ok());
}

#[test]
fn c9_the_address_of_a_sign_up_leads_to_the_page_for_its_code() {
    let site = TestApp::new();
    let ada = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None).unwrap();
    let leads_to = |name: &str, password: &str| match site.sign_in(name, password) {
        Ok(SignInOutcome::VerificationPending(account)) => Some(account),
        Ok(_) => panic!("signed in without a code"),
        Err(SigninError::BadCredentials) => None,
        Err(other) => panic!("{other}"),
    };

    assert_eq!([leads_to("ada@example.org", PASSWORD), leads_to("ada-ada", PASSWORD)], [Some(ada); 2]);
    assert_eq!(leads_to("ada@example.org", OTHER), None);
    let sent = site.read(|view| accounts::sent_code(view, ada).unwrap().unwrap());
    assert_eq!((sent.address.as_str(), sent.is_valid), ("ada@example.org", true));
    assert_eq!(site.mails_to("ada@example.org", "code"), 1, "the code that was sent is still valid");
    site.clock.advance(minutes(11));
    assert!(!site.read(|view| accounts::sent_code(view, ada).unwrap().unwrap()).is_valid);
    leads_to("ada@example.org", PASSWORD).unwrap();
    assert_eq!(site.mails_to("ada@example.org", "code"), 2);

    // The address of a verified account is that account's, also when others sign up with it later.
    site.person("bob-bob");
    site.sign_up_again("bob-bob@example.org", "mallory", OTHER, None).unwrap();
    assert_eq!(leads_to("bob-bob@example.org", OTHER), None);
    assert_eq!(site.find("mallory").unwrap().state, AccountState::Pending);
}

#[test]
fn c11_codes_of_a_sign_up_are_read_from_every_keyboard_and_what_is_no_code_costs_no_try() {
    for form in ["wide", "hyphen", "arabic"] {
        let site = TestApp::new();
        let ada = site.sign_up_again("ada@example.org", "ada-ada", PASSWORD, None).unwrap();
        let code = site.message("ada@example.org", "code").code();
        let shifted =
            |by: u32| -> String { code.chars().map(|digit| char::from_u32(u32::from(digit) + by).unwrap()).collect() };
        let before = site.footprint();
        for malformed in ["", "12345", "1234567", "one two"] {
            let answer = site.enter(ada, malformed);
            assert!(matches!(answer, Err(SigninError::Account(AccountError::CodeMalformed))), "{malformed}");
        }
        assert_eq!(site.footprint(), before);

        let typed = match form {
            "wide" => shifted(0xff10 - 0x30),
            "hyphen" => format!(" {}-{}", &code[..3], &code[3..]),
            _ => shifted(0x660 - 0x30),
        };
        assert!(site.enter(ada, &typed).is_ok(), "{form}");
    }
}

#[test]
fn c13_both_spellings_of_an_international_address_are_one() {
    let site = TestApp::new();
    let ada = site.sign_up_again("ada@xn--mnchen-3ya.example", "ada-ada", PASSWORD, None).unwrap();
    site.enter(ada, &site.message("ada@xn--mnchen-3ya.example", "code").code()).map(drop).unwrap();

    for spelling in ["ada@münchen.example", "ADA@MÜNCHEN.example", "ada@xn--mnchen-3ya.example"] {
        site.session(spelling);
        site.block_on(flows::request_reset(&site.app, visitor(), spelling)).unwrap();
        assert_eq!(site.find(spelling).unwrap().id, ada);
    }
    assert_eq!(site.mails_to("ada@xn--mnchen-3ya.example", "Set your password"), 3);
}

#[test]
fn e8_a_sign_up_tells_all_faults_at_once() {
    let site = TestApp::new();
    site.person("ada-ada");

    let answer = site.sign_up_again("no address", "ada-ada", "password-password", None);

    let Err(SigninError::Several(faults)) = answer else { panic!("{:?}", answer.err()) };
    assert!(
        matches!(
            faults[..],
            [
                SigninError::Account(AccountError::EmailAddress),
                SigninError::Account(AccountError::UsernameTaken),
                SigninError::Password(PasswordFault::TooCommon),
            ]
        ),
        "{faults:?}"
    );
    let problem = domicile::base::Problem::from(SigninError::Several(faults));
    let fields: Vec<_> = problem.others.iter().map(|(field, _)| *field).collect();
    assert_eq!((problem.status, problem.field, fields), (400, Some("email"), vec!["username", "password"]));
    let one = site.sign_up_again("new@example.org", "ada-ada", PASSWORD, None);
    assert!(is_taken(one), "one fault is told by itself");
}
