//! Sign-up, sign-in and password reset. Through the flows, with real hashes.

use domicile::accounts::{self, Account, AccountError, AccountState};
use domicile::base::{Actor, Credits, Secret, days, minutes, seconds};
use domicile::billing::ledger;
use domicile::config::{MailTransport, SignupMode};
use domicile::crypto::PasswordFault;
use domicile::sessions::{self, CurrentSession, RetryAfter};
use domicile::signin::{self, PendingSignUp, SignInOutcome, SigninError, flows};
use domicile::workspaces;

use crate::support::{PASSWORD, PersonBuilder, SignInBuilder, TestApp, visitor};

const WRONG: &str = "battery horse, no staple";
const OTHER: &str = "a brand new set of words";

impl TestApp {
    pub(super) fn find(&self, name: &str) -> Option<Account> {
        self.read(|view| accounts::find_by_name(view, name).unwrap())
    }

    pub(super) fn current(&self, token: &Secret<String>) -> Option<CurrentSession> {
        self.read(|view| sessions::current(view, token.expose()).unwrap())
    }

    pub(super) fn balance_of(&self, account: &Account) -> Credits {
        self.read(|view| {
            let workspace = workspaces::personal(view, account.id).unwrap().unwrap();
            ledger::balance(view, workspace.id).unwrap()
        })
    }

    pub(super) fn prove(&self, pending: PendingSignUp, code: &str) -> Result<Secret<String>, AccountError> {
        let (actor, code) = (Actor::Anonymous(visitor()), code.to_owned());
        match self.write_deciding(move |tx| signin::verify(tx, &actor, pending.account, &code)) {
            Ok(SignInOutcome::Session { token, .. }) => Ok(token),
            Ok(SignInOutcome::VerificationPending(_) | SignInOutcome::MfaPending(_)) => {
                panic!("the address is verified")
            }
            Err(SigninError::Account(refused)) => Err(refused),
            Err(error) => panic!("another refusal: {error}"),
        }
    }

    pub(super) fn ask_for_reset(&self, email: &str) -> Result<(), SigninError> {
        self.block_on(flows::request_reset(&self.app, visitor(), email))
    }

    /// The token of the newest reset link to `email`.
    pub(super) fn reset_token(&self, email: &str) -> String {
        token_in(&self.message(email, "Set your password").link("/reset?token="))
    }

    pub(super) fn reset(&self, token: &str, password: &str) -> Result<(), SigninError> {
        self.block_on(flows::reset(&self.app, visitor(), token.to_owned(), Secret::new(password.to_owned()))).map(drop)
    }

    pub(super) fn claim(&self) -> String {
        token_in(&self.write(signin::claim_link).unwrap())
    }

