//! P7: few wrong proofs of one account are checked, whatever an attacker tries; and an attacker cannot shut the person
//! out.

use domicile::accounts::AccountError;
use domicile::base::{Actor, EmailAddress, Secret, Visitor, days, hours, minutes, seconds};
use domicile::config::MailTransport;
use domicile::factors::{self, FactorError, PendingSignIn};
use domicile::privacy::{self, PrivacyError};
use domicile::sessions::{self, LoginThrottle, RetryAfter, TooManyMails};
use domicile::signin::{self, FactorInput, SignInOutcome, SigninError, StepUp, flows};

use crate::support::{PASSWORD, Person, SignInBuilder, TestApp, oath_code, visitor};

mod codes;
mod mails;

const WRONG: &str = "battery horse, no staple";
const OTHER: &str = "a brand new set of words";

/// The ways to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Username,
    Address,
    StepUp,
    StepUpCode,
    Code,
    RecoveryCode,
    Deletion,
    ResetLink,
}

/// The answer to a wrong proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The proof was checked.
    Wrong,
    /// It was not checked, and the answer says to wait, or to confirm the browser by mail.
    Wait,
    /// It was not checked, and the answer does not say so.
    Silence,
}

fn at(address: &str) -> Visitor {
    Visitor { address: address.into(), ..visitor() }
}

impl TestApp {
    fn sign_in_from(&self, visitor: &Visitor, name: &str, password: &str) -> Result<SignInOutcome, SigninError> {
        let form = SignInBuilder::new(name, password).build();
        self.block_on(flows::sign_in(&self.app, visitor.clone(), form))
    }

    /// The visitor after a sign-in, with the device cookie that their browser keeps.
    fn known_browser(&self, name: &str, from: Visitor) -> Visitor {
        let Ok(SignInOutcome::Session { device, .. }) = self.sign_in_from(&from, name, PASSWORD) else {
            panic!("{name} cannot sign in")
        };
        Visitor { device: sessions::read_device(self.app.keyring(), device.expose()), ..from }
    }

    fn try_wrong(&self, proof: Proof, ada: &Person, visitor: &Visitor) -> Verdict {
        let by_name = |name: &str| {
            let actor = Actor::Anonymous(visitor.clone());
            let is_silently_refused = self.read(|view| {
                let throttle = LoginThrottle::for_name(view, &actor, name, Some(ada.account.id)).unwrap();
                matches!(throttle.verdict(view).unwrap(), sessions::Verdict::Confirm { is_told: false, .. })
            });
            match self.sign_in_from(visitor, name, WRONG) {
                Err(SigninError::BadCredentials) if is_silently_refused => Verdict::Silence,
                Err(SigninError::BadCredentials) => Verdict::Wrong,
                Err(SigninError::MustConfirm) => Verdict::Wait,
                other => panic!("{name}: {:?}", other.err()),
            }
        };
        let Actor::SignedIn { account, workspace, session, .. } = ada.by_browser() else {
            panic!("a browser has a session")
        };
        let by_browser = Actor::SignedIn { account, workspace, session, visitor: visitor.clone() };
        let typed = || Secret::new(WRONG.to_owned());
        match proof {
            Proof::Username => by_name("ada-ada"),
            Proof::Address => by_name("ada-ada@example.org"),
            Proof::StepUp | Proof::StepUpCode => {
                let proof = match proof {
                    Proof::StepUp => StepUp::Password(typed()),
                    _ => StepUp::Factor(FactorInput::Typed(Secret::new("000000".into()))),
                };
                match self.block_on(flows::step_up(&self.app, by_browser, account, session, proof)) {
                    Err(SigninError::NotProved) => Verdict::Wrong,
                    Err(SigninError::Throttled(_) | SigninError::Factor(FactorError::Throttled(_))) => Verdict::Wait,
                    other => panic!("{:?}", other.err()),
                }
            }
            Proof::Code => self.second_step_of(ada, visitor, "000000"),
            Proof::RecoveryCode => self.second_step_of(ada, visitor, "00000-00000-00000"),
            Proof::Deletion => {
                let now = self.app.now();
                let asked = privacy::flows::delete_account(&self.app, by_browser, account, "DELETE", typed(), now);
                match self.block_on(asked) {
                    Err(PrivacyError::WrongPassword) => Verdict::Wrong,
                    Err(PrivacyError::Signin(SigninError::Throttled(_))) => Verdict::Wait,
                    other => panic!("{:?}", other.err()),
                }
            }
            Proof::ResetLink => {
                match self.block_on(flows::reset(&self.app, visitor.clone(), "x".repeat(43), typed())) {
                    // It concerns no account: 256 bits cannot be guessed, and no proof of an account is checked.
                    Err(SigninError::Account(AccountError::LinkRefused)) => Verdict::Silence,
                    other => panic!("{:?}", other.err()),
                }
            }
        }
    }

