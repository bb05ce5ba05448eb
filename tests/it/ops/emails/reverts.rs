//! Reverts: a thief took the account over by its primary address, and the owner has the mail that was sent to the old
//! one.

use domicile::accounts::{self, AccountError, LinkPurpose, REVERT_LIFE, addresses};
use domicile::api_keys::{self, KeyState};
use domicile::base::{EmailAddress, EmailId, Secret, days, hours, minutes, seconds};
use domicile::factors;
use domicile::sessions;
use domicile::signin::{self, SigninError, flows};

use crate::support::{PASSWORD, Person, TestApp, oath_code, visitor};

const OLD: &str = "ada-ada@example.org";

impl TestApp {
    /// Adds and verifies an address.
    fn add_and_verify(&self, person: &Person, email: &'static str) -> EmailId {
        let (actor, id) = (person.by_browser(), person.account.id);
        let address = EmailAddress::parse(email).unwrap();
        let by = actor.clone();
        let added = self.write(move |tx| addresses::add_email(tx, &by, id, &address)).unwrap();
        let code = self.message(email, "code").code();
        self.write_deciding(move |tx| signin::verify_added_email(tx, &actor, id, added, &code)).unwrap();
        added
    }

    fn make_primary(&self, person: &Person, email: EmailId) {
        let (actor, id) = (person.by_browser(), person.account.id);
        self.write(move |tx| signin::set_primary_email(tx, &actor, id, email)).unwrap();
    }

    /// The secret of the newest revert link that was sent to `to`.
    fn revert_token(&self, to: &str) -> String {
        let link = self.message(to, "primary address was changed").link("/revert");
        link.split_once("token=").unwrap().1.to_owned()
    }

    fn revert(&self, token: &str) -> Result<String, SigninError> {
        self.block_on(flows::revert_email(&self.app, visitor(), token.to_owned())).map(|address| address.to_string())
    }

    fn addresses_of(&self, person: &Person) -> Vec<String> {
        let id = person.account.id;
        self.read(|view| accounts::emails(view, id).unwrap()).iter().map(|email| email.address.to_string()).collect()
    }

    fn set_up_app(&self, person: &Person) {
        let (actor, id) = (person.by_browser(), person.account.id);
        let by = actor.clone();
        self.write(move |tx| factors::start_totp_setup(tx, &by, id)).unwrap();
        let seed = self.read(|view| factors::totp_setup(view, id).unwrap()).unwrap().seed;
        let code = oath_code(seed.base32().expose(), self.clock.now().unix_seconds());
        self.write(move |tx| factors::confirm_totp(tx, &actor, id, &code)).unwrap();
    }

    /// Requests a link to set a password, and sets a new one with it.
    fn set_password_by_mail(&self, address: &str, password: &str) {
        self.block_on(flows::request_reset(&self.app, visitor(), address)).unwrap();
        self.follow_reset(address, password);
    }

    fn follow_reset(&self, address: &str, password: &str) {
        let link = self.message(address, "Set your password").link("/reset");
        let token = link.split_once("token=").unwrap().1.to_owned();
        self.block_on(flows::reset(&self.app, visitor(), token, Secret::new(password.to_owned()))).unwrap();
    }

    fn is_live(&self, token: &Secret<String>) -> bool {
        self.read(|view| sessions::current(view, token.expose()).unwrap()).is_some()
    }

    fn key_states(&self, person: &Person) -> Vec<(String, bool)> {
        let workspace = person.workspace;
        let listed = self.read(|view| api_keys::list(view, workspace).unwrap());
        let mut states: Vec<_> = listed.into_iter().map(|key| (key.name, key.state == KeyState::Active)).collect();
        states.sort();
        states
    }
}

fn is_refused(tried: &Result<String, SigninError>) -> bool {
    matches!(tried, Err(SigninError::Account(AccountError::LinkRefused)))
}

#[test]
fn the_link_gives_the_account_back_after_a_thief_changed_everything() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.api_key(&ada, "her own");
    site.connect(&ada, "her own");
    let hers = site.add_and_verify(&ada, "ada@home.example");
    site.clock.advance(days(30));
    let at_home = site.session("ada-ada");

    // The thief uses a browser in which she is signed in.
    let id = ada.account.id;
    site.api_key(&ada, "made before the address");
    site.clock.advance(minutes(1));
    let mallorys = site.add_and_verify(&ada, "mallory@evil.example");
    site.make_primary(&ada, mallorys);
    let token = site.revert_token(OLD);
    site.clock.advance(hours(2));
    let second = site.add_and_verify(&ada, "mallory@worse.example");
    site.make_primary(&ada, second);
    site.set_password_by_mail("mallory@worse.example", "mallory likes long walks");
    site.api_key(&ada, "the thief's");
    let signin::SignInOutcome::Session { token: thiefs, .. } =
        site.sign_in("ada-ada", "mallory likes long walks").unwrap()
    else {
        panic!("the thief has no session")
    };
    site.set_up_app(&ada);
    site.connect(&ada, "the thief's");
    let reset = site.write(move |tx| accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(id))).unwrap();
    site.clock.advance(days(3));

    assert_eq!(site.revert(&token).unwrap(), OLD);

    assert_eq!(site.addresses_of(&ada), [OLD, "ada@home.example"]);
    assert_eq!(site.read(|view| accounts::primary_email(view, id).unwrap()).unwrap().as_str(), OLD);
    assert!(!site.is_live(&thiefs) && !site.is_live(&at_home));
    assert!(!site.read(|view| factors::enrolled(view, id).unwrap()).is_any(), "the thief's app is gone");
    assert_eq!(site.connected(&ada), ["her own"]);
    assert!(site.sign_in("ada-ada", "mallory likes long walks").is_err());
    assert!(
        site.read(|view| accounts::find_by_link(view, LinkPurpose::PasswordReset, reset.expose()).unwrap()).is_none()
    );
    assert_eq!(
        site.key_states(&ada),
        [("her own".to_owned(), true), ("made before the address".to_owned(), true), ("the thief's".to_owned(), false)]
    );
    assert_eq!(site.read(|view| accounts::emails(view, id).unwrap())[1].id, hers);
    // The restored address gets a notice and a link to set a new password.
    site.message(OLD, "Your address is restored");
    site.follow_reset(OLD, PASSWORD);
    site.session("ada-ada");
}

