//! P7: wrong proofs of one account are few, whoever tries what and where; and no stranger keeps anybody out.

use domicile::accounts::AccountError;
use domicile::base::{Actor, Secret, Visitor, days, minutes, seconds};
use domicile::privacy::{self, PrivacyError};
use domicile::sessions::{self, Guard, Throttled};
use domicile::signin::{self, SignIn, SigninError, Started, flows};

use crate::support::{PASSWORD, Person, TestApp, visitor};

const WRONG: &str = "battery horse, no staple";
const OTHER: &str = "a brand new set of words";

/// Where somebody can prove that they are a person of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Username,
    Address,
    StepUp,
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
            let actor = Actor::Stranger(visitor.clone());
            let is_silent = self.look(|view| {
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
            Door::StepUp => {
                let proof = signin::StepUp { password: typed() };
                match self.block_on(flows::step_up(&self.app, ada.by_browser(), account, session, proof)) {
                    Err(SigninError::NotProved) => Told::Wrong,
                    Err(SigninError::Throttled(_)) => Told::Wait,
                    other => panic!("{:?}", other.err()),
                }
            }
            Door::Deletion => {
                let asked = privacy::flows::delete_account(&self.app, ada.by_browser(), account, "DELETE", typed());
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

    fn ask_for_a_link(&self, visitor: &Visitor) {
        self.block_on(flows::request_reset(&self.app, visitor.clone(), "ada-ada@example.org")).unwrap();
    }
}

#[test]
fn p7_of_two_hundred_wrong_proofs_at_every_door_ten_are_looked_at_in_a_quarter_of_an_hour() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let doors = [Door::Username, Door::StepUp, Door::Address, Door::Deletion, Door::ResetLink];

    // 200 tries in 20 minutes, from ever new networks, by somebody who also sits at a browser that she left open.
    let mut looked_at = Vec::new();
    for number in 0..200_u64 {
        let door = doors[usize::try_from(number).unwrap() % doors.len()];
        if house.knock(door, &ada, &at(&format!("198.51.{number}.1"))) == Told::Wrong {
            looked_at.push((number * 6, door));
        }
        house.clock.advance(seconds(6));
    }

    let most = looked_at
        .iter()
        .map(|(from, _)| looked_at.iter().filter(|(at, _)| (*from..from + 900).contains(at)).count())
        .max()
        .unwrap();
    assert!((7..=10).contains(&most), "{looked_at:?}");
    for door in [Door::Username, Door::StepUp, Door::Address, Door::Deletion] {
        assert!(looked_at.iter().any(|(_, tried)| *tried == door), "{door:?} was never open: {looked_at:?}");
    }
}

#[test]
fn p7_while_strangers_guess_the_rightful_person_comes_in_at_the_first_try_with_a_known_browser() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let home = house.known("ada-ada", visitor());
    let doors = [Door::Username, Door::Address, Door::ResetLink];
    let siege = || {
        (0..60).for_each(|number: usize| {
            house.knock(doors[number % doors.len()], &ada, &at(&format!("198.51.{number}.1")));
            house.clock.advance(seconds(1));
        });
    };

    siege();

    // A browser that nobody knows waits, right password or not.
    let elsewhere = at("192.0.2.1");
    assert!(matches!(house.come(&elsewhere, "ada-ada", PASSWORD), Err(SigninError::Throttled(_))));
    // Hers does not, from any network, and also after she mistyped twice.
    let home = Visitor { address: "192.0.2.77".into(), ..home };
    for _ in 0..2 {
        assert!(matches!(house.come(&home, "ada-ada", WRONG), Err(SigninError::BadCredentials)));
    }
    assert!(matches!(house.come(&home, "ada-ada", PASSWORD), Ok(Started::Session { .. })));
    siege();
    assert!(matches!(house.come(&home, "ada-ada@example.org", PASSWORD), Ok(Started::Session { .. })));
    // Somebody else's device is not hers.
    house.person("bob-bob");
    siege();
    let bobs = house.known("bob-bob", at("192.0.2.9"));
    assert!(matches!(house.come(&bobs, "ada-ada", PASSWORD), Err(SigninError::Throttled(_))));
}

#[test]
fn p7_a_link_to_set_a_password_opens_the_door_that_strangers_keep_closed() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    // For weeks, at every moment at which the door opens.
    for _ in 0..30 {
        (0..4).for_each(|_| {
            house.knock(Door::Username, &ada, &at("198.51.100.1"));
            house.ask_for_a_link(&at("198.51.100.1"));
        });
        house.clock.advance(days(1));
    }
    house.knock(Door::Username, &ada, &at("198.51.100.1"));
    let new = at("192.0.2.1");
    assert!(matches!(house.come(&new, "ada-ada", PASSWORD), Err(SigninError::Throttled(_))));

    // Whoever asks for links all the time keeps her from none: the newest is at most a quarter of an hour old.
    house.clock.advance(minutes(15));
    house.ask_for_a_link(&new);
    let token = house.letter("ada-ada@example.org", "Set your password").link("/reset?token=");
    let token = token.rsplit('=').next().unwrap().to_owned();
    let device = house.block_on(flows::reset(&house.app, new.clone(), token, Secret::new(OTHER.into()))).unwrap();
    let new = Visitor { device: sessions::read_device(house.app.keyring(), device.expose()), ..new };
    // Strangers are as quick as they like.
    (0..20).for_each(|number| {
        house.knock(Door::Username, &ada, &at(&format!("198.51.{number}.1")));
        house.knock(Door::Address, &ada, &at(&format!("198.51.{number}.2")));
    });

    assert!(matches!(house.come(&new, "ada-ada", OTHER), Ok(Started::Session { .. })));
}