    /// An attacker who knows the password enters a code.
    fn second_step_of(&self, ada: &Person, visitor: &Visitor, code: &str) -> Verdict {
        let pending = PendingSignIn { account: ada.account.id, method: "password".into(), remember: false };
        let token = self.write(move |tx| factors::start_pending_sign_in(tx, &pending)).unwrap().expose().clone();
        let input = FactorInput::Typed(Secret::new(code.to_owned()));
        match self.block_on(flows::prove_factor(&self.app, visitor.clone(), token, input)) {
            Err(SigninError::Factor(FactorError::CodeRefused)) => Verdict::Wrong,
            Err(SigninError::Factor(FactorError::Throttled(_))) => Verdict::Wait,
            other => panic!("{:?}", other.err()),
        }
    }

    /// Sets up an authenticator app for the person. Returns its secret.
    pub(super) fn enrol_app(&self, ada: &Person) -> String {
        let (actor, account) = (ada.by_browser(), ada.account.id);
        self.write(move |tx| factors::start_totp_setup(tx, &actor, account)).unwrap();
        let seed = self.read(|view| factors::totp_setup(view, account).unwrap().unwrap()).seed;
        let secret = seed.base32().expose().clone();
        let code = oath_code(&secret, self.clock.now().unix_seconds());
        let actor = ada.by_browser();
        self.write(move |tx| factors::confirm_totp(tx, &actor, account, &code)).unwrap();
        self.clock.advance(minutes(1));
        secret
    }

    /// Follows the newest link to set a password. Returns the visitor with the new device cookie.
    fn follow_reset_link(&self, visitor: &Visitor, password: &str) -> Visitor {
        let link = self.message("ada-ada@example.org", "Set your password").link("/reset?token=");
        let token = link.rsplit('=').next().unwrap().to_owned();
        let done = flows::reset(&self.app, visitor.clone(), token, Secret::new(password.into()));
        let device = self.block_on(done).unwrap();
        Visitor { device: sessions::read_device(self.app.keyring(), device.expose()), ..visitor.clone() }
    }

    /// Opens the newest link that confirms a browser. Returns the visitor with the new device cookie.
    fn follow_confirmation(&self, visitor: &Visitor) -> Visitor {
        let link = self.message("ada-ada@example.org", "Confirm your browser").link("/signin/confirm?token=");
        let token = link.rsplit('=').next().unwrap().to_owned();
        let actor = Actor::Anonymous(visitor.clone());
        let device = self.write(move |tx| signin::confirm_browser(tx, &actor, &token)).unwrap();
        Visitor { device: sessions::read_device(self.app.keyring(), device.expose()), ..visitor.clone() }
    }

    /// Tries wrong proofs one after the other, 200 times in 20 minutes, each time from a new network. Returns how many
    /// were checked in the worst quarter of an hour, of unknown browsers and of the one with a session, and the kinds that were
    /// checked.
    fn attack(&self, ada: &Person, proofs: &[Proof]) -> ([usize; 2], Vec<Proof>) {
        let mut checked = Vec::new();
        for number in 0..200_u64 {
            let proof = proofs[usize::try_from(number).unwrap() % proofs.len()];
            if self.try_wrong(proof, ada, &at(&format!("198.51.{number}.1"))) == Verdict::Wrong {
                checked.push((number * 6, proof));
            }
            self.clock.advance(seconds(6));
        }
        let has_session = |proof: Proof| matches!(proof, Proof::StepUp | Proof::StepUpCode | Proof::Deletion);
        let within = |from: u64, own: bool| {
            let in_window = checked.iter().filter(|(at, _)| (from..from + 900).contains(at));
            in_window.filter(|(_, proof)| has_session(*proof) == own).count()
        };
        let worst = [false, true].map(|own| checked.iter().map(|(from, _)| within(*from, own)).max().unwrap());
        (worst, checked.into_iter().map(|(_, proof)| proof).collect())
    }