#[test]
fn the_link_is_valid_for_a_week_and_once() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let work = site.add_and_verify(&ada, "ada@work.example");
    site.make_primary(&ada, work);
    let hers = site.revert_token(OLD);
    let works = site.add_and_verify(&bob, "bob@work.example");
    site.make_primary(&bob, works);
    let his = site.revert_token("bob-bob@example.org");

    site.clock.advance(REVERT_LIFE - seconds(1));
    site.revert(&hers).unwrap();
    site.clock.advance(seconds(1));
    let before = (site.footprint(), site.addresses_of(&ada), site.addresses_of(&bob));
    for token in [hers.as_str(), his.as_str(), "", "nonsense"] {
        assert!(is_refused(&site.revert(token)), "{token}");
    }

    assert_eq!((site.footprint(), site.addresses_of(&ada), site.addresses_of(&bob)), before);
    assert_eq!(site.addresses_of(&bob)[0], "bob@work.example");
}

#[test]
fn a_new_password_does_not_invalidate_the_revert_link() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let work = site.add_and_verify(&ada, "ada@work.example");
    site.make_primary(&ada, work);
    let token = site.revert_token(OLD);

    // The thief, who reads the mail of the new address, sets a new password.
    site.set_password_by_mail("ada@work.example", "mallory likes long walks");

    assert_eq!(site.revert(&token).unwrap(), OLD);
}

#[test]
fn a_link_with_another_purpose_cannot_revert() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let id = ada.account.id;
    let work = site.add_and_verify(&ada, "ada@work.example");
    site.make_primary(&ada, work);
    let reset = site.write(move |tx| accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(id))).unwrap();
    let revert = site.revert_token(OLD);
    // A reset with a wrong link is counted for its network.
    let before = site.footprint().without("throttle");

    assert!(is_refused(&site.revert(reset.expose())));
    let password = Secret::new(PASSWORD.to_owned());
    assert!(site.block_on(flows::reset(&site.app, visitor(), revert, password)).is_err());
    assert_eq!(site.footprint().without("throttle"), before);
}

#[test]
fn a_person_who_changes_back_leaves_no_valid_link() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let id = ada.account.id;
    let old = site.read(|view| accounts::emails(view, id).unwrap())[0].id;
    let work = site.add_and_verify(&ada, "ada@work.example");
    site.make_primary(&ada, work);
    let token = site.revert_token(OLD);

    site.make_primary(&ada, old);

    assert!(is_refused(&site.revert(&token)));
    // Otherwise the abandoned address could take the account over.
    let messages = site.read(crate::support::messages);
    let to_work: Vec<_> = messages.iter().filter(|message| message.to == "ada@work.example").collect();
    assert!(to_work.iter().all(|message| !message.text.contains("/revert?")), "{to_work:?}");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    site.write(move |tx| signin::remove_email(tx, &actor, id, work)).unwrap();
}

#[test]
fn the_thief_cannot_revert_the_revert() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let first = site.add_and_verify(&ada, "mallory@evil.example");
    site.make_primary(&ada, first);
    let hers = site.revert_token(OLD);
    let second = site.add_and_verify(&ada, "mallory@worse.example");
    site.make_primary(&ada, second);
    let thiefs = site.revert_token("mallory@evil.example");

    site.revert(&hers).unwrap();

    assert!(is_refused(&site.revert(&thiefs)));
    assert_eq!(site.addresses_of(&ada), [OLD]);
}

#[test]
fn with_an_old_address_a_revert_ends_only_what_was_created_after_the_change() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let work = site.add_and_verify(&ada, "ada@work.example");
    site.clock.advance(days(8));
    site.api_key(&ada, "before the change");
    site.add_and_verify(&ada, "ada@home.example");
    site.clock.advance(minutes(1));
    site.make_primary(&ada, work);
    site.api_key(&ada, "after the change");

    site.revert(&site.revert_token(OLD)).unwrap();

    assert_eq!(site.key_states(&ada), [("after the change".to_owned(), false), ("before the change".to_owned(), true)]);
    assert_eq!(site.addresses_of(&ada), [OLD, "ada@home.example"]);
}
