//! A sign-in with an unknown browser: the person gets a mail and can undo the sign-in with one click.

use domicile::accounts;
use domicile::base::{Actor, Secret, Visitor, days, seconds};
use domicile::factors;
use domicile::sessions;
use domicile::signin::{self, SignInOutcome, SigninError, flows};
use domicile::verification::Verifier;

use crate::support::{PASSWORD, Person, SignInBuilder, TestApp, oath_code, visitor};

const OTHER: &str = "a brand new set of words";
const SUBJECT: &str = "A new device signed in";
const ADDRESS: &str = "ada-ada@example.org";

fn thief() -> Visitor {
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36".into();
    Visitor { address: "198.51.100.9".into(), agent, ..Visitor::default() }
}

impl TestApp {
    fn sign_in_with(&self, visitor: &Visitor, password: &str, remember: bool) -> Result<SignInOutcome, SigninError> {
        let form = SignInBuilder::new("ada-ada", password).remember(remember).build();
        self.block_on(flows::sign_in(&self.app, visitor.clone(), form))
    }

    /// A sign-in that succeeds: the session cookie, and the visitor with the device cookie that the browser now has.
    fn signed_in(&self, visitor: &Visitor) -> (String, Visitor) {
        match self.sign_in_with(visitor, PASSWORD, false) {
            Ok(SignInOutcome::Session { token, device, .. }) => {
                let device = sessions::read_device(self.app.keyring(), device.expose());
                (token.expose().clone(), Visitor { device, ..visitor.clone() })
            }
            Ok(SignInOutcome::VerificationPending(_) | SignInOutcome::MfaPending(_)) => {
                panic!("another step is required")
            }
            Err(error) => panic!("the sign-in failed: {error}"),
        }
    }

    fn new_device_mails(&self) -> i64 {
        self.number("select count(*) from mail_outbox where subject = 'A new device signed in to your account'")
    }

    fn link(&self) -> String {
        let link = self.message(ADDRESS, SUBJECT).link("/not-me?token=");
        link.rsplit('=').next().unwrap().to_owned()
    }

    fn report(&self, token: &str) -> Result<(), SigninError> {
        let (actor, token) = (Actor::Anonymous(Visitor::default()), token.to_owned());
        self.write(move |tx| signin::not_me(tx, &actor, &token))
    }

    fn is_alive(&self, cookie: &str) -> bool {
        self.read(|view| sessions::current(view, cookie).unwrap().is_some())
    }

    fn reset_by_mail(&self) {
        let link = self.message(ADDRESS, "Set your password").link("/reset?token=");
        let token = link.rsplit('=').next().unwrap().to_owned();
        self.block_on(flows::reset(&self.app, visitor(), token, Secret::new(OTHER.into()))).unwrap();
    }

    /// Ada at home, and a thief who knows her password: the cookies of both sessions.
    fn stolen(&self) -> (Person, String, String) {
        let ada = self.person("ada-ada");
        let (home, _) = self.signed_in(&visitor());
        let (stolen, _) = self.signed_in(&thief());
        (ada, home, stolen)
    }
}

#[test]
fn only_a_new_browser_of_a_person_who_has_another_one_sends_a_mail() {
    let site = TestApp::new();
    site.person("ada-ada");
    let (_, home) = site.signed_in(&visitor());
    assert_eq!(site.new_device_mails(), 0, "her first sign-in");
    site.signed_in(&Visitor { address: "192.0.2.200".into(), agent: "renamed".into(), ..home.clone() });
    assert_eq!(site.new_device_mails(), 0, "the same browser with another address and user agent");

    site.signed_in(&thief());

    assert_eq!(site.new_device_mails(), 1);
    let message = site.message(ADDRESS, SUBJECT);
    for detail in ["Chrome on Windows", "198.51.100.9", "3 May 2026, 09:00 UTC"] {
        assert!(message.text.contains(detail), "{detail} is not in {message:?}");
    }
    let of = "select count(*) from audit_event where event = 'auth.signin_succeeded' and data_json like '%\"new_device\":true%'";
    assert_eq!(site.number(of), 1);
}

