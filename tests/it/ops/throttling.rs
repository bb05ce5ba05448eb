//! P7: wrong proofs of one account are few, whoever tries what and where; and no stranger keeps anybody out.

use domicile::accounts::{AccountError, addresses};
use domicile::base::{Actor, EmailAddress, Secret, Visitor, days, hours, minutes, seconds};
use domicile::factors::{self, FactorError, Half};
use domicile::privacy::{self, PrivacyError};
use domicile::sessions::{self, Guard, Throttled};
use domicile::signin::{self, Presented, SignIn, SigninError, Started, StepUp, flows};

use crate::support::{PASSWORD, Person, TestApp, oath_code, visitor};

const WRONG: &str = "battery horse, no staple";
const OTHER: &str = "a brand new set of words";

/// Where somebody can prove that they are a person of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Username,
    Address,
    StepUp,
    StepUpCode,
    Code,
    RecoveryCode,
    Deletion,
    ResetLink,
}

/// What a wrong proof came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It was looked at.
    Wrong,
    /// It was not, and this is told.
    Wait,
    /// It was not, and this is not told.
    Silence,
}

fn at(address: &str) -> Visitor {
    Visitor { address: address.into(), ..visitor() }
}

impl TestApp {
    fn come(&self, visitor: &Visitor, name: &str, password: &str) -> Result<Started, SigninError> {
        let form = SignIn { name: name.into(), password: Secret::new(password.into()), remember: false };
        self.block_on(flows::sign_in(&self.app, visitor.clone(), form))
    }

    /// The visitor once they signed in: with the device cookie that their browser keeps.
    fn known(&self, name: &str, from: Visitor) -> Visitor {
        let Ok(Started::Session { device, .. }) = self.come(&from, name, PASSWORD) else {
            panic!("{name} is not let in")
        };
        Visitor { device: sessions::read_device(self.app.keyring(), device.expose()), ..from }
    }

    fn knock(&self, door: Door, ada: &Person, visitor: &Visitor) -> Told {
        let by_name = |name: &str| {
            let actor = Actor::Anonymous(visitor.clone());
            let is_silent = self.read(|view| {
                let guard = Guard::at_the_door(view, &actor, name, Some(ada.account.id)).unwrap();
                guard.must_wait(view).unwrap().is_none() && guard.is_silent(view).unwrap()
            });
            match self.come(visitor, name, WRONG) {
                Err(SigninError::BadCredentials) if is_silent => Told::Silence,
                Err(SigninError::BadCredentials) => Told::Wrong,
                Err(SigninError::Throttled(Throttled { wait_seconds })) if wait_seconds > 0 => Told::Wait,
                other => panic!("{name}: {:?}", other.err()),
            }
        };
        let account = ada.account.id;
        let Actor::SignedIn { session, .. } = ada.by_browser() else { panic!("a browser has a session") };
        let typed = || Secret::new(WRONG.to_owned());
        match door {
            Door::Username => by_name("ada-ada"),
            Door::Address => by_name("ada-ada@example.org"),
            Door::StepUp | Door::StepUpCode => {
                let proof = match door {
                    Door::StepUp => StepUp::Password(typed()),
                    _ => StepUp::Factor(Presented::Typed(Secret::new("000000".into()))),
                };
                match self.block_on(flows::step_up(&self.app, ada.by_browser(), account, session, proof)) {
                    Err(SigninError::NotProved) => Told::Wrong,
                    Err(SigninError::Throttled(_) | SigninError::Factor(FactorError::Throttled(_))) => Told::Wait,
                    other => panic!("{:?}", other.err()),
                }
            }
            Door::Code => self.second_step_of(ada, visitor, "000000"),
            Door::RecoveryCode => self.second_step_of(ada, visitor, "00000-00000-00000"),
            Door::Deletion => {
                let now = self.app.now();
                let asked =
                    privacy::flows::delete_account(&self.app, ada.by_browser(), account, "DELETE", typed(), now);
                match self.block_on(asked) {
                    Err(PrivacyError::WrongPassword) => Told::Wrong,
                    Err(PrivacyError::Throttled { .. }) => Told::Wait,
                    other => panic!("{:?}", other.err()),
                }
            }
            Door::ResetLink => {
                match self.block_on(flows::reset(&self.app, visitor.clone(), "x".repeat(43), typed())) {
                    // It is about nobody: 256 bits are not guessed, and no proof of anybody is looked at.
                    Err(SigninError::Account(AccountError::LinkRefused)) => Told::Silence,
                    Err(SigninError::Throttled(_)) => Told::Wait,
                    other => panic!("{:?}", other.err()),
                }
            }
        }
    }

