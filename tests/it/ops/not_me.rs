//! A sign-in with a browser that nobody knows is told to its person, who undoes it with one click.

use domicile::accounts;
use domicile::api_keys::Verifier;
use domicile::base::{Actor, Secret, Visitor, days, seconds};
use domicile::factors;
use domicile::sessions;
use domicile::signin::{self, SignIn, SigninError, Started, flows};

use crate::support::{PASSWORD, Person, TestApp, oath_code, visitor};

const OTHER: &str = "a brand new set of words";
const NEWS: &str = "A new device signed in";
const ADDRESS: &str = "ada-ada@example.org";

fn thief() -> Visitor {
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 PageContext/150.0 Safari/537.36".into();
    Visitor { address: "198.51.100.9".into(), agent, ..Visitor::default() }
}

impl TestApp {
    fn enter_with(&self, visitor: &Visitor, password: &str, remember: bool) -> Result<Started, SigninError> {
        let form = SignIn { name: "ada-ada".into(), password: Secret::new(password.into()), remember };
        self.block_on(flows::sign_in(&self.app, visitor.clone(), form))
    }

    /// A sign-in that works: the session's cookie, and the visitor with the device cookie that their browser now has.
    fn enters(&self, visitor: &Visitor) -> (String, Visitor) {
        match self.enter_with(visitor, PASSWORD, false) {
            Ok(Started::Session { token, device, .. }) => {
                let device = sessions::read_device(self.app.keyring(), device.expose());
                (token.expose().clone(), Visitor { device, ..visitor.clone() })
            }
            Ok(Started::MustVerify(_) | Started::MustProve(_)) => panic!("nothing is owed"),
            Err(error) => panic!("not let in: {error}"),
        }
    }

    fn news(&self) -> i64 {
        self.number("select count(*) from mail_outbox where subject = 'A new device signed in to your account'")
    }

    fn link(&self) -> String {
        let link = self.message(ADDRESS, NEWS).link("/not-me?token=");
        link.rsplit('=').next().unwrap().to_owned()
    }

