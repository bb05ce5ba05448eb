//! Coming in: sign-up, sign-in, a forgotten password. Through the flows, with real hashes.

use domicile::accounts::{self, Account, AccountError, AccountState};
use domicile::base::{Actor, Credits, Secret, days, hours, minutes, seconds};
use domicile::billing::ledger;
use domicile::config::SignupMode;
use domicile::crypto::PasswordFault;
use domicile::sessions::{self, Current, Throttled};
use domicile::signin::{self, NewPerson, SignedUp, SigninError, Started, flows};
use domicile::workspaces;

use crate::support::{PASSWORD, TestApp, visitor};

const WRONG: &str = "battery horse, no staple";
const OTHER: &str = "a brand new set of words";

impl TestApp {
    pub(super) fn find(&self, name: &str) -> Option<Account> {
        self.look(|view| accounts::find_by_name(view, name).unwrap())
    }

    pub(super) fn current(&self, token: &Secret<String>) -> Option<Current> {
        self.look(|view| sessions::current(view, token.expose()).unwrap())
    }

    pub(super) fn balance_of(&self, account: &Account) -> Credits {
        self.look(|view| {
            let workspace = workspaces::personal(view, account.id).unwrap().unwrap();
            ledger::balance(view, workspace.id).unwrap()
        })
    }

    pub(super) fn prove(&self, pending: SignedUp, code: &str) -> Result<Secret<String>, AccountError> {
        let (actor, code) = (Actor::Stranger(visitor()), code.to_owned());
        self.write(move |tx| signin::verify(tx, &actor, pending.account, &code)).unwrap()
    }

    pub(super) fn ask_for_reset(&self, email: &str) -> Result<(), SigninError> {
        self.block_on(flows::request_reset(&self.app, visitor(), email))
    }

    /// The secret of the newest reset link to `email`.
    pub(super) fn reset_token(&self, email: &str) -> String {
        token_in(&self.letter(email, "Set your password").link("/reset?token="))
    }

    pub(super) fn reset(&self, token: &str, password: &str) -> Result<(), SigninError> {
        self.block_on(flows::reset(&self.app, visitor(), token.to_owned(), Secret::new(password.to_owned())))
    }

    pub(super) fn claim(&self) -> String {
        token_in(&self.write(signin::claim_link).unwrap())
    }