#[test]
fn device_cookies_cannot_be_forged_and_do_not_link_two_people_at_one_browser() {
    let site = TestApp::new();
    let keyring = site.app.keyring();
    for forged in ["", "x", ".", "secret.", "secret.0000", &format!("secret.{}", keyring.mac("csrf", "secret"))] {
        assert!(sessions::read_device(keyring, forged).is_none(), "{forged:?}");
    }
    let [ada, bob] = ["ada-ada", "bob-bob"].map(|name| site.person(name).account.id);
    let device = Some(Secret::new("the same browser".to_owned()));
    let shared = Visitor { device, ..visitor() };
    let knows = |account| {
        let shared = shared.clone();
        site.read(|view| sessions::is_known_device(view, account, &shared).unwrap())
    };
    let by = shared.clone();
    site.write(move |tx| sessions::note_device(tx, ada, &by)).unwrap();
    assert_eq!((knows(ada), knows(bob)), (true, false));
    let by = shared.clone();
    site.write(move |tx| sessions::note_device(tx, bob, &by)).unwrap();
    assert_eq!((knows(ada), knows(bob)), (true, true));
    assert_eq!(site.number("select count(distinct digest) from device"), 2);
    assert!(site.columns_with("the same browser").is_empty());
}

#[test]
fn one_click_ends_every_session_and_locks_the_account_until_there_is_a_new_password() {
    let site = TestApp::new();
    let (ada, home, stolen) = site.stolen();
    let key = site.api_key(&ada, "ci").secret;
    let verifier = Verifier::new(site.app.clone());
    let is_good = || verifier.verify(key.expose()).unwrap().into_result().is_ok();
    assert!(is_good() && site.is_alive(&home) && site.is_alive(&stolen));
    let token = site.link();
    let before = site.footprint();
    let sign_in =
        site.read(|view| signin::find_not_me(view, &token).unwrap()).flatten().expect("the sign-in of the link");
    assert_eq!(sign_in.visitor.address, "198.51.100.9");
    assert!(site.footprint() == before && is_good() && site.is_alive(&stolen), "looking at the link changes nothing");

    site.report(&token).unwrap();

    assert!(!is_good() && !site.is_alive(&home) && !site.is_alive(&stolen));
    // The old password no longer works, in any browser.
    for who in [thief(), visitor()] {
        assert!(matches!(site.sign_in_with(&who, PASSWORD, false), Err(SigninError::BadCredentials)));
    }
    let subjects = "select group_concat(event, ' ') from (select event from audit_event order by seq desc limit 6)";
    let events = site.read(|view| view.one(subjects, [], |row| row.get::<_, String>(0)).unwrap());
    for event in ["auth.signin_disowned", "session.revoked_all", "account.keys_locked", "auth.password_reset_requested"]
    {
        assert!(events.contains(event), "{event} is not among {events}");
    }

    site.reset_by_mail();

    assert!(is_good());
    site.message(ADDRESS, "Your password was changed");
    assert!(site.message(ADDRESS, "API keys work again").text.contains("/settings/keys"));
    assert!(site.sign_in_with(&visitor(), OTHER, false).is_ok());
    assert!(matches!(site.sign_in_with(&thief(), PASSWORD, false), Err(SigninError::BadCredentials)));
    let mails = site.new_device_mails();
    site.sign_in_with(&thief(), OTHER, false).unwrap();
    assert_eq!(site.new_device_mails(), mails + 1, "the browser of that sign-in is unknown again");
}

#[test]
fn after_a_report_no_browser_is_trusted_any_more() {
    let site = TestApp::new();
    let ada = site.person("ada-ada").account.id;
    let (_, home) = site.signed_in(&visitor());
    let (_, stolen) = site.signed_in(&thief());
    let knows = |browser: &Visitor| site.read(|view| sessions::is_known_device(view, ada, browser).unwrap());
    assert!(knows(&home) && knows(&stolen));

    site.report(&site.link()).unwrap();

    assert!(!knows(&home) && !knows(&stolen));
}