    /// `false`: there were too many mails.
    fn request_link(&self, visitor: &Visitor) -> bool {
        match self.block_on(flows::request_reset(&self.app, visitor.clone(), "ada-ada@example.org")) {
            Ok(()) => true,
            Err(SigninError::TooManyMails(TooManyMails::ToThisAddress(_))) => false,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn p7_of_two_hundred_wrong_proofs_of_every_kind_ten_are_checked_in_a_quarter_of_an_hour() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // The attacker also uses a browser in which she is signed in.
    let proofs = [Proof::Username, Proof::StepUp, Proof::Address, Proof::Deletion, Proof::ResetLink];
    let (worst, checked) = site.attack(&ada, &proofs);
    assert_eq!(worst, [5, 5], "{checked:?}");
    assert!(proofs[..4].iter().all(|proof| checked.contains(proof)), "each kind was checked: {checked:?}");

    // The attacker knows the password of a person with a second factor.
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.enrol_app(&ada);
    let proofs = [
        Proof::Code,
        Proof::Username,
        Proof::RecoveryCode,
        Proof::StepUpCode,
        Proof::Address,
        Proof::Deletion,
        Proof::ResetLink,
    ];
    let (worst, checked) = site.attack(&ada, &proofs);
    assert_eq!(worst, [10, 5], "five passwords and five codes: {checked:?}");
    assert!(proofs[..5].iter().all(|proof| checked.contains(proof)), "each kind was checked: {checked:?}");
}

#[test]
fn p7_a_wrong_password_counts_the_same_at_sign_in_step_up_and_deletion() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let home = site.known_browser("ada-ada", visitor());
    let buckets = |proof| {
        site.write(|tx| tx.execute("delete from throttle", [])).unwrap();
        let events = || site.events_named("auth.signin_failed") + site.events_named("auth.stepup_failed");
        let before = events();
        let tries = [0, 1, 2].map(|_| site.try_wrong(proof, &ada, &home));
        assert_eq!((tries, events() - before), ([Verdict::Wrong; 3], 3), "{proof:?}");
        let sql = "select hex(bucket), failures, until from throttle order by bucket";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, [row.get::<_, i64>(1)?, row.get(2)?]));
        site.read(|view| view.list(sql, [], read).unwrap())
    };

    let at_sign_in = buckets(Proof::Username);

    assert_eq!(at_sign_in.len(), 1, "the bucket of the known browser: {at_sign_in:?}");
    assert_eq!(buckets(Proof::StepUp), at_sign_in);
    assert_eq!(buckets(Proof::Deletion), at_sign_in);
}

#[test]
fn p7_neither_a_right_password_nor_a_new_one_allows_more_guesses_at_codes() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let secret = site.enrol_app(&ada);
    let thief = at("198.51.100.1");
    let guesses = || (0..20).filter(|_| site.try_wrong(Proof::Code, &ada, &thief) == Verdict::Wrong).count();
    assert_eq!(guesses(), 4);
    site.clock.advance(seconds(30));
    assert_eq!(guesses(), 1);

    // The thief has the right password, and with the mailbox can set any number of new ones.
    assert!(matches!(site.sign_in_from(&thief, "ada-ada", PASSWORD), Ok(SignInOutcome::MfaPending(_))));
    for _ in 0..4 {
        site.request_link(&thief);
        let known = site.follow_reset_link(&thief, OTHER);
        assert!(matches!(site.sign_in_from(&known, "ada-ada", OTHER), Ok(SignInOutcome::MfaPending(_))));
        assert_eq!(guesses(), 0);
        assert_eq!(site.try_wrong(Proof::Code, &ada, &known), Verdict::Wait, "a link gives no new guesses at codes");
        site.clock.advance(minutes(3));
    }

    // A person with the app signs in after the wait, and then everything is as before.
    site.clock.advance(minutes(15));
    let pending = match site.sign_in_from(&thief, "ada-ada", OTHER) {
        Ok(SignInOutcome::MfaPending(pending)) => pending.expose().clone(),
        other => panic!("{:?}", other.err()),
    };
    let code = oath_code(&secret, site.clock.now().unix_seconds());
    let proof = FactorInput::Typed(Secret::new(code));
    site.block_on(flows::prove_factor(&site.app, thief.clone(), pending, proof)).unwrap();
    assert_eq!(guesses(), 4);
}

