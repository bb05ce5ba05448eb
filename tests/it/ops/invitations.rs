//! Invitations: from the invitation of the operator to the account, and everything that must be refused.

use domicile::accounts::{AccountError, AccountState};
use domicile::base::{AccountId, Actor, Credits, EmailAddress, Secret, days, hours, seconds};
use domicile::config::SignupMode;
use domicile::crypto::PasswordFault;
use domicile::invitations::{self, Invitation, InvitationError};
use domicile::signin::{self, NewPerson, SignInOutcome, SignUp, SigninError, flows};

use super::signin::token_in;
use crate::support::{PASSWORD, TestApp, visitor};

const ADA: &str = "ada@example.org";

impl TestApp {
    /// Invites an address by mail, as the operator does.
    fn invite(&self, email: &str, is_operator: bool) -> Invitation {
        let address = EmailAddress::parse(email).unwrap();
        self.write(move |tx| {
            let (invitation, link) = invitations::issue(tx, &Actor::Operator, address, is_operator)?;
            invitations::mail_link(tx, &invitation, &link)?;
            Ok::<_, InvitationError>(invitation)
        })
        .unwrap()
    }

    /// The token of the newest invitation that was mailed to `email`.
    fn invitation_token(&self, email: &str) -> String {
        token_in(&self.message(email, "You are invited").link("/signup?invite="))
    }

    fn accept(&self, token: &str, email: &str, username: &str, password: &str) -> Result<SignInOutcome, SigninError> {
        let password = Secret::new(password.to_owned());
        let form = SignUp { email: email.into(), username: username.into(), password };
        self.block_on(flows::accept_invitation(&self.app, visitor(), form, token.to_owned()))
    }

    fn invited_address(&self, token: &str) -> Option<EmailAddress> {
        self.block_on(flows::invited_address(&self.app, token.to_owned())).unwrap()
    }

    fn waiting(&self) -> Vec<Invitation> {
        self.read(|view| invitations::list(view).unwrap())
    }

    fn withdraw(&self, name: &str) -> Result<(), InvitationError> {
        let name = name.to_owned();
        self.write(move |tx| invitations::withdraw(tx, &Actor::Operator, &name)).map(drop)
    }
}

fn is_refused(answer: &Result<SignInOutcome, SigninError>) -> bool {
    matches!(answer, Err(SigninError::Invitation(InvitationError::LinkRefused)))
}

#[test]
fn an_invited_person_signs_up_at_once_in_every_mode_with_the_invited_address() {
    for mode in [SignupMode::Open, SignupMode::Domains, SignupMode::Invite, SignupMode::Closed] {
        let site = TestApp::with(|config| {
            config.signup.mode = mode;
            config.signup.domains = vec!["elsewhere.example".into()];
        });
        site.invite(ADA, false);
        let token = site.invitation_token(ADA);
        assert_eq!(site.invited_address(&token).unwrap().as_str(), ADA);

        let Ok(SignInOutcome::Session { token: cookie, .. }) =
            site.accept(&token, "eve@evil.example", "ada-ada", PASSWORD)
        else {
            panic!("{mode:?}: the invited person is not signed in");
        };

        let ada = site.find(ADA).unwrap();
        assert_eq!((ada.username.as_str(), ada.state, ada.is_operator), ("ada-ada", AccountState::Active, false));
        assert_eq!((site.current(&cookie).unwrap().account, site.balance_of(&ada)), (ada.id, Credits::whole(5)));
        assert!(site.find("eve@evil.example").is_none());
        assert!(site.message(ADA, "Welcome").text.contains("ada-ada"));
        assert!(site.waiting().is_empty());
        site.session(ADA);
    }
}

#[test]
fn an_invitation_works_once_within_two_weeks_and_survives_invalid_input() {
    let site = TestApp::with(|config| config.signup.mode = SignupMode::Invite);
    site.person("bob-bob");
    site.invite(ADA, false);
    let token = site.invitation_token(ADA);
    site.clock.advance(days(14) - seconds(1));

    let before = site.footprint();
    let weak = site.accept(&token, ADA, "ada-ada", "too short");
    let taken = site.accept(&token, ADA, "bob-bob", PASSWORD);
    let personal = site.accept(&token, ADA, "ada-lovelace", "ada-lovelace-1815");
    assert_eq!(site.footprint(), before);
    assert!(matches!(weak, Err(SigninError::Password(PasswordFault::TooShort { .. }))));
    assert!(matches!(taken, Err(SigninError::Account(AccountError::UsernameTaken))));
    assert!(matches!(personal, Err(SigninError::Password(PasswordFault::TooPersonal))));
    site.accept(&token, ADA, "ada-ada", PASSWORD).unwrap();

    site.invite("eve@example.org", false);
    let late = site.invitation_token("eve@example.org");
    site.clock.advance(days(14));
    let before = site.footprint();
    for bad in [token.as_str(), late.as_str(), "nonsense", ""] {
        assert!(is_refused(&site.accept(bad, "eve@example.org", "eve-eve", PASSWORD)), "{bad}");
        assert!(site.invited_address(bad).is_none(), "{bad}");
    }
    assert_eq!(site.footprint(), before);
}

#[test]
fn concurrent_sign_ups_with_one_invitation_create_one_account() {
    let site = TestApp::new();
    site.invite(ADA, false);
    let token = site.invitation_token(ADA);

    let accepted = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|number| {
                let (site, token) = (&site, &token);
                scope.spawn(move || site.accept(token, ADA, &format!("ada-{number}-l"), PASSWORD))
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).filter(Result::is_ok).count()
    });

    assert_eq!(accepted, 1);
    assert_eq!(site.number("select count(*) from account"), 1);
}