    fn disown(&self, token: &str) -> Result<(), SigninError> {
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

    /// Ada at home, and somebody else who knows her password.
    fn robbed(&self) -> (Person, String, String) {
        let ada = self.person("ada-ada");
        let (home, _) = self.enters(&visitor());
        let (robbed, _) = self.enters(&thief());
        (ada, home, robbed)
    }
}

#[test]
fn only_a_browser_that_is_new_to_somebody_who_has_others_is_news() {
    let site = TestApp::new();
    site.person("ada-ada");
    let (_, home) = site.enters(&visitor());
    assert_eq!(site.news(), 0, "her first sign-in");
    site.enters(&Visitor { address: "192.0.2.200".into(), agent: "renamed".into(), ..home.clone() });
    assert_eq!(site.news(), 0, "the same browser, wherever it is and whatever it calls itself");

    site.enters(&thief());

    assert_eq!(site.news(), 1);
    let message = site.message(ADDRESS, NEWS);
    for told in ["PageContext on Windows", "198.51.100.9", "3 May 2026, 09:00 UTC"] {
        assert!(message.text.contains(told), "{told} is not in {message:?}");
    }
    let of = "select count(*) from audit_event where event = 'auth.signin_succeeded' and data_json like '%\"new_device\":true%'";
    assert_eq!(site.number(of), 1);
}

#[test]
fn nobody_chooses_the_secret_of_a_browser_and_two_people_at_one_are_not_seen_together() {
    let site = TestApp::new();
    let keyring = site.app.keyring();
    for forged in ["", "x", ".", "secret.", "secret.0000", &format!("secret.{}", keyring.mark("csrf", "secret"))] {
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
    assert!(site.places_of("the same browser").is_empty());
}

#[test]
fn one_click_ends_everything_and_keeps_it_closed_until_there_is_a_new_password() {
    let site = TestApp::new();
    let (ada, home, robbed) = site.robbed();
    let key = site.api_key(&ada, "ci").secret;
    let verifier = Verifier::new(site.app.clone());
    let is_good = || verifier.verify(key.expose()).unwrap().is_ok();
    assert!(is_good() && site.is_alive(&home) && site.is_alive(&robbed));
    let token = site.link();
    let before = site.footprint();
    let shown = site.read(|view| signin::find_not_me(view, &token).unwrap()).flatten().expect("the sign-in is shown");
    assert_eq!(shown.visitor.address, "198.51.100.9");
    assert!(site.footprint() == before && is_good() && site.is_alive(&robbed), "a look changes nothing");

    site.disown(&token).unwrap();

    assert!(!is_good() && !site.is_alive(&home) && !site.is_alive(&robbed));
    // Whoever knows the password knows nothing any more, on whichever browser.
    for who in [thief(), visitor()] {
        assert!(matches!(site.enter_with(&who, PASSWORD, false), Err(SigninError::BadCredentials)));
    }
    let subjects = "select group_concat(event, ' ') from (select event from audit_event order by seq desc limit 6)";
    let events = site.read(|view| view.one(subjects, [], |row| row.get::<_, String>(0)).unwrap());
    for event in ["auth.signin_disowned", "session.revoked_all", "account.keys_locked", "auth.password_reset_requested"]
    {
        assert!(events.contains(event), "{event} is not among {events}");
    }

    site.reset_by_mail();

    assert!(is_good());
    assert!(site.message(ADDRESS, "API keys work again").text.contains("/settings/keys"));
    assert!(site.enter_with(&visitor(), OTHER, false).is_ok());
    assert!(matches!(site.enter_with(&thief(), PASSWORD, false), Err(SigninError::BadCredentials)));
    let news = site.news();
    site.enter_with(&thief(), OTHER, false).unwrap();
    assert_eq!(site.news(), news + 1, "the browser of that sign-in is news again");
}

#[test]
fn the_link_is_good_once_for_a_week_and_stored_as_a_digest() {
    let site = TestApp::with(|config| config.demo = false);
    site.robbed();
    let token = site.link();
    assert_eq!(site.places_of(&token), ["mail_outbox.body_text", "mail_outbox.body_html"]);
    site.run_jobs();
    assert!(site.places_of(&token).is_empty(), "its mail went out");

    let refused = |token: &str| {
        let before = site.footprint();
        let told = site.disown(token).unwrap_err();
        assert!(matches!(told, SigninError::Account(accounts::AccountError::LinkRefused)), "{told}");
        assert!(site.read(|view| signin::find_not_me(view, token).unwrap()).is_none());
        assert_eq!(site.footprint(), before);
    };
    refused("");
    refused("nonsense");
    site.clock.advance(days(7) - seconds(1));
    assert!(site.read(|view| signin::find_not_me(view, &token).unwrap()).is_some());
    site.disown(&token).unwrap();
    refused(&token);

    let late = TestApp::new();
    let (_, home, _) = late.robbed();
    let token = late.link();
    late.clock.advance(days(7));
    assert!(matches!(late.disown(&token), Err(SigninError::Account(accounts::AccountError::LinkRefused))));
    assert_eq!(late.number("select count(*) from account where keys_locked_at is not null"), 0);
    drop(home);
}

#[test]
fn a_thief_who_sets_a_password_first_does_not_make_the_link_worthless() {
    let site = TestApp::new();
    let (ada, _, robbed) = site.robbed();
    let token = site.link();
    let session = site.read(|view| sessions::current(view, &robbed).unwrap()).unwrap().id;
    let actor = Actor::SignedIn { account: ada.account.id, workspace: ada.workspace, session, visitor: thief() };
    let new = Secret::new("the thief's own password".to_owned());
    let renewed = site.block_on(flows::change_password(&site.app, actor, ada.account.id, session, new)).unwrap();
    let robbed = renewed.token.expose().clone();
    assert!(site.is_alive(&robbed));

    site.disown(&token).unwrap();

    assert!(!site.is_alive(&robbed));
    let again = site.enter_with(&thief(), "the thief's own password", false);
    assert!(matches!(again, Err(SigninError::BadCredentials)));
    site.reset_by_mail();
    assert!(site.enter_with(&visitor(), OTHER, false).is_ok());
}

#[test]
fn factors_and_accounts_elsewhere_that_the_thief_added_are_gone_and_those_from_before_stay() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.connect(&ada, "her own");
    site.enters(&visitor());
    let set_up = |site: &TestApp| {
        let (actor, account) = (ada.by_browser(), ada.account.id);
        site.write(move |tx| factors::set_up(tx, &actor, account)).unwrap();
        let seed = site.read(|view| factors::set_up_under_way(view, account).unwrap().unwrap()).seed;
        let code = oath_code(seed.base32().expose(), site.clock.now().unix_seconds());
        let actor = ada.by_browser();
        site.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
    };
    let enrolled = |site: &TestApp| site.read(|view| factors::enrolled(view, ada.account.id).unwrap().has_totp);
    site.clock.advance(seconds(60));
    site.enters(&thief());
    let token = site.link();
    site.clock.advance(seconds(60));
    set_up(&site);
    site.connect(&ada, "the thief's");
    assert!(enrolled(&site));

    site.disown(&token).unwrap();

    assert!(!enrolled(&site));
    assert_eq!(site.connected(&ada), ["her own"]);
    site.reset_by_mail();
    assert!(matches!(site.enter_with(&visitor(), OTHER, false), Ok(Started::Session { .. })), "no factor is owed");
}

#[test]
fn a_link_of_somebody_who_was_stopped_gives_nothing_back() {
    let site = TestApp::new();
    let (ada, ..) = site.robbed();
    let token = site.link();
    site.suspend(&ada);
    let messages = site.number("select count(*) from mail_outbox");

    site.disown(&token).unwrap();

    assert_eq!(site.number("select count(*) from account where state = 'suspended'"), 1);
    assert_eq!(site.number("select count(*) from mail_outbox"), messages, "no link to set a password");
}

#[test]
fn operators_are_never_remembered() {
    let site = TestApp::new();
    site.person("ada-ada");
    let kept = || match site.enter_with(&visitor(), PASSWORD, true) {
        Ok(Started::Session { token, keep, .. }) => {
            let ends_at = site.read(|view| sessions::current(view, token.expose()).unwrap()).unwrap().ends_at;
            (keep, ends_at.since(site.clock.now()))
        }
        _ => panic!("not let in"),
    };
    assert_eq!(kept(), (Some(days(30)), days(30)));

    let made = "update account set is_operator = 1";
    site.write(move |tx| tx.execute(made, [])).unwrap();

    assert_eq!(kept(), (None, domicile::base::hours(12)));
}