    /// Somebody who knows the password types a code.
    fn second_step_of(&self, ada: &Person, visitor: &Visitor, code: &str) -> Told {
        let half = Half { account: ada.account.id, method: "password".into(), remember: false };
        let token = self.write(move |tx| factors::owe(tx, &half)).unwrap().expose().clone();
        let presented = Presented::Typed(Secret::new(code.to_owned()));
        match self.block_on(flows::prove_half(&self.app, visitor.clone(), token, presented)) {
            Err(SigninError::Factor(FactorError::CodeRefused)) => Told::Wrong,
            Err(SigninError::Factor(FactorError::Throttled(_))) => Told::Wait,
            other => panic!("{:?}", other.err()),
        }
    }

    /// An authenticator app for the person: its secret.
    fn enrols(&self, ada: &Person) -> String {
        let (actor, account) = (ada.by_browser(), ada.account.id);
        self.write(move |tx| factors::set_up(tx, &actor, account)).unwrap();
        let seed = self.read(|view| factors::set_up_under_way(view, account).unwrap().unwrap()).seed;
        let secret = seed.base32().expose().clone();
        let code = oath_code(&secret, self.clock.now().unix_seconds());
        let actor = ada.by_browser();
        self.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        self.clock.advance(minutes(1));
        secret
    }

    /// The newest link to set a password, followed.
    fn resets(&self, visitor: &Visitor, password: &str) -> Visitor {
        let link = self.message("ada-ada@example.org", "Set your password").link("/reset?token=");
        let token = link.rsplit('=').next().unwrap().to_owned();
        let done = flows::reset(&self.app, visitor.clone(), token, Secret::new(password.into()));
        let device = self.block_on(done).unwrap();
        Visitor { device: sessions::read_device(self.app.keyring(), device.expose()), ..visitor.clone() }
    }

    /// Tries the doors one after the other, 200 times in 20 minutes, from ever new networks: how many of the proofs were
    /// looked at in the worst quarter of an hour, and at which doors.
    fn besiege(&self, ada: &Person, doors: &[Door]) -> (usize, Vec<Door>) {
        let mut looked_at = Vec::new();
        for number in 0..200_u64 {
            let door = doors[usize::try_from(number).unwrap() % doors.len()];
            if self.knock(door, ada, &at(&format!("198.51.{number}.1"))) == Told::Wrong {
                looked_at.push((number * 6, door));
            }
            self.clock.advance(seconds(6));
        }
        let within = |from: u64| looked_at.iter().filter(|(at, _)| (from..from + 900).contains(at)).count();
        let most = looked_at.iter().map(|(from, _)| within(*from)).max().unwrap();
        (most, looked_at.into_iter().map(|(_, door)| door).collect())
    }

    fn ask_for_a_link(&self, visitor: &Visitor) {
        self.block_on(flows::request_reset(&self.app, visitor.clone(), "ada-ada@example.org")).unwrap();
    }
}

#[test]
fn p7_of_two_hundred_wrong_proofs_at_every_door_ten_are_looked_at_in_a_quarter_of_an_hour() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // Somebody who also sits at a browser that she left open.
    let doors = [Door::Username, Door::StepUp, Door::Address, Door::Deletion, Door::ResetLink];
    let (most, looked_at) = site.besiege(&ada, &doors);
    assert!((7..=10).contains(&most), "{looked_at:?}");
    assert!(doors[..4].iter().all(|door| looked_at.contains(door)), "each was open: {looked_at:?}");

    // And who knows the password of somebody with a second factor.
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrols(&ada);
    let doors = [
        Door::Code,
        Door::Username,
        Door::RecoveryCode,
        Door::StepUpCode,
        Door::Address,
        Door::Deletion,
        Door::ResetLink,
    ];
    let (most, looked_at) = site.besiege(&ada, &doors);
    assert!((5..=10).contains(&most), "{looked_at:?}");
    assert!(doors[..5].iter().all(|door| looked_at.contains(door)), "each was open: {looked_at:?}");
}