    /// What a try with a wrong password is told.
    fn guess(&self, name: &str) -> Guess {
        match self.sign_in(name, WRONG) {
            Err(SigninError::BadCredentials) => Guess::Wrong,
            Err(SigninError::Throttled(Throttled { wait_seconds })) => Guess::MustWait(wait_seconds),
            Err(other) => panic!("another refusal: {other}"),
            Ok(_) => panic!("a wrong password got in"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    Wrong,
    MustWait(u32),
}

pub(super) fn token_in(link: &str) -> String {
    link.rsplit('=').next().unwrap().to_owned()
}

#[test]
fn p10_a_fresh_appliance_has_nobody_in_it() {
    let house = TestApp::new();
    let names =
        ["admin", "administrator", "root", "operator", "domicile", "test", "guest", "user", "demo", "admin@localhost"];

    assert_eq!(house.look(|view| accounts::count(view).unwrap()), 0);
    for name in names {
        for password in [name, "administrator-1"] {
            assert!(matches!(house.sign_in(name, password), Err(SigninError::BadCredentials)), "{name}");
        }
    }
    assert_eq!(house.number("select count(*) from session"), 0);
}

#[test]
fn who_proves_the_address_is_in_with_a_workspace_and_the_welcome_credit() {
    let house = TestApp::new();
    let pending = house.sign_up("ada@example.org", "ada-ada").unwrap();
    let code = house.letter("ada@example.org", "code").code();
    assert_eq!(house.find("ada-ada").unwrap().state, AccountState::Pending);

    let token = house.prove(pending, &code).unwrap();

    let ada = house.find("ada-ada").unwrap();
    assert_eq!((ada.state, ada.is_operator, house.balance_of(&ada)), (AccountState::Active, false, Credits::whole(5)));
    assert_eq!(house.current(&token).unwrap().account, ada.id);
    assert!(house.letter("ada@example.org", "Welcome").text.contains("ada-ada"));
    assert!(matches!(house.prove(pending, &code), Err(AccountError::CodeRefused)));
}

#[test]
fn the_welcome_credit_is_given_once_whichever_way_somebody_comes_in() {
    let house = TestApp::new();
    let pending = house.sign_up("ada@example.org", "ada-ada").unwrap();
    let code = house.letter("ada@example.org", "code").code();
    house.prove(pending, &code).unwrap();
    for _ in 0..2 {
        house.clock.advance(seconds(1));
        house.ask_for_reset("ada@example.org").unwrap();
        house.reset(&house.reset_token("ada@example.org"), PASSWORD).unwrap();
        house.session("ada-ada");
    }

    assert_eq!(house.balance_of(&house.find("ada-ada").unwrap()), Credits::whole(5));
    assert_eq!(house.number("select count(*) from ledger_tx"), 1);
}

#[test]
fn p8_signing_up_with_a_known_address_looks_the_same_and_tells_its_owner() {
    let house = TestApp::new();
    house.person("ada-ada");
    let grown = |email: &str, name: &str| {
        let before = house.footprint();
        let answer = house.sign_up(email, name).unwrap();
        let after = house.footprint();
        (answer, after.into_iter().zip(before).map(|((table, now), (_, then))| (table, now - then)).collect::<Vec<_>>())
    };

    let (known, rows_of_known) = grown("ADA-ada@Example.org", "mallory");
    let (new, rows_of_new) = grown("new@example.org", "trudy-t");

    let letter = house.letter("ADA-ada@Example.org", "You have an account already");
    assert!(!letter.text.contains("mallory") && !letter.text.contains("code"), "{letter:?}");
    assert_eq!(rows_of_known, rows_of_new);
    // Whatever a stranger does next is answered alike, too.
    for (answer, name, email) in [(known, "mallory", "ada-ada@example.org"), (new, "trudy-t", "new@example.org")] {
        assert!(matches!(house.prove(answer, "000000"), Err(AccountError::CodeRefused)), "{name}");
        assert!(matches!(house.sign_in(name, PASSWORD), Ok(Started::MustVerify(_))), "{name}");
        assert!(matches!(house.sign_in(email, OTHER), Err(SigninError::BadCredentials)), "{name}");
        assert!(matches!(
            house.sign_up("else@example.org", name),
            Err(SigninError::Account(AccountError::UsernameTaken))
        ));
    }
    // And the owner goes on undisturbed.
    house.session("ada-ada@example.org");
}

#[test]
fn an_operators_link_with_a_taken_address_says_so_and_stays_good() {
    let house = TestApp::new();
    house.person("ada-ada");
    let token = house.claim();

    let taken = house.sign_up_with("ada-ada@example.org", "bob-bob", PASSWORD, &token);
    assert!(matches!(taken, Err(SigninError::Account(AccountError::EmailTaken))));

    house.sign_up_with("bob@example.org", "bob-bob", PASSWORD, &token).unwrap();
    assert!(house.find("bob-bob").unwrap().is_operator);
}

#[test]
fn names_and_addresses_of_one_person_do_not_betray_each_other() {
    let house = TestApp::new();
    house.person("ada-ada");
    let told: Vec<_> = (0..7).map(|_| house.guess("ada-ada")).collect();
    assert!(matches!(told[6], Guess::MustWait(_)));

    let by_address = house.guess("ada-ada@example.org");

    assert_eq!(by_address, house.guess("nobody@example.org"));
}

#[test]
fn what_is_typed_wrong_at_sign_up_is_refused_and_nothing_happens() {
    let house = TestApp::new();
    house.person("ada-ada");
    let before = house.footprint();
    let refused =
        |email: &str, username: &str, password: &str| house.sign_up_with(email, username, password, "").unwrap_err();

    assert!(matches!(refused("nonsense", "bob-bob", PASSWORD), SigninError::Account(AccountError::EmailAddress)));
    assert!(matches!(refused("b@example.org", "b", PASSWORD), SigninError::Account(AccountError::Username(_))));
    assert!(matches!(refused("b@example.org", "Ada-Ada", PASSWORD), SigninError::Account(AccountError::UsernameTaken)));
    assert!(matches!(
        refused("b@example.org", "bob-bob", "fourteen chars"),
        SigninError::Password(PasswordFault::TooShort { min: 15 })
    ));
    assert!(matches!(
        refused("barbara-liskov@example.org", "bob-bob", "barbara-liskov-1"),
        SigninError::Password(PasswordFault::TooPersonal)
    ));

    assert_eq!(house.footprint(), before);
}

#[test]
fn the_sign_up_mode_decides_who_may() {
    let cases: [(SignupMode, &[(&str, bool)]); 4] = [
        (SignupMode::Open, &[("a@example.org", true), ("a@example.com", true)]),
        (SignupMode::Domains, &[("a@Example.ORG", true), ("a@sub.example.org", false), ("a@example.com", false)]),
        (SignupMode::Invite, &[("a@example.org", false)]),
        (SignupMode::Closed, &[("a@example.org", false)]),
    ];
    for (mode, addresses) in cases {
        let house = TestApp::with(|config| {
            config.signup.mode = mode;
            config.signup.domains = vec!["example.org".into()];
        });
        for (number, (email, may)) in addresses.iter().enumerate() {
            let before = house.footprint();
            match house.sign_up(email, &format!("somebody-{number}")) {
                Ok(_) => assert!(may, "{mode:?} {email}"),
                Err(SigninError::Closed) => {
                    assert!(!may, "{mode:?} {email}");
                    assert_eq!(house.footprint(), before);
                }
                Err(other) => panic!("{mode:?} {email}: {other}"),
            }
        }
    }
}

#[test]
fn p10_the_operators_link_works_once_within_a_day_whatever_the_mode() {
    for mode in [SignupMode::Open, SignupMode::Domains, SignupMode::Invite, SignupMode::Closed] {
        let house = TestApp::with(|config| config.signup.mode = mode);
        let claim = |name: &str, token: &str| house.sign_up_with(&format!("{name}@example.org"), name, PASSWORD, token);
        let (lost, late) = (house.claim(), house.claim());
        house.clock.advance(hours(24));
        let good = house.claim();
        let before = house.footprint();
        let refused = [claim("bob-bob", &lost), claim("bob-bob", &late), claim("bob-bob", "nonsense")];
        assert_eq!(house.footprint(), before);

        let pending = claim("ada-ada", &good).unwrap();
        let code = house.letter("ada-ada@example.org", "code").code();
        house.prove(pending, &code).unwrap();

        assert!(house.find("ada-ada").unwrap().is_operator);
        for refused in refused.into_iter().chain([claim("bob-bob", &good)]) {
            assert!(matches!(refused, Err(SigninError::Account(AccountError::LinkRefused))), "{mode:?}");
        }
        assert!(matches!(house.write(signin::claim_link), Err(SigninError::OperatorExists)));
        assert!([lost, late, good].iter().all(|token| house.places_of(token).is_empty()));
    }
}

#[test]
fn p10_no_operators_link_outlives_the_first_operator() {
    let house = TestApp::new();
    let token = house.claim();
    let person = NewPerson { is_operator: true, ..house.new_person("ada-ada") };
    house.write(move |tx| signin::create_account(tx, &Actor::Operator, person)).unwrap();

    let late = house.sign_up_with("bob@example.org", "bob-bob", PASSWORD, &token);

    assert!(matches!(late, Err(SigninError::Account(AccountError::LinkRefused))));
    assert!(house.find("bob-bob").is_none());
}

#[test]
fn p10_who_never_proves_the_address_leaves_the_way_to_another_link() {
    let house = TestApp::new();
    house.sign_up_with("ada@exampel.org", "ada-ada", PASSWORD, &house.claim()).unwrap();

    let pending = house.sign_up_with("ada@example.org", "ada-lov", PASSWORD, &house.claim()).unwrap();
    let code = house.letter("ada@example.org", "code").code();
    house.prove(pending, &code).unwrap();

    assert!(house.find("ada-lov").unwrap().is_operator);
}

#[test]
fn a_claim_that_fails_for_another_reason_is_not_used_up() {
    let house = TestApp::new();
    house.person("ada-ada");
    let token = house.claim();

    let taken = house.sign_up_with("bob@example.org", "ada-ada", PASSWORD, &token);
    house.sign_up_with("bob@example.org", "bob-bob", PASSWORD, &token).unwrap();

    assert!(matches!(taken, Err(SigninError::Account(AccountError::UsernameTaken))));
    assert!(house.find("bob-bob").unwrap().is_operator);
}

#[test]
fn a_person_signs_in_by_name_or_address_in_any_case() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");

    for name in ["ada-ada", " ADA-Ada ", "ada-ada@example.org", "ADA-ADA@EXAMPLE.ORG"] {
        let token = house.session(name);
        assert_eq!(house.current(&token).unwrap().account, ada.account.id, "{name}");
        assert_eq!(house.places_of(token.expose()), Vec::<String>::new());
    }

    let recorded = "select count(*) from audit_event where event = 'auth.signin_succeeded'";
    assert_eq!(house.number(recorded), 4);
}

#[test]
fn p8_a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    house.suspend(&house.person("suspended"));
    let sessions = house.number("select count(*) from session");

    for (name, password) in [
        ("ada-ada", WRONG),
        ("nobody-here", PASSWORD),
        ("suspended", PASSWORD),
        ("nobody@example.org", WRONG),
        ("", ""),
    ] {
        assert!(matches!(house.sign_in(name, password), Err(SigninError::BadCredentials)), "{name}");
    }

    assert_eq!(house.number("select count(*) from session"), sessions);
    let failures = "select count(*) from audit_event where event = 'auth.signin_failed' and outcome = 'failure'";
    assert_eq!(house.number(failures), 5);
    let of_ada =
        house.look(|view| domicile::audit::own_events(view, ada.account.id, Some(ada.workspace), 0, 100).unwrap());
    assert_eq!(of_ada.iter().filter(|event| event.name == "auth.signin_failed").count(), 1);
}

#[test]
fn guesses_become_slow_alike_for_names_that_exist_and_names_that_do_not() {
    let house = TestApp::new();
    house.person("ada-ada");

    let [known, unknown] = ["ada-ada", "nobody-here"].map(|name| {
        let free = (0..6).map(|_| house.guess(name)).collect::<Vec<_>>();
        assert_eq!(free, [Guess::Wrong; 6]);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let Guess::MustWait(wait) = house.guess(name) else { panic!("no pause after {waits:?}") };
            waits.push(wait);
            house.clock.advance(seconds(u64::from(wait) - 1) - std::time::Duration::from_millis(1));
            assert!(matches!(house.guess(name), Guess::MustWait(_)));
            house.clock.advance(std::time::Duration::from_millis(1));
            assert_eq!(house.guess(name), Guess::Wrong);
        }
        waits
    });