#[test]
fn p7_one_network_that_tries_many_people_is_slowed_and_its_neighbours_with_known_browsers_are_not() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    let home = house.known("ada-ada", at("203.0.113.20"));
    let spray = |number: u32| house.come(&at("203.0.113.7"), &format!("somebody-{number}"), WRONG);
    let told: Vec<_> = (0..101).map(spray).collect();

    assert!(told[..100].iter().all(|told| matches!(told, Err(SigninError::BadCredentials))));
    assert!(matches!(told[100], Err(SigninError::Throttled(Throttled { wait_seconds: 2 }))));
    // The network is closed for names that nobody tried, and for links; elsewhere nobody waits.
    assert_eq!(house.knock(Door::Username, &ada, &at("203.0.113.200")), Told::Wait);
    assert_eq!(house.knock(Door::ResetLink, &ada, &at("203.0.113.200")), Told::Wait);
    assert_eq!(house.knock(Door::Username, &ada, &at("203.0.114.7")), Told::Wrong);
    assert!(matches!(house.come(&home, "ada-ada", PASSWORD), Ok(Started::Session { .. })));
}

#[test]
fn p7_codes_by_mail_are_counted_with_the_rest() {
    let house = TestApp::new();
    let pending = house.sign_up("ada@example.org", "ada-ada").unwrap().account;
    let code = house.letter("ada@example.org", "code").code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let type_in = |code: &str| {
        let (actor, code) = (Actor::Stranger(visitor()), code.to_owned());
        house.write(move |tx| signin::verify(tx, &actor, pending, &code)).unwrap()
    };
    let mut looked_at = 0;
    for _ in 0..40 {
        match type_in(wrong) {
            Err(SigninError::Account(AccountError::CodeRefused)) => looked_at += 1,
            Err(SigninError::Throttled(_)) => {}
            other => panic!("{:?}", other.err()),
        }
        house.clock.advance(seconds(20));
    }

    assert!((5..=10).contains(&looked_at), "{looked_at}");
    // And a stranger who guesses at the name does not keep the person from the code.
    let house = TestApp::new();
    let pending = house.sign_up("ada@example.org", "ada-ada").unwrap().account;
    let code = house.letter("ada@example.org", "code").code();
    (0..8).for_each(|_| {
        let _ = house.come(&at("198.51.100.1"), "ada-ada", WRONG);
        house.clock.advance(seconds(30));
    });
    let actor = Actor::Stranger(visitor());
    assert!(house.write(move |tx| signin::verify(tx, &actor, pending, &code)).unwrap().is_ok());
}

#[test]
fn a_try_that_has_to_wait_is_not_counted_and_leaves_nothing() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    while house.knock(Door::Username, &ada, &visitor()) == Told::Wrong {}
    let (before, counted) = (house.footprint(), "select coalesce(sum(failures), 0) from throttle");
    let failures = house.number(counted);

    (0..50).for_each(|_| assert_eq!(house.knock(Door::Username, &ada, &visitor()), Told::Wait));

    assert_eq!((house.footprint(), house.number(counted)), (before, failures));
}

#[test]
fn going_through_the_names_of_a_person_closes_the_door_for_no_longer_than_one_of_them() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    for _ in 0..8 {
        house.knock(Door::Username, &ada, &at("198.51.100.1"));
        house.clock.advance(seconds(31));
    }
    for _ in 0..8 {
        house.knock(Door::Address, &ada, &at("198.51.100.1"));
        house.clock.advance(seconds(31));
    }

    house.clock.advance(minutes(15));
    assert!(matches!(house.come(&at("192.0.2.1"), "ada-ada", PASSWORD), Ok(Started::Session { .. })));
}

#[test]
fn counts_are_forgotten_one_a_day_and_all_of_them_after_a_month() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    while house.knock(Door::Username, &ada, &visitor()) != Told::Wait {
        house.clock.advance(seconds(1));
    }
    house.block_on(async {
        let _ = house.app.write(|tx| sessions::note_failure(tx, "something else")).await;
    });
    let rows = || {
        house.write(sessions::purge_ended).unwrap();
        house.number("select count(*) from throttle")
    };

    // Name, account, network; and something else, which is over after a day.
    assert_eq!(rows(), 4);
    house.clock.advance(days(1));
    assert_eq!(rows(), 3);
    house.clock.advance(days(4));
    assert_eq!(rows(), 3);
    house.clock.advance(days(2));
    assert_eq!(rows(), 0);
}
