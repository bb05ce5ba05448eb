//! The one-time link of the first operator: what it proves, and what it does not.

use domicile::accounts::{self, AccountError, AccountState, addresses};
use domicile::base::{Actor, EmailAddress, Secret, hours};
use domicile::config::SignupMode;
use domicile::signin::{self, NewPerson, SignInOutcome, SignUp, SigninError, flows};
use domicile::workspaces;

use crate::support::{PASSWORD, Person, TestApp, visitor};

impl TestApp {
    /// The first operator, whose address is not verified.
    fn first_operator(&self, username: &'static str) -> Person {
        let address = format!("{username}@example.org");
        let token = self.claim();
        let started = self.claim_operator(&address, username, &token).unwrap();
        assert!(matches!(started, SignInOutcome::Session { .. }));
        let account = self.find(username).unwrap();
        let workspace = self.read(|view| workspaces::personal(view, account.id).unwrap().unwrap());
        Person { account, workspace: workspace.id }
    }

    fn email_of(&self, person: &Person) -> accounts::Email {
        let account = person.account.id;
        self.read(|view| accounts::emails(view, account).unwrap().remove(0))
    }
}

fn is_refused(outcome: &Result<SignInOutcome, SigninError>) -> bool {
    matches!(outcome, Err(SigninError::Account(AccountError::LinkRefused)))
}

#[test]
fn p10_the_operator_link_works_once_within_a_day_whatever_the_mode() {
    for mode in [SignupMode::Open, SignupMode::Domains, SignupMode::Invite, SignupMode::Closed] {
        let site = TestApp::with(|config| config.signup.mode = mode);
        let claim = |name: &str, token: &str| site.claim_operator(&format!("{name}@example.org"), name, token);
        let (lost, late) = (site.claim(), site.claim());
        site.clock.advance(hours(24));
        let good = site.claim();
        let before = site.footprint();
        for token in [&lost, &late, "nonsense"] {
            assert!(is_refused(&claim("bob-bob", token)), "{mode:?}");
        }
        assert_eq!(site.footprint(), before);

        let started = claim("ada-ada", &good).unwrap();

        let SignInOutcome::Session { token, .. } = started else { panic!("the operator is not signed in") };
        let ada = site.find("ada-ada").unwrap();
        assert!(ada.is_operator && ada.state == AccountState::Active);
        assert_eq!(site.current(&token).unwrap().account, ada.id);
        assert!(is_refused(&claim("bob-bob", &good)), "{mode:?}");
        assert!(matches!(site.write(signin::claim_link), Err(SigninError::OperatorExists)));
        assert!([lost, late, good].iter().all(|token| site.columns_with(token).is_empty()));
    }
}

#[test]
fn p10_a_link_that_is_not_valid_is_refused_before_anything_that_was_typed() {
    let site = TestApp::new();
    let form = SignUp { email: "no address".into(), username: "x".into(), password: Secret::new("short".into()) };

    let outcome = site.block_on(flows::claim_operator(&site.app, visitor(), form, "nonsense".into()));

    assert!(is_refused(&outcome));
}

#[test]
fn p10_operator_links_become_invalid_with_the_first_operator() {
    let site = TestApp::new();
    let token = site.claim();
    let person = NewPerson { is_operator: true, ..site.new_person("ada-ada") };
    site.write(move |tx| signin::create_account(tx, &Actor::Operator, person)).unwrap();

    assert!(is_refused(&site.claim_operator("bob@example.org", "bob-bob", &token)));
    assert!(site.find("bob-bob").is_none());
}

#[test]
fn a_claim_is_not_used_up_if_the_sign_up_fails_for_another_reason() {
    let site = TestApp::new();
    site.person("ada-ada");
    let token = site.claim();

    let name = site.claim_operator("bob@example.org", "ada-ada", &token);
    let address = site.claim_operator("ada-ada@example.org", "bob-bob", &token);
    site.claim_operator("bob@example.org", "bob-bob", &token).unwrap();

    assert!(matches!(name, Err(SigninError::Account(AccountError::UsernameTaken))));
    assert!(matches!(address, Err(SigninError::Account(AccountError::EmailTaken))));
    assert!(site.find("bob-bob").unwrap().is_operator);
}

#[test]
fn the_link_proves_the_operator_and_not_the_address() {
    let site = TestApp::new();
    let ada = site.first_operator("ada-ada");
    let address = "ada-ada@example.org";

    assert!(site.email_of(&ada).verified_at.is_none());
    site.session("ada-ada");
    assert!(matches!(site.sign_in(address, PASSWORD), Err(SigninError::BadCredentials)));
    // No link to set a password, no notice of a sign-in: this mailbox may belong to another person.
    site.ask_for_reset(address).unwrap();
    site.run_jobs();
    let subjects: Vec<_> = site.mailbox().messages().into_iter().map(|message| message.subject).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(subjects[0].contains("code"), "{subjects:?}");
    // Another person may verify the address and has it then.
    let first = site.message(address, "code").code();
    let pending = site.sign_up(address, "eve-eve").unwrap();
    site.run_jobs();
    let codes = site.mailbox().messages().into_iter().map(|message| message.code());
    let second = codes.into_iter().find(|code| *code != first).unwrap();
    site.prove(pending, &second).unwrap();
    assert_eq!(site.current(&site.session(address)).unwrap().account, pending.account);
}

#[test]
fn the_operator_verifies_the_address_later() {
    let site = TestApp::new();
    let ada = site.first_operator("ada-ada");
    let (actor, account, email) = (ada.by_browser(), ada.account.id, site.email_of(&ada).id);
    site.clock.advance(hours(1));
    site.write({
        let actor = actor.clone();
        move |tx| addresses::resend_email_code(tx, &actor, account, email)
    })
    .unwrap();
    let code = site.message("ada-ada@example.org", "code").code();

    site.write_deciding(move |tx| signin::verify_added_email(tx, &actor, account, email, &code)).unwrap();

    assert!(site.email_of(&ada).verified_at.is_some());
    site.session("ada-ada@example.org");
    site.ask_for_reset("ada-ada@example.org").unwrap();
    assert!(!site.reset_token("ada-ada@example.org").is_empty());
}

#[test]
fn an_address_that_was_typed_wrong_gets_no_power_when_it_is_replaced() {
    let site = TestApp::new();
    let ada = site.first_operator("ada-ada");
    let (actor, account, wrong) = (ada.by_browser(), ada.account.id, site.email_of(&ada).id);
    let right = EmailAddress::parse("ada@example.com").unwrap();
    let added = site
        .write({
            let (actor, right) = (actor.clone(), right.clone());
            move |tx| addresses::add_email(tx, &actor, account, &right)
        })
        .unwrap();
    let code = site.message("ada@example.com", "code").code();
    site.write_deciding({
        let actor = actor.clone();
        move |tx| signin::verify_added_email(tx, &actor, account, added, &code)
    })
    .unwrap();

    site.write({
        let actor = actor.clone();
        move |tx| signin::set_primary_email(tx, &actor, account, added)
    })
    .unwrap();
    // The wrong address cannot undo the change, so it can be removed at once.
    site.write(move |tx| signin::remove_email(tx, &actor, account, wrong)).unwrap();

    site.run_jobs();
    let to_wrong = site.mailbox().messages().into_iter().filter(|message| message.to.contains("ada-ada@example.org"));
    assert!(to_wrong.into_iter().all(|message| message.subject.contains("code")));
    assert_eq!(site.email_of(&ada).address, right);
}