    /// The answer to an attempt with a wrong password.
    fn guess(&self, name: &str) -> Guess {
        match self.sign_in(name, WRONG) {
            Err(SigninError::BadCredentials) => Guess::Wrong,
            Err(SigninError::Throttled(RetryAfter { wait_seconds })) => Guess::MustWait(wait_seconds),
            // The person does not have to wait: they get a link.
            Err(SigninError::MustConfirm) => Guess::MustWait(u32::MAX),
            Err(other) => panic!("another refusal: {other}"),
            Ok(_) => panic!("a wrong password signed in"),
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
fn p10_a_new_appliance_has_no_accounts() {
    let site = TestApp::new();
    let names =
        ["admin", "administrator", "root", "operator", "domicile", "test", "guest", "user", "demo", "admin@localhost"];

    assert_eq!(site.read(|view| accounts::count(view).unwrap()), 0);
    for name in names {
        for password in [name, "administrator-1"] {
            assert!(matches!(site.sign_in(name, password), Err(SigninError::BadCredentials)), "{name}");
        }
    }
    assert_eq!(site.number("select count(*) from session"), 0);
}

#[test]
fn verifying_the_address_signs_in_with_a_workspace_and_the_welcome_credit() {
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap();
    let code = site.message("ada@example.org", "code").code();
    assert_eq!(site.find("ada-ada").unwrap().state, AccountState::Pending);

    let token = site.prove(pending, &code).unwrap();

    let ada = site.find("ada-ada").unwrap();
    assert_eq!((ada.state, ada.is_operator, site.balance_of(&ada)), (AccountState::Active, false, Credits::whole(5)));
    assert_eq!(site.current(&token).unwrap().account, ada.id);
    assert!(site.message("ada@example.org", "Welcome").text.contains("ada-ada"));
    assert!(matches!(site.prove(pending, &code), Err(AccountError::CodeRefused)));
}

#[test]
fn the_welcome_credit_is_given_once_whatever_the_sign_in_method_is() {
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap();
    let code = site.message("ada@example.org", "code").code();
    site.prove(pending, &code).unwrap();
    for _ in 0..2 {
        site.clock.advance(seconds(1));
        site.ask_for_reset("ada@example.org").unwrap();
        site.reset(&site.reset_token("ada@example.org"), PASSWORD).unwrap();
        site.session("ada-ada");
    }

    assert_eq!(site.balance_of(&site.find("ada-ada").unwrap()), Credits::whole(5));
    assert_eq!(site.number("select count(*) from ledger_tx"), 1);
}

#[test]
fn p8_a_sign_up_with_a_known_address_looks_the_same_and_its_owner_gets_a_mail() {
    let site = TestApp::new();
    site.person("ada-ada");
    let grown = |email: &str, name: &str| {
        let mut answer = None;
        let rows = site.growth(|| answer = Some(site.sign_up(email, name).unwrap()));
        (answer.unwrap(), rows)
    };

    let (known, rows_of_known) = grown("ADA-ada@Example.org", "mallory");
    let (new, rows_of_new) = grown("new@example.org", "trudy-t");

    let message = site.message("ADA-ada@Example.org", "You have an account already");
    assert!(!message.text.contains("mallory") && !message.text.contains("code"), "{message:?}");
    assert_eq!(rows_of_known, rows_of_new);
    // The answers to whatever an anonymous caller does next are the same, too.
    for (answer, name, email) in [(known, "mallory", "ada-ada@example.org"), (new, "trudy-t", "new@example.org")] {
        assert!(matches!(site.prove(answer, "000000"), Err(AccountError::CodeRefused)), "{name}");
        assert!(matches!(site.sign_in(name, PASSWORD), Ok(SignInOutcome::VerificationPending(_))), "{name}");
        assert!(matches!(site.sign_in(email, OTHER), Err(SigninError::BadCredentials)), "{name}");
        assert!(matches!(
            site.sign_up("else@example.org", name),
            Err(SigninError::Account(AccountError::UsernameTaken))
        ));
    }
    // The owner can still sign in.
    site.session("ada-ada@example.org");
}

#[test]
fn names_and_addresses_of_one_person_do_not_reveal_each_other() {
    let site = TestApp::new();
    site.person("ada-ada");
    let guesses: Vec<_> = (0..7).map(|_| site.guess("ada-ada")).collect();
    assert!(matches!(guesses[6], Guess::MustWait(_)));

    let by_address = site.guess("ada-ada@example.org");

    assert_eq!(by_address, site.guess("nobody@example.org"));
}

#[test]
fn an_invalid_sign_up_is_refused_and_changes_nothing() {
    let site = TestApp::new();
    site.person("ada-ada");
    let before = site.footprint();
    let refused =
        |email: &str, username: &str, password: &str| site.sign_up_with(email, username, password).unwrap_err();

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

    assert_eq!(site.footprint(), before);
}

#[test]
fn the_sign_up_mode_decides_who_may_sign_up() {
    let cases: [(SignupMode, &[(&str, bool)]); 4] = [
        (SignupMode::Open, &[("a@example.org", true), ("a@example.com", true)]),
        (SignupMode::Domains, &[("a@Example.ORG", true), ("a@sub.example.org", false), ("a@example.com", false)]),
        (SignupMode::Invite, &[("a@example.org", false)]),
        (SignupMode::Closed, &[("a@example.org", false)]),
    ];
    for (mode, addresses) in cases {
        let site = TestApp::with(|config| {
            config.signup.mode = mode;
            config.signup.domains = vec!["example.org".into()];
        });
        for (number, (email, may)) in addresses.iter().enumerate() {
            let before = site.footprint();
            match site.sign_up(email, &format!("somebody-{number}")) {
                Ok(_) => assert!(may, "{mode:?} {email}"),
                Err(SigninError::Closed) => {
                    assert!(!may, "{mode:?} {email}");
                    assert_eq!(site.footprint(), before);
                }
                Err(other) => panic!("{mode:?} {email}: {other}"),
            }
        }
    }
}

#[test]
fn a_person_signs_in_by_name_or_address_in_any_case() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");

    for name in ["ada-ada", " ADA-Ada ", "ada-ada@example.org", "ADA-ADA@EXAMPLE.ORG"] {
        let token = site.session(name);
        assert_eq!(site.current(&token).unwrap().account, ada.account.id, "{name}");
        assert_eq!(site.columns_with(token.expose()), Vec::<String>::new());
    }

    let recorded = "select count(*) from audit_event where event = 'auth.signin_succeeded'";
    assert_eq!(site.number(recorded), 4);
}

#[test]
fn p8_a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.suspend(&site.person("suspended"));
    let sessions = site.number("select count(*) from session");

    for (name, password) in [
        ("ada-ada", WRONG),
        ("nobody-here", PASSWORD),
        ("suspended", PASSWORD),
        ("nobody@example.org", WRONG),
        ("", ""),
    ] {
        assert!(matches!(site.sign_in(name, password), Err(SigninError::BadCredentials)), "{name}");
    }

    assert_eq!(site.number("select count(*) from session"), sessions);
    let failures = "select count(*) from audit_event where event = 'auth.signin_failed' and outcome = 'failure'";
    assert_eq!(site.number(failures), 5);
    let of_ada =
        site.read(|view| domicile::audit::own_events(view, ada.account.id, Some(ada.workspace), 0, 100).unwrap());
    assert_eq!(of_ada.iter().filter(|event| event.name == "auth.signin_failed").count(), 1);
}

#[test]
fn guesses_are_throttled_equally_for_known_and_unknown_names() {
    let site = TestApp::with(|config| config.mail.transport = MailTransport::Log);
    site.person("ada-ada");

    let [known, unknown] = ["ada-ada", "nobody-here"].map(|name| {
        let free = (0..4).map(|_| site.guess(name)).collect::<Vec<_>>();
        assert_eq!(free, [Guess::Wrong; 4]);
        let mut waits = Vec::new();
        for _ in 0..5 {
            let Guess::MustWait(wait) = site.guess(name) else { panic!("no wait after {waits:?}") };
            waits.push(wait);
            site.clock.advance(seconds(u64::from(wait) - 1) - std::time::Duration::from_millis(1));
            assert!(matches!(site.guess(name), Guess::MustWait(_)));
            site.clock.advance(std::time::Duration::from_millis(1));
            assert_eq!(site.guess(name), Guess::Wrong);
        }
        waits
    });

    assert_eq!(known, unknown);
    // The answer is the wait plus the second that has begun.
    assert_eq!(known, [31, 901, 1801, 3601, 7201]);
}

#[test]
fn without_mail_a_wait_also_delays_the_right_password_and_ends_by_itself() {
    let site = TestApp::with(|config| config.mail.transport = MailTransport::Log);
    let ada = site.person("ada-ada");
    (0..20).for_each(|_| {
        if let Guess::MustWait(wait) = site.guess("ada-ada@example.org") {
            site.clock.advance(seconds(u64::from(wait)));
            site.guess("ada-ada");
        }
    });
    let Guess::MustWait(wait) = site.guess("ada-ada") else { panic!("no wait") };

    assert!(wait <= 24 * 3600 + 1);
    assert!(matches!(site.sign_in("ada-ada", PASSWORD), Err(SigninError::Throttled(_))));
    // The wait of the account, which all its names share, is silent: it looks like a wrong password.
    site.clock.advance(days(1));
    let token = site.session("ada-ada");

    assert_eq!(site.current(&token).unwrap().account, ada.account.id);
    // The right password cleared the failures: there are free attempts again.
    assert_eq!((0..4).map(|_| site.guess("ada-ada")).collect::<Vec<_>>(), [Guess::Wrong; 4]);
}

#[test]
fn guesses_at_one_person_do_not_throttle_others() {
    let site = TestApp::new();
    site.person("ada-ada");
    site.person("bob-bob");
    let guesses: Vec<_> = (0..7).map(|_| site.guess("ada-ada")).collect();

    assert!(matches!(guesses[6], Guess::MustWait(_)));
    site.session("bob-bob");
}

#[test]
fn concurrent_guesses_are_throttled_like_guesses_in_a_row() {
    let site = TestApp::new();
    site.person("ada-ada");

    let told = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..40).map(|_| scope.spawn(|| site.guess("ada-ada"))).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect::<Vec<_>>()
    });

    assert_eq!(told.iter().filter(|guess| **guess == Guess::Wrong).count(), 4);
}