#[test]
fn p7_neither_a_right_password_nor_a_new_one_begins_guesses_at_codes_anew() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let secret = site.enrols(&ada);
    let thief = at("198.51.100.1");
    let guesses = || (0..20).filter(|_| site.knock(Door::Code, &ada, &thief) == Told::Wrong).count();
    assert_eq!(guesses(), 4);
    site.clock.advance(seconds(30));
    assert_eq!(guesses(), 1);

    // A right password at the door, and with the mailbox as many new ones as anybody likes.
    assert!(matches!(site.come(&thief, "ada-ada", PASSWORD), Ok(Started::MustProve(_))));
    for _ in 0..4 {
        site.ask_for_a_link(&thief);
        let known = site.resets(&thief, OTHER);
        assert!(matches!(site.come(&known, "ada-ada", OTHER), Ok(Started::MustProve(_))));
        assert_eq!(guesses(), 0);
        site.clock.advance(minutes(3));
    }

    // Whoever has the app is in after the pause, and then all is as before.
    site.clock.advance(minutes(15));
    let half = match site.come(&thief, "ada-ada", OTHER) {
        Ok(Started::MustProve(half)) => half.expose().clone(),
        other => panic!("{:?}", other.err()),
    };
    let code = oath_code(&secret, site.clock.now().unix_seconds());
    let proof = Presented::Typed(Secret::new(code));
    site.block_on(flows::prove_half(&site.app, thief.clone(), half, proof)).unwrap();
    assert_eq!(guesses(), 4);
}

#[test]
fn p7_while_strangers_guess_the_rightful_person_comes_in_at_the_first_try_with_a_known_browser() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let home = site.known("ada-ada", visitor());
    let doors = [Door::Username, Door::Address, Door::ResetLink];
    let siege = || {
        (0..60).for_each(|number: usize| {
            site.knock(doors[number % doors.len()], &ada, &at(&format!("198.51.{number}.1")));
            site.clock.advance(seconds(1));
        });
    };

    siege();

    // A browser that nobody knows waits, right password or not.
    let elsewhere = at("192.0.2.1");
    assert!(matches!(site.come(&elsewhere, "ada-ada", PASSWORD), Err(SigninError::Throttled(_))));
    // Hers does not, from any network, and also after she mistyped twice.
    let home = Visitor { address: "192.0.2.77".into(), ..home };
    for _ in 0..2 {
        assert!(matches!(site.come(&home, "ada-ada", WRONG), Err(SigninError::BadCredentials)));
    }
    assert!(matches!(site.come(&home, "ada-ada", PASSWORD), Ok(Started::Session { .. })));
    siege();
    assert!(matches!(site.come(&home, "ada-ada@example.org", PASSWORD), Ok(Started::Session { .. })));
    // Somebody else's device is not hers.
    site.person("bob-bob");
    siege();
    let bobs = site.known("bob-bob", at("192.0.2.9"));
    assert!(matches!(site.come(&bobs, "ada-ada", PASSWORD), Err(SigninError::Throttled(_))));
}

#[test]
fn p7_a_link_to_set_a_password_opens_the_door_that_strangers_keep_closed() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // For a week, at every moment at which the door opens.
    for _ in 0..24 * 7 {
        site.knock(Door::Username, &ada, &at("198.51.100.1"));
        site.ask_for_a_link(&at("198.51.100.1"));
        site.clock.advance(hours(1));
    }
    (0..10).for_each(|_| site.ask_for_a_link(&at("198.51.100.1")));
    let new = at("192.0.2.1");
    assert!(matches!(site.come(&new, "ada-ada", PASSWORD), Err(SigninError::Throttled(_))));

    // Whoever asks for links all the time keeps her from none: the newest is at most a quarter of an hour old.
    site.clock.advance(minutes(15));
    site.ask_for_a_link(&new);
    let new = site.resets(&new, OTHER);
    // Strangers are as quick as they like.
    (0..20).for_each(|number| {
        site.knock(Door::Username, &ada, &at(&format!("198.51.{number}.1")));
        site.knock(Door::Address, &ada, &at(&format!("198.51.{number}.2")));
    });

    assert!(matches!(site.come(&new, "ada-ada", OTHER), Ok(Started::Session { .. })));
}

#[test]
fn p7_one_network_that_tries_many_people_is_slowed_and_its_neighbours_with_known_browsers_are_not() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let home = site.known("ada-ada", at("203.0.113.20"));
    let spray = |number: u32| site.come(&at("203.0.113.7"), &format!("somebody-{number}"), WRONG);
    let told: Vec<_> = (0..101).map(spray).collect();

    assert!(told[..100].iter().all(|told| matches!(told, Err(SigninError::BadCredentials))));
    assert!(matches!(told[100], Err(SigninError::Throttled(Throttled { wait_seconds: 2 }))));
    // The network is closed for names that nobody tried, and for links; elsewhere nobody waits.
    assert_eq!(site.knock(Door::Username, &ada, &at("203.0.113.200")), Told::Wait);
    assert_eq!(site.knock(Door::ResetLink, &ada, &at("203.0.113.200")), Told::Wait);
    assert_eq!(site.knock(Door::Username, &ada, &at("203.0.114.7")), Told::Wrong);
    assert!(matches!(site.come(&home, "ada-ada", PASSWORD), Ok(Started::Session { .. })));
}