#[test]
fn p7_while_attackers_guess_the_person_signs_in_at_the_first_try_with_a_known_browser() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let home = site.known_browser("ada-ada", visitor());
    let proofs = [Proof::Username, Proof::Address, Proof::ResetLink];
    let guess_from_many_networks = || {
        (0..60).for_each(|number: usize| {
            site.try_wrong(proofs[number % proofs.len()], &ada, &at(&format!("198.51.{number}.1")));
            site.clock.advance(seconds(1));
        });
    };

    guess_from_many_networks();

    // An unknown browser is confirmed by mail, even with the right password.
    let elsewhere = at("192.0.2.1");
    assert!(matches!(site.sign_in_from(&elsewhere, "ada-ada", PASSWORD), Err(SigninError::MustConfirm)));
    // Her known browser does not wait, from any network, even after she mistyped twice.
    let home = Visitor { address: "192.0.2.77".into(), ..home };
    for _ in 0..2 {
        assert!(matches!(site.sign_in_from(&home, "ada-ada", WRONG), Err(SigninError::BadCredentials)));
    }
    assert!(matches!(site.sign_in_from(&home, "ada-ada", PASSWORD), Ok(SignInOutcome::Session { .. })));
    guess_from_many_networks();
    assert!(matches!(site.sign_in_from(&home, "ada-ada@example.org", PASSWORD), Ok(SignInOutcome::Session { .. })));
    // The device of another person is not a known device of hers.
    site.person("bob-bob");
    guess_from_many_networks();
    let bobs = site.known_browser("bob-bob", at("192.0.2.9"));
    assert!(matches!(site.sign_in_from(&bobs, "ada-ada", PASSWORD), Err(SigninError::MustConfirm)));
    // The link makes the browser known in which she opens it. It works once, and the next one is mailed when it is needed.
    let confirmed = site.follow_confirmation(&elsewhere);
    assert!(matches!(site.sign_in_from(&confirmed, "ada-ada", PASSWORD), Ok(SignInOutcome::Session { .. })));
    assert!(matches!(site.sign_in_from(&elsewhere, "ada-ada", PASSWORD), Err(SigninError::MustConfirm)));
    let phone = site.follow_confirmation(&at("192.0.2.2"));
    assert!(matches!(site.sign_in_from(&phone, "ada-ada", PASSWORD), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn p7_a_person_whose_other_name_is_attacked_gets_the_link_and_the_page_says_no_more_than_for_a_wrong_password() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    (0..60).for_each(|number| {
        site.try_wrong(Proof::Username, &ada, &at(&format!("198.51.{number}.1")));
        site.clock.advance(seconds(1));
    });
    let new = at("192.0.2.1");

    let answers = [0, 1].map(|_| site.sign_in_from(&new, "ada-ada@example.org", PASSWORD));

    assert!(answers.iter().all(|answer| matches!(answer, Err(SigninError::BadCredentials))));
    let confirmed = site.follow_confirmation(&new);
    assert!(matches!(
        site.sign_in_from(&confirmed, "ada-ada@example.org", PASSWORD),
        Ok(SignInOutcome::Session { .. })
    ));
}

#[test]
fn p7_an_attack_fills_no_mailbox_and_a_name_without_an_account_writes_as_much() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let mails = "select count(*) from mail_outbox where recipient = 'ada-ada@example.org'";
    let before = site.number(mails);
    for _ in 0..24 * 6 {
        site.try_wrong(Proof::Username, &ada, &at("198.51.100.1"));
        site.try_wrong(Proof::Address, &ada, &at("198.51.101.1"));
        site.clock.advance(minutes(10));
    }
    assert_eq!(site.number(mails) - before, 2, "two in a day");

    let growth = |name: &'static str| {
        let site = TestApp::new();
        site.person("ada-ada");
        site.growth(|| {
            (0..6).for_each(|_| {
                let _ = site.sign_in_from(&at("198.51.100.1"), name, WRONG);
            });
        })
    };
    let without_mail = |rows: Vec<(&'static str, i64)>| -> Vec<_> {
        rows.into_iter().filter(|(table, _)| !matches!(*table, "mail_outbox" | "job")).collect()
    };
    assert_eq!(without_mail(growth("ada-ada")), without_mail(growth("bob-bob")));
}