#[test]
fn a_person_with_an_unverified_address_must_verify_it_after_the_right_password() {
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "ada-ada").unwrap();
    let first = site.message("ada@example.org", "code").code();

    assert!(matches!(site.sign_in("ada-ada", WRONG), Err(SigninError::BadCredentials)));
    for _ in 0..2 {
        assert!(
            matches!(site.sign_in("ada-ada", PASSWORD), Ok(SignInOutcome::VerificationPending(account)) if account == pending.account)
        );
    }
    assert_eq!(site.message("ada@example.org", "code").code(), first);
    // A code that is still valid is not replaced.
    site.clock.advance(minutes(11));
    assert!(matches!(site.sign_in("ada-ada", PASSWORD), Ok(SignInOutcome::VerificationPending(_))));

    let second = site.message("ada@example.org", "code").code();
    assert_ne!(first, second);
    assert_eq!(site.number("select count(*) from session"), 0);
    site.prove(pending, &second).unwrap();
    site.session("ada-ada");
}

#[test]
fn a_remembered_sign_in_tells_the_browser_how_long_to_keep_it() {
    let site = TestApp::new();
    site.person("ada-ada");
    let sign_in = |remember| {
        let form = SignInBuilder::new("ada-ada", PASSWORD).remember(remember).build();
        match site.block_on(flows::sign_in(&site.app, visitor(), form)).unwrap() {
            SignInOutcome::Session { keep, .. } => keep,
            SignInOutcome::VerificationPending(_) | SignInOutcome::MfaPending(_) => {
                panic!("the password is the only proof")
            }
        }
    };

    assert_eq!((sign_in(false), sign_in(true)), (None, Some(days(30))));
}