#[test]
fn p7_codes_by_mail_are_counted_with_the_rest() {
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap().account;
    let code = site.message("ada@example.org", "code").code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let type_in = |code: &str| {
        let (actor, code) = (Actor::Anonymous(visitor()), code.to_owned());
        site.write(move |tx| signin::verify(tx, &actor, pending, &code)).unwrap()
    };
    let mut looked_at = 0;
    for _ in 0..40 {
        match type_in(wrong) {
            Err(SigninError::Account(AccountError::CodeRefused)) => looked_at += 1,
            Err(SigninError::Throttled(_)) => {}
            other => panic!("{:?}", other.err()),
        }
        site.clock.advance(seconds(20));
    }

    assert!((5..=10).contains(&looked_at), "{looked_at}");
    // And a stranger who guesses at the name does not keep the person from the code.
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap().account;
    let code = site.message("ada@example.org", "code").code();
    (0..8).for_each(|_| {
        let _ = site.come(&at("198.51.100.1"), "ada-ada", WRONG);
        site.clock.advance(seconds(30));
    });
    let actor = Actor::Anonymous(visitor());
    assert!(site.write(move |tx| signin::verify(tx, &actor, pending, &code)).unwrap().is_ok());
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
        site.write(move |tx| signin::verify_added_email(tx, &actor, account, email, &code))
    };
    assert_eq!(site.knock(Door::StepUp, &ada, &visitor()), Told::Wrong);

    let looked_at = (0..10).take_while(|_| matches!(type_in(wrong), Ok(Err(AccountError::CodeRefused)))).count();

    assert!((1..5).contains(&looked_at), "{looked_at}");
    let told = type_in(&code);
    assert!(
        matches!(told, Err(SigninError::Factor(FactorError::Throttled(_)))),
        "not even the right one is looked at now"
    );
    assert_eq!(site.knock(Door::StepUp, &ada, &visitor()), Told::Wait);
    site.clock.advance(minutes(5));
    assert!(matches!(type_in(&code), Ok(Ok(()))), "who waits goes on");
}

#[test]
fn a_try_that_has_to_wait_is_not_counted_and_leaves_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    while site.knock(Door::Username, &ada, &visitor()) == Told::Wrong {}
    let (before, counted) = (site.footprint(), "select coalesce(sum(failures), 0) from throttle");
    let failures = site.number(counted);

    (0..50).for_each(|_| assert_eq!(site.knock(Door::Username, &ada, &visitor()), Told::Wait));

    assert_eq!((site.footprint(), site.number(counted)), (before, failures));
}

#[test]
fn going_through_the_names_of_a_person_closes_the_door_for_no_longer_than_one_of_them() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    for _ in 0..8 {
        site.knock(Door::Username, &ada, &at("198.51.100.1"));
        site.clock.advance(seconds(31));
    }
    for _ in 0..8 {
        site.knock(Door::Address, &ada, &at("198.51.100.1"));
        site.clock.advance(seconds(31));
    }

    site.clock.advance(minutes(15));
    assert!(matches!(site.come(&at("192.0.2.1"), "ada-ada", PASSWORD), Ok(Started::Session { .. })));
}

#[test]
fn counts_are_forgotten_one_a_day_and_all_of_them_after_a_month() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    while site.knock(Door::Username, &ada, &visitor()) != Told::Wait {
        site.clock.advance(seconds(1));
    }
    site.block_on(async {
        let _ = site.app.write(|tx| sessions::note_failure(tx, "something else")).await;
    });
    let rows = || {
        site.write(sessions::purge_ended).unwrap();
        site.number("select count(*) from throttle")
    };

    // Four times name, account and network; and once something else, which is over after a day.
    assert_eq!(rows(), 4);
    site.clock.advance(days(1));
    assert_eq!(rows(), 3);
    site.clock.advance(days(3) - seconds(10));
    assert_eq!(rows(), 3);
    site.clock.advance(seconds(10));
    assert_eq!(rows(), 0);
}