#[test]
fn p7_each_attacked_person_gets_a_link_of_their_own() {
    let site = TestApp::new();
    for name in ["ada-ada", "bob-bob"] {
        site.person(name);
        (0..5).for_each(|number| drop(site.sign_in_from(&at(&format!("198.51.{number}.1")), name, WRONG)));
        site.message(&format!("{name}@example.org"), "Confirm your browser");
    }
}

#[test]
fn p7_a_site_without_mail_tells_an_unknown_browser_to_wait() {
    let site = TestApp::with(|config| config.mail.transport = MailTransport::Log);
    site.person("ada-ada");
    (0..4).for_each(|_| assert!(site.sign_in_from(&at("198.51.100.1"), "ada-ada", WRONG).is_err()));

    let answer = site.sign_in_from(&at("192.0.2.1"), "ada-ada", PASSWORD);

    assert!(matches!(answer, Err(SigninError::Throttled(RetryAfter { wait_seconds: 31 }))));
}

#[test]
fn d6_a_thief_with_the_password_does_not_keep_the_owners_codes_refused_in_a_known_browser() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let home = site.known_browser("ada-ada", visitor());
    let secret = site.enrol_app(&ada);
    let thief = at("198.51.100.1");
    while site.try_wrong(Proof::Code, &ada, &thief) != Verdict::Wait {}
    assert_eq!(site.try_wrong(Proof::RecoveryCode, &ada, &thief), Verdict::Wait);

    let pending = match site.sign_in_from(&home, "ada-ada", PASSWORD) {
        Ok(SignInOutcome::MfaPending(pending)) => pending.expose().clone(),
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(site.try_wrong(Proof::Code, &ada, &home), Verdict::Wrong, "it has its own tries");
    let code = oath_code(&secret, site.clock.now().unix_seconds());
    let proof = FactorInput::Typed(Secret::new(code));

    let signed_in = site.block_on(flows::prove_factor(&site.app, home, pending, proof));
    assert!(matches!(signed_in, Ok(SignInOutcome::Session { .. })), "{:?}", signed_in.err());
    assert_eq!(site.try_wrong(Proof::Code, &ada, &thief), Verdict::Wait, "the thief still waits");
}