#[test]
fn p9_a_reset_link_sets_a_new_password_and_ends_every_session() {
    let site = TestApp::new();
    site.person("ada-ada");
    let sessions = [site.session("ada-ada"), site.session("ada-ada")];

    site.ask_for_reset("ADA-ada@example.org").unwrap();
    site.reset(&site.reset_token("ada-ada@example.org"), OTHER).unwrap();

    assert!(sessions.iter().all(|token| site.current(token).is_none()));
    assert!(matches!(site.sign_in("ada-ada", PASSWORD), Err(SigninError::BadCredentials)));
    assert!(matches!(site.sign_in("ada-ada", OTHER), Ok(SignInOutcome::Session { .. })));
    for event in ["auth.password_reset_requested", "auth.password_changed", "auth.password_reset_completed"] {
        let found = site.read(|view| {
            let sql = "select count(*) from audit_event where event = :event";
            view.one(sql, rusqlite::named_params! {":event": event}, |row| row.get::<_, i64>(0)).unwrap()
        });
        assert_eq!(found, 1, "{event}");
    }
}

#[test]
fn p8_asking_for_a_reset_does_not_reveal_who_has_an_account() {
    let site = TestApp::new();
    site.suspend(&site.person("suspended"));
    site.person("ada-ada");
    let kept = || (site.number("select count(*) from one_time_link"), site.number("select count(*) from audit_event"));
    let grown = |address: &str| {
        let before = kept();
        site.ask_for_reset(address).unwrap();
        (kept().0 - before.0, kept().1 - before.1)
    };

    // The same rows in every case, so that it takes the same time. Only the mail differs.
    assert_eq!(["nobody@example.org", "suspended@example.org", "ada-ada@example.org"].map(grown), [(1, 1); 3]);
    assert_eq!(site.number("select count(*) from mail_outbox where subject = 'Set your password'"), 1);
    let before = kept();
    assert!(matches!(site.ask_for_reset("nonsense"), Err(SigninError::Account(AccountError::EmailAddress))));
    assert_eq!(kept(), before);
}

#[test]
fn a_reset_link_verifies_the_address_and_removes_the_access_of_an_earlier_claimant() {
    let site = TestApp::new();
    let pending = site.sign_up("ada@example.org", "mallory").unwrap();
    let code = site.message("ada@example.org", "code").code();

    site.ask_for_reset("ada@example.org").unwrap();
    site.reset(&site.reset_token("ada@example.org"), OTHER).unwrap();

    let account = site.find("ada@example.org").unwrap();
    assert_eq!((account.state, site.balance_of(&account)), (AccountState::Active, Credits::whole(5)));
    assert!(matches!(site.sign_in("mallory", PASSWORD), Err(SigninError::BadCredentials)));
    assert!(matches!(site.prove(pending, &code), Err(AccountError::CodeRefused)));
    assert!(matches!(site.sign_in("mallory", OTHER), Ok(SignInOutcome::Session { .. })));
}

#[test]
fn an_account_that_an_operator_creates_gets_its_credit_when_the_address_is_verified() {
    let mut site = crate::support::TestSite::new();
    let mut made = |username: &str, is_verified: bool| {
        let person = PersonBuilder::named(username).verified(is_verified).build();
        site.write(|tx| domicile::signin::create_account(tx, &domicile::base::Actor::Operator, person)).unwrap();
        site.count("ledger_tx")
    };

    assert_eq!((made("ada-ada", false), made("bob-bob", true)), (0, 1));
}