    assert_eq!(known, unknown);
    // What is told is the pause and the second that is under way.
    assert_eq!(known, [2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 901, 901]);
}

#[test]
fn a_pause_holds_up_the_right_password_too_and_ends_by_itself() {
    let house = TestApp::new();
    let ada = house.person("ada-ada");
    (0..20).for_each(|_| {
        if let Guess::MustWait(wait) = house.guess("ada-ada@example.org") {
            house.clock.advance(seconds(u64::from(wait)));
            house.guess("ada-ada");
        }
    });
    let Guess::MustWait(wait) = house.guess("ada-ada") else { panic!("no pause") };

    assert!(wait <= 15 * 60);
    assert!(matches!(house.sign_in("ada-ada", PASSWORD), Err(SigninError::Throttled(_))));
    // The account's own pause, which all names share, is silent: it looks like a wrong password.
    house.clock.advance(minutes(15));
    let token = house.session("ada-ada");

    assert_eq!(house.current(&token).unwrap().account, ada.account.id);
    // The right password ended it: there are free tries again.
    assert_eq!((0..6).map(|_| house.guess("ada-ada")).collect::<Vec<_>>(), [Guess::Wrong; 6]);
}

#[test]
fn guesses_about_one_person_slow_nobody_else() {
    let house = TestApp::new();
    house.person("ada-ada");
    house.person("bob-bob");
    let told: Vec<_> = (0..7).map(|_| house.guess("ada-ada")).collect();

    assert!(matches!(told[6], Guess::MustWait(_)));
    house.session("bob-bob");
}