#[test]
fn a_new_invitation_replaces_the_previous_one_and_a_withdrawn_one_is_invalid() {
    let site = TestApp::new();
    let first = site.invite("ADA@example.org", false);
    let old = site.invitation_token("ADA@example.org");
    site.clock.advance(seconds(1));
    let second = site.invite(ADA, false);
    let token = site.invitation_token(ADA);
    assert_ne!((first.id, &old), (second.id, &token));
    assert_eq!(site.waiting().iter().map(|one| one.id).collect::<Vec<_>>(), [second.id]);
    assert!(is_refused(&site.accept(&old, ADA, "ada-ada", PASSWORD)));

    for unknown in ["bob@example.org", "inv_00000000000000000000000000", "nonsense"] {
        assert!(matches!(site.withdraw(unknown), Err(InvitationError::NotFound)), "{unknown}");
    }
    site.withdraw(&second.id.to_string()).unwrap();

    assert!(is_refused(&site.accept(&token, ADA, "ada-ada", PASSWORD)));
    assert!(site.waiting().is_empty());
    site.invite(ADA, false);
    site.withdraw(ADA).unwrap();
    assert!(site.waiting().is_empty());
}

#[test]
fn an_operator_invitation_creates_an_operator_and_invalidates_the_claim_link() {
    let site = TestApp::new();
    let claim = site.claim();
    site.invite(ADA, true);
    site.accept(&site.invitation_token(ADA), ADA, "ada-ada", PASSWORD).unwrap();

    assert!(site.find("ada-ada").unwrap().is_operator);
    let late = site.claim_operator("bob@example.org", "bob-bob", &claim);
    assert!(matches!(late, Err(SigninError::Account(AccountError::LinkRefused))));
}

#[test]
fn only_an_operator_invites_and_an_address_with_an_account_is_not_invited() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let bob = EmailAddress::parse("bob@example.org").unwrap();
    let before = site.footprint();
    for actor in [ada.by_browser(), Actor::Anonymous(visitor())] {
        let (address, again) = (bob.clone(), actor.clone());
        let refused = site.write(move |tx| invitations::issue(tx, &actor, address, true));
        assert!(matches!(refused, Err(InvitationError::NotFound)));
        let refused = site.write(move |tx| invitations::withdraw(tx, &again, "bob@example.org"));
        assert!(matches!(refused, Err(InvitationError::NotFound)));
    }

    let taken = EmailAddress::parse("ADA-ada@example.org").unwrap();
    let refused = site.write(move |tx| invitations::issue(tx, &Actor::Operator, taken, false));

    assert!(matches!(refused, Err(InvitationError::EmailTaken)));
    assert!(site.waiting().is_empty());
    assert_eq!(site.footprint(), before);
}

#[test]
fn an_address_that_got_an_account_meanwhile_gets_no_second_one() {
    let site = TestApp::new();
    site.invite(ADA, true);
    let token = site.invitation_token(ADA);
    let person = NewPerson { email: EmailAddress::parse(ADA).unwrap(), ..site.new_person("ada-ada") };
    site.write(move |tx| signin::create_account(tx, &Actor::Operator, person)).unwrap();

    let second = site.accept(&token, ADA, "ada-two", PASSWORD);

    assert!(matches!(second, Err(SigninError::Account(AccountError::EmailTaken))));
    assert!(site.find("ada-two").is_none() && !site.find(ADA).unwrap().is_operator);
}

#[test]
fn an_earlier_claim_to_the_invited_address_becomes_void() {
    let site = TestApp::new();
    let pending = site.sign_up(ADA, "mallory").unwrap();
    let code = site.message(ADA, "code").code();
    site.invite(ADA, false);

    site.accept(&site.invitation_token(ADA), ADA, "ada-ada", PASSWORD).unwrap();

    assert!(site.prove(pending, &code).is_err());
    assert_eq!(site.find(ADA).unwrap().username.as_str(), "ada-ada");
    assert!(matches!(site.sign_in(ADA, PASSWORD), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn the_token_is_stored_nowhere_after_its_mail_and_the_address_is_deleted_with_the_invitation() {
    let site = TestApp::with(|config| config.demo = false);
    let printed = EmailAddress::parse("bob@example.org").unwrap();
    let (_, link) = site.write(move |tx| invitations::issue(tx, &Actor::Operator, printed, false)).unwrap();
    assert_eq!(token_in(link.expose()).len(), 43);
    assert!(site.columns_with(&token_in(link.expose())).is_empty());
    site.invite(ADA, false);
    let token = site.invitation_token(ADA);

    site.run_jobs();

    assert_eq!(site.columns_with(&token), Vec::<String>::new());
    assert!(site.columns_with(ADA).contains(&"invitation.address".to_owned()));
    site.clock.advance(days(14) + hours(1));
    site.write(invitations::purge_old).unwrap();
    let left = site.columns_with(ADA);
    assert!(left.iter().all(|place| !place.starts_with("invitation.")), "{left:?}");
}

#[test]
fn an_erased_person_is_no_longer_invited() {
    let site = TestApp::new();
    site.invite(ADA, false);
    let person = NewPerson { email: EmailAddress::parse(ADA).unwrap(), ..site.new_person("ada-ada") };
    let ada: AccountId =
        site.write(move |tx| Ok::<_, SigninError>(signin::create_account(tx, &Actor::Operator, person)?.id)).unwrap();
    assert_eq!(site.waiting().len(), 1);

    site.write(move |tx| domicile::privacy::erase(tx, &Actor::Operator, ada)).unwrap();

    assert!(site.waiting().is_empty());
    assert!(site.columns_with(ADA).iter().all(|place| !place.starts_with("invitation.")));
}