#[test]
fn p7_a_link_to_set_a_password_lets_a_person_in_whom_attackers_shut_out() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // For a week, at every moment at which a try is allowed.
    for _ in 0..24 * 7 {
        site.try_wrong(Proof::Username, &ada, &at("198.51.100.1"));
        site.request_link(&at("198.51.100.1"));
        site.clock.advance(hours(1));
    }
    let sent = (0..10).filter(|_| site.request_link(&at("198.51.100.1"))).count();
    assert_eq!(sent, 1, "the others are told to wait");
    let new = at("192.0.2.1");
    assert!(matches!(site.sign_in_from(&new, "ada-ada", PASSWORD), Err(SigninError::MustConfirm)));

    // An attacker who requests links all the time cannot keep her from one: the newest is at most a quarter of an hour
    // old.
    site.clock.advance(minutes(15));
    assert!(site.request_link(&new));
    let new = site.follow_reset_link(&new, OTHER);
    // The attackers go on without a wait.
    (0..20).for_each(|number| {
        site.try_wrong(Proof::Username, &ada, &at(&format!("198.51.{number}.1")));
        site.try_wrong(Proof::Address, &ada, &at(&format!("198.51.{number}.2")));
    });

    assert!(matches!(site.sign_in_from(&new, "ada-ada", OTHER), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn d2_a_network_that_guesses_is_slowed_and_everybody_else_in_it_comes_in() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let home = site.known_browser("ada-ada", at("203.0.113.20"));
    let spray = |number: u32| site.sign_in_from(&at("203.0.113.7"), &format!("person-{number}x"), WRONG);
    let began = site.clock.now();
    assert!((0..110).map(spray).all(|answer| matches!(answer, Err(SigninError::BadCredentials))));
    assert_eq!(site.clock.now(), began, "an office may mistype a hundred");

    // The address that guesses: ten a minute.
    assert!((110..130).map(spray).all(|answer| matches!(answer, Err(SigninError::BadCredentials))));
    let slowed = site.clock.now().since(began).as_secs();
    assert!((100..=130).contains(&slowed), "twenty took {slowed} seconds");
    // The others: at once, with a known browser, an unknown one and a link.
    let now = site.clock.now();
    assert!(matches!(site.sign_in_from(&home, "ada-ada", PASSWORD), Ok(SignInOutcome::Session { .. })));
    let neighbour = at("203.0.113.200");
    assert_eq!(site.try_wrong(Proof::Username, &ada, &neighbour), Verdict::Wrong);
    assert!(matches!(site.sign_in_from(&neighbour, "ada-ada", PASSWORD), Ok(SignInOutcome::Session { .. })));
    assert!(site.request_link(&neighbour));
    (0..200).for_each(|_| assert_eq!(site.try_wrong(Proof::ResetLink, &ada, &at("203.0.113.7")), Verdict::Silence));
    site.follow_reset_link(&neighbour, OTHER);
    assert_eq!(site.clock.now(), now, "nobody else waits");
    // A right password from the address that guesses is slowed too, and comes in.
    assert!(spray(131).is_err());
    assert!(matches!(site.sign_in_from(&at("203.0.113.7"), "ada-ada", OTHER), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn a_try_that_has_to_wait_is_not_counted_and_changes_nothing() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    // The first one that is not checked mails a link.
    while site.try_wrong(Proof::Username, &ada, &visitor()) == Verdict::Wrong {}
    let (before, counted) = (site.footprint(), "select coalesce(sum(failures), 0) from throttle");
    let failures = site.number(counted);

    (0..50).for_each(|_| assert_eq!(site.try_wrong(Proof::Username, &ada, &visitor()), Verdict::Wait));

    assert_eq!((site.footprint(), site.number(counted)), (before, failures));
}

#[test]
fn tries_with_all_names_of_a_person_cause_no_longer_wait_than_with_one() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    for _ in 0..8 {
        site.try_wrong(Proof::Username, &ada, &at("198.51.100.1"));
        site.clock.advance(seconds(31));
    }
    for _ in 0..8 {
        site.try_wrong(Proof::Address, &ada, &at("198.51.100.1"));
        site.clock.advance(seconds(31));
    }

    site.clock.advance(minutes(15));
    assert!(matches!(site.sign_in_from(&at("192.0.2.1"), "ada-ada", PASSWORD), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn one_failure_is_forgotten_a_day_and_all_of_them_after_a_month() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    (0..4).for_each(|_| assert_eq!(site.try_wrong(Proof::Username, &ada, &visitor()), Verdict::Wrong));
    let (actor, other) = (Actor::Anonymous(Visitor::default()), EmailAddress::parse("bob@example.org").unwrap());
    site.write(move |tx| sessions::count_mail::<SigninError>(tx, &actor, &other, None)).unwrap();
    let rows = || {
        site.write(sessions::purge_ended).unwrap();
        site.number("select count(*) from throttle")
    };

    // Four failures for name, account and network; and a mail, for address and site, which is forgotten after a day.
    assert_eq!(rows(), 5);
    site.clock.advance(days(1));
    assert_eq!(rows(), 3);
    site.clock.advance(days(3) - seconds(10));
    assert_eq!(rows(), 3);
    site.clock.advance(seconds(10));
    assert_eq!(rows(), 0);
}

#[test]
fn concurrent_tries_of_one_account_are_serialized_and_others_are_not() {
    let site = TestApp::new();
    let (ada, bob) = (site.person("ada-ada").account.id, site.person("bob-bob").account.id);
    let actor = Actor::Anonymous(visitor());
    let by_name = |name: &str, account| {
        site.read(|view| LoginThrottle::for_name(view, &actor, name, account).unwrap()).serial_key().to_owned()
    };
    let for_step_up = site.read(|view| LoginThrottle::for_step_up(view, &actor, ada).unwrap());
    let of_ada = for_step_up.serial_key().to_owned();

    assert_eq!(
        [by_name("ada-ada", Some(ada)), by_name("ada-ada@example.org", Some(ada))],
        [of_ada.clone(), of_ada.clone()]
    );
    assert_eq!(site.read(|view| LoginThrottle::for_factor(view, &actor, ada).unwrap()).serial_key(), of_ada);
    // No account has these names, and the same name is still one.
    assert_eq!(by_name("Cyd-cyd ", None), by_name("cyd-cyd", None));
    let others = [by_name("bob-bob", Some(bob)), by_name("cyd-cyd", None), by_name("dan-dan", None)];
    for (index, key) in others.iter().enumerate() {
        assert!(*key != of_ada && !key.is_empty() && !others[..index].contains(key), "{others:?}");
    }
}