#[test]
fn many_guesses_at_once_are_slowed_like_guesses_in_a_row() {
    let house = TestApp::new();
    house.person("ada-ada");

    let told = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..40).map(|_| scope.spawn(|| house.guess("ada-ada"))).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect::<Vec<_>>()
    });

    assert_eq!(told.iter().filter(|guess| **guess == Guess::Wrong).count(), 6);
}

#[test]
fn a_person_who_has_not_proved_the_address_is_asked_to_after_the_right_password() {
    let house = TestApp::new();
    let pending = house.sign_up("ada@example.org", "ada-ada").unwrap();
    let first = house.letter("ada@example.org", "code").code();

    assert!(matches!(house.sign_in("ada-ada", WRONG), Err(SigninError::BadCredentials)));
    for _ in 0..2 {
        assert!(
            matches!(house.sign_in("ada-ada", PASSWORD), Ok(Started::MustVerify(account)) if account == pending.account)
        );
    }
    assert_eq!(house.letter("ada@example.org", "code").code(), first);
    house.clock.advance(minutes(1));
    assert!(matches!(house.sign_in("ada-ada", PASSWORD), Ok(Started::MustVerify(_))));

    let second = house.letter("ada@example.org", "code").code();
    assert_ne!(first, second);
    assert_eq!(house.number("select count(*) from session"), 0);
    house.prove(pending, &second).unwrap();
    house.session("ada-ada");
}