#[test]
fn the_link_works_once_within_a_week_and_is_stored_as_a_digest() {
    let site = TestApp::with(|config| config.demo = false);
    site.stolen();
    let token = site.link();
    assert_eq!(site.columns_with(&token), ["mail_outbox.body_text", "mail_outbox.body_html"]);
    site.run_jobs();
    assert!(site.columns_with(&token).is_empty(), "its mail was sent");

    let refused = |token: &str| {
        let before = site.footprint();
        let refusal = site.report(token).unwrap_err();
        assert!(matches!(refusal, SigninError::Account(accounts::AccountError::LinkRefused)), "{refusal}");
        assert!(site.read(|view| signin::find_not_me(view, token).unwrap()).is_none());
        assert_eq!(site.footprint(), before);
    };
    refused("");
    refused("nonsense");
    site.clock.advance(days(7) - seconds(1));
    assert!(site.read(|view| signin::find_not_me(view, &token).unwrap()).is_some());
    site.report(&token).unwrap();
    refused(&token);

    let late = TestApp::new();
    let (_, home, _) = late.stolen();
    let token = late.link();
    late.clock.advance(days(7));
    assert!(matches!(late.report(&token), Err(SigninError::Account(accounts::AccountError::LinkRefused))));
    assert_eq!(late.number("select count(*) from account where keys_locked_at is not null"), 0);
    drop(home);
}

#[test]
fn the_link_still_works_after_the_thief_changed_the_password() {
    let site = TestApp::new();
    let (ada, _, stolen) = site.stolen();
    let token = site.link();
    let session = site.read(|view| sessions::current(view, &stolen).unwrap()).unwrap().id;
    let actor = Actor::SignedIn { account: ada.account.id, workspace: ada.workspace, session, visitor: thief() };
    let new = Secret::new("the thief's own password".to_owned());
    let renewed = site.block_on(flows::change_password(&site.app, actor, ada.account.id, session, new)).unwrap();
    let stolen = renewed.token.expose().clone();
    assert!(site.is_alive(&stolen));

    site.report(&token).unwrap();

    assert!(!site.is_alive(&stolen));
    let again = site.sign_in_with(&thief(), "the thief's own password", false);
    assert!(matches!(again, Err(SigninError::BadCredentials)));
    site.reset_by_mail();
    assert!(site.sign_in_with(&visitor(), OTHER, false).is_ok());
}

#[test]
fn factors_and_connected_accounts_of_the_thief_are_removed_and_earlier_ones_stay() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.connect(&ada, "her own");
    site.signed_in(&visitor());
    let set_up = |site: &TestApp| {
        let (actor, account) = (ada.by_browser(), ada.account.id);
        site.write(move |tx| factors::start_totp_setup(tx, &actor, account)).unwrap();
        let seed = site.read(|view| factors::totp_setup(view, account).unwrap().unwrap()).seed;
        let code = oath_code(seed.base32().expose(), site.clock.now().unix_seconds());
        let actor = ada.by_browser();
        site.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
    };
    let enrolled = |site: &TestApp| site.read(|view| factors::enrolled(view, ada.account.id).unwrap().has_totp);
    site.clock.advance(seconds(60));
    site.signed_in(&thief());
    let token = site.link();
    site.clock.advance(seconds(60));
    set_up(&site);
    site.connect(&ada, "the thief's");
    assert!(enrolled(&site));

    site.report(&token).unwrap();

    assert!(!enrolled(&site));
    assert_eq!(site.connected(&ada), ["her own"]);
    site.reset_by_mail();
    assert!(
        matches!(site.sign_in_with(&visitor(), OTHER, false), Ok(SignInOutcome::Session { .. })),
        "no second factor is required"
    );
}

#[test]
fn a_link_of_a_suspended_person_does_not_reactivate_the_account() {
    let site = TestApp::new();
    let (ada, ..) = site.stolen();
    let token = site.link();
    site.suspend(&ada);
    let messages = site.number("select count(*) from mail_outbox");

    site.report(&token).unwrap();

    assert_eq!(site.number("select count(*) from account where state = 'suspended'"), 1);
    assert_eq!(site.number("select count(*) from mail_outbox"), messages, "no link to set a password");
}

#[test]
fn operators_are_never_remembered() {
    let site = TestApp::new();
    site.person("ada-ada");
    let kept = || match site.sign_in_with(&visitor(), PASSWORD, true) {
        Ok(SignInOutcome::Session { token, keep, .. }) => {
            let ends_at = site.read(|view| sessions::current(view, token.expose()).unwrap()).unwrap().ends_at;
            (keep, ends_at.since(site.clock.now()))
        }
        _ => panic!("the sign-in failed"),
    };
    assert_eq!(kept(), (Some(days(30)), days(30)));

    let made = "update account set is_operator = 1";
    site.write(move |tx| tx.execute(made, [])).unwrap();

    assert_eq!(kept(), (None, domicile::base::hours(12)));
}