#[test]
fn a_remembered_sign_in_tells_the_browser_how_long_to_keep_it() {
    let house = TestApp::new();
    house.person("ada-ada");
    let sign_in = |remember| {
        let form = signin::SignIn { name: "ada-ada".into(), password: Secret::new(PASSWORD.into()), remember };
        match house.block_on(flows::sign_in(&house.app, visitor(), form)).unwrap() {
            Started::Session { keep, .. } => keep,
            Started::MustVerify(_) | Started::MustProve(_) => panic!("the password is all there is to prove"),
        }
    };

    assert_eq!((sign_in(false), sign_in(true)), (None, Some(days(30))));
}

#[test]
fn p9_a_reset_link_sets_a_new_password_and_ends_every_session() {
    let house = TestApp::new();
    house.person("ada-ada");
    let sessions = [house.session("ada-ada"), house.session("ada-ada")];

    house.ask_for_reset("ADA-ada@example.org").unwrap();
    house.reset(&house.reset_token("ada-ada@example.org"), OTHER).unwrap();

    assert!(sessions.iter().all(|token| house.current(token).is_none()));
    assert!(matches!(house.sign_in("ada-ada", PASSWORD), Err(SigninError::BadCredentials)));
    assert!(matches!(house.sign_in("ada-ada", OTHER), Ok(Started::Session { .. })));
    for event in ["auth.password_reset_requested", "auth.password_changed", "auth.password_reset_completed"] {
        let found = house.look(|view| {
            let sql = "select count(*) from audit_event where event = :event";
            view.one(sql, rusqlite::named_params! {":event": event}, |row| row.get::<_, i64>(0)).unwrap()
        });
        assert_eq!(found, 1, "{event}");
    }
}

#[test]
fn p8_asking_for_a_reset_does_not_tell_who_is_here() {
    let house = TestApp::new();
    house.suspend(&house.person("suspended"));
    house.person("ada-ada");
    let kept =
        || (house.number("select count(*) from one_time_link"), house.number("select count(*) from audit_event"));
    let grown = |address: &str| {
        let before = kept();
        house.ask_for_reset(address).unwrap();
        (kept().0 - before.0, kept().1 - before.1)
    };

    // The same rows for everybody, so that the same time passes; only the letter differs.
    assert_eq!(["nobody@example.org", "suspended@example.org", "ada-ada@example.org"].map(grown), [(1, 1); 3]);
    assert_eq!(house.number("select count(*) from mail_outbox where subject = 'Set your password'"), 1);
    let before = kept();
    assert!(matches!(house.ask_for_reset("nonsense"), Err(SigninError::Account(AccountError::EmailAddress))));
    assert_eq!(kept(), before);
}

#[test]
fn following_a_reset_link_proves_the_address_and_shuts_out_who_took_it_before() {
    let house = TestApp::new();
    let pending = house.sign_up("ada@example.org", "mallory").unwrap();
    let code = house.letter("ada@example.org", "code").code();

    house.ask_for_reset("ada@example.org").unwrap();
    house.reset(&house.reset_token("ada@example.org"), OTHER).unwrap();

    let account = house.find("ada@example.org").unwrap();
    assert_eq!((account.state, house.balance_of(&account)), (AccountState::Active, Credits::whole(5)));
    assert!(matches!(house.sign_in("mallory", PASSWORD), Err(SigninError::BadCredentials)));
    assert!(matches!(house.prove(pending, &code), Err(AccountError::CodeRefused)));
    assert!(matches!(house.sign_in("mallory", OTHER), Ok(Started::Session { .. })));
}

#[test]
fn an_account_made_for_somebody_has_its_credit_once_the_address_is_proved() {
    let mut house = crate::support::TestHouse::new();
    let mut made = |username: &str, is_verified: bool| {
        let person = domicile::signin::NewPerson {
            email: domicile::base::EmailAddress::parse(&format!("{username}@example.org")).unwrap(),
            username: domicile::accounts::Username::parse(username).unwrap(),
            password: Some("$argon2id$not-a-real-one".into()),
            is_verified,
            is_operator: false,
        };
        house.write(|tx| domicile::signin::create_account(tx, &domicile::base::Actor::Operator, person)).unwrap();
        house.count("ledger_tx")
    };

    assert_eq!((made("ada-ada", false), made("bob-bob", true)), (0, 1));
}
