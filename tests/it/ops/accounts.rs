//! Accounts: their names, their addresses, and the verification of addresses.

use domicile::accounts::{
    self, Account, AccountError, AccountState, CODE_LIFE, DisplayName, LinkPurpose, NewAccount, Profile, RESEND_AFTER,
    Username,
};
use domicile::base::{Actor, EmailAddress, days, hours, minutes, seconds};
use domicile::db;
use domicile::jobs::{self, NewJob};
use domicile::privacy;

use crate::support::{TestApp, TestSite};

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn claimant(username: &str, email: &str) -> NewAccount {
    NewAccount {
        username: Username::parse(username).unwrap(),
        email: address(email),
        is_verified: false,
        password: None,
        is_operator: false,
    }
}

impl TestSite {
    /// A person who signed up and has not verified their address yet. The code is queued.
    fn pending(&mut self, username: &str, email: &str) -> Account {
        let (actor, new) = (self.anonymous(), claimant(username, email));
        self.write(|tx| {
            let account = accounts::create(tx, &actor, &new)?;
            accounts::send_code(tx, &actor, account.id)?;
            Ok::<_, AccountError>(account)
        })
        .unwrap()
    }

    /// The code in the newest mail to the account.
    fn newest_code(&mut self, account: &Account) -> String {
        let to = self.read(|tx| accounts::primary_email(tx, account.id).unwrap()).unwrap().to_string();
        self.messages().iter().find(|message| message.to == to).unwrap().code()
    }

    /// Enters a code. Returns whether the address is verified now.
    fn type_code(&mut self, account: &Account, code: &str) -> bool {
        let (actor, id) = (self.anonymous(), account.id);
        match self.write_deciding(|tx| accounts::verify_email(tx, &actor, id, code)) {
            Ok(active) => {
                assert_eq!(active.state, AccountState::Active);
                true
            }
            Err(AccountError::CodeRefused) => false,
            Err(other) => panic!("refused for another reason than a wrong code: {other}"),
        }
    }

    fn resend(&mut self, account: &Account) -> Result<(), AccountError> {
        let (actor, id) = (self.anonymous(), account.id);
        self.write(|tx| accounts::resend_code(tx, &actor, id))
    }
}

/// A code that is not `code`.
fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[test]
fn usernames_are_four_to_thirty_two_small_letters_digits_and_single_inner_hyphens() {
    for good in ["adal", "ada-l", "a1b2", "1234", "a-b-c-d", &"x".repeat(32), " ada-l ", "ADA-L"] {
        assert!(Username::parse(good).is_ok(), "{good:?}");
    }
    let bad = [
        "ada",
        &"x".repeat(33),
        "-ada",
        "adal-",
        "ada--l",
        "ada_l",
        "ada.l",
        "ada l",
        "ad/al",
        "adal\n-x",
        "ädal",
        "ａｄａｌ",
        "admin",
        "Settings",
        "SIGNIN",
        "postmaster",
        "domicile",
        "",
    ];
    for bad in bad {
        assert!(Username::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_username_is_taken_without_regard_to_case() {
    let mut site = TestSite::new();
    site.person("ada-ada");
    let before = site.footprint();

    let again = claimant("ADA-Ada", "other@example.org");
    let refused = site.write(|tx| accounts::create(tx, &Actor::Operator, &again));

    assert!(matches!(refused, Err(AccountError::UsernameTaken)));
    assert!(!site.read(|tx| accounts::is_username_free(tx, "ADA-ADA").unwrap()));
    assert_eq!(site.footprint(), before);
}

#[test]
fn a_retired_username_is_not_free_for_a_year() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    site.write(|tx| privacy::erase(tx, &Actor::Operator, ada.account.id)).unwrap();
    let mut is_free = |name: &str| site.read(|tx| accounts::is_username_free(tx, name).unwrap());
    assert!(!is_free("ada-ada"));
    assert!(!is_free("Ada-Ada"));

    site.clock.advance(days(365) - seconds(1));
    let new = claimant("ada-ada", "another-ada@example.org");
    let refused = site.write(|tx| accounts::create(tx, &Actor::Operator, &new));
    site.clock.advance(seconds(1));
    let taken = site.write(|tx| accounts::create(tx, &Actor::Operator, &new));

    assert!(matches!(refused, Err(AccountError::UsernameTaken)));
    assert_eq!(taken.unwrap().username, "ada-ada");
}

#[test]
fn an_account_without_a_verified_address_is_deleted_after_a_day_and_its_name_is_free() {
    let site = TestApp::new();
    let other = site.person("grace-h");
    site.sign_up("ada@example.org", "ada-ada").unwrap();
    let sweep = |site: &TestApp| {
        site.write(|tx| jobs::enqueue(tx, NewJob::once(privacy::jobs::ERASE_PENDING))).unwrap();
        site.run_jobs();
        site.read(|view| accounts::find_by_name(view, "ada-ada").unwrap().is_some())
    };

    site.clock.advance(hours(24));
    assert!(sweep(&site));
    site.clock.advance(seconds(1));
    assert!(!sweep(&site));

    assert_eq!(site.read(|view| accounts::count(view).unwrap()), 1);
    assert!(site.read(|view| accounts::find(view, other.account.id).unwrap()).is_some());
    assert!(site.read(|view| accounts::is_username_free(view, "ada-ada").unwrap()));
    assert_eq!(site.columns_with("ada@example.org"), Vec::<String>::new());
    site.sign_up("ada@example.org", "ada-ada").unwrap();
}

#[test]
fn a_claim_to_an_address_does_not_keep_others_from_verifying_it() {
    let mut site = TestSite::new();
    let squatter = site.pending("squatter", "Ada@Example.org");
    let squatters_code = site.newest_code(&squatter);
    site.clock.advance(minutes(1));
    let ada = site.pending("ada-ada", "ada@example.org");
    let adas_code = site.newest_code(&ada);

    assert!(site.type_code(&ada, &adas_code));
    assert!(!site.type_code(&squatter, &squatters_code));
    assert!(!site.type_code(&squatter, &squatters_code));

    assert_eq!(site.find("ada@example.org").unwrap().id, ada.id);
    assert_eq!(site.find("squatter").unwrap().state, AccountState::Pending);
    let late = NewAccount { is_verified: true, ..claimant("late-late", "ADA@example.org") };
    let refused = site.write(|tx| accounts::create(tx, &Actor::Operator, &late));
    assert!(matches!(refused, Err(AccountError::EmailTaken)));
    let confirmed = site.write(|tx| accounts::verify_by_operator(tx, &Actor::Operator, squatter.id));
    assert!(matches!(confirmed, Err(AccountError::EmailTaken)));
}

#[test]
fn a_code_is_valid_once_also_with_spaces() {
    let mut site = TestSite::new();
    let ada = site.pending("ada-ada", "ada@example.org");
    let code = site.newest_code(&ada);

    assert!(site.type_code(&ada, &format!(" {} {} ", &code[..3], &code[3..])));
    assert!(!site.type_code(&ada, &code));

    // The row stays for an hour, because it counts the codes; the code in it has expired.
    let valid = format!("select count(*) from email_code where expires_at > {}", site.clock.now().millis());
    assert_eq!(site.number(&valid), 0);
    let verified = "select count(*) from audit_event where event = 'email.verified'";
    assert_eq!(site.number(verified), 1);
    assert!(matches!(site.resend(&ada), Err(AccountError::NotFound)));
}

#[test]
fn a_code_is_valid_for_ten_minutes() {
    let mut site = TestSite::new();
    let [early, late] = ["early", "latest"].map(|name| {
        let account = site.pending(name, &format!("{name}@example.org"));
        let code = site.newest_code(&account);
        (account, code)
    });
    assert_eq!(CODE_LIFE, minutes(10));

    site.clock.advance(CODE_LIFE - seconds(1));
    assert!(site.type_code(&early.0, &early.1));
    site.clock.advance(seconds(1));
    assert!(!site.type_code(&late.0, &late.1));
}

#[test]
fn after_five_wrong_codes_the_right_one_is_refused() {
    let mut site = TestSite::new();
    let ada = site.pending("ada-ada", "ada@example.org");
    let code = site.newest_code(&ada);

    for tried in 1..=5 {
        assert!(!site.type_code(&ada, &another(&code)));
        // Each try is stored; otherwise it would not be used up.
        assert_eq!(site.number("select tries from email_code"), tried);
    }
    assert!(!site.type_code(&ada, &code));
    let failures = "select count(*) from audit_event where event = 'email.verify_failed' and outcome = 'failure'";
    assert_eq!((site.number("select tries from email_code"), site.number(failures)), (5, 5));

    site.clock.advance(RESEND_AFTER);
    site.resend(&ada).unwrap();
    let newer = site.newest_code(&ada);
    assert!(site.type_code(&ada, &newer));
}

#[test]
fn the_fifth_try_may_be_the_right_one() {
    let mut site = TestSite::new();
    let ada = site.pending("ada-ada", "ada@example.org");
    let code = site.newest_code(&ada);
    for _ in 0..4 {
        site.type_code(&ada, &another(&code));
    }

    assert!(site.type_code(&ada, &code));
}

#[test]
fn another_code_is_sent_after_a_minute_and_replaces_the_previous_one() {
    let mut site = TestSite::new();
    let ada = site.pending("ada-ada", "ada@example.org");
    let first = site.newest_code(&ada);
    site.clock.advance(RESEND_AFTER - seconds(1));
    let before = site.footprint();

    assert!(matches!(site.resend(&ada), Err(AccountError::CodeTooSoon { wait_seconds: 2 })));
    assert_eq!(site.footprint(), before);
    site.clock.advance(seconds(1));
    site.resend(&ada).unwrap();

    let second = site.newest_code(&ada);
    assert_ne!(first, second);
    assert!(!site.type_code(&ada, &first));
    assert!(site.type_code(&ada, &second));
}

#[test]
fn a_code_is_valid_for_its_own_address_only() {
    let mut site = TestSite::new();
    let ada = site.pending("ada-ada", "ada@example.org");
    let adas_code = site.newest_code(&ada);
    let bob = site.pending("bob-bob", "bob@example.org");
    let bobs_code = site.newest_code(&bob);

    assert!(!site.type_code(&ada, &bobs_code));
    assert!(!site.type_code(&bob, &adas_code));
    assert!(site.type_code(&ada, &adas_code));
}

#[test]
fn a_change_of_the_profile_is_recorded_without_its_text() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let (actor, id) = (ada.by_browser(), ada.account.id);
    let profile = Profile::named(DisplayName::parse("Ada Lovelace").unwrap());

    site.write(|tx| accounts::update_profile(tx, &actor, id, &profile)).unwrap();
    let events = site.count("audit_event");
    site.write(|tx| accounts::update_profile(tx, &actor, id, &profile)).unwrap();

    assert_eq!(site.find("ada-ada").unwrap().display_name, "Ada Lovelace");
    assert_eq!(site.count("audit_event"), events);
    let newest = site.activity_of(&ada).remove(0);
    assert_eq!(
        (newest.name.as_str(), newest.data),
        ("account.profile_updated", serde_json::json!({"fields": ["display_name"]}))
    );
    assert_eq!(site.columns_with("Lovelace"), ["account.display_name"]);
}

#[test]
fn the_profile_of_another_person_cannot_be_changed() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let holder = site.key_holder(&ada);
    let profile = Profile::named(DisplayName::parse("Mallory").unwrap());
    let before = site.footprint();

    for actor in [bob.by_browser(), holder, site.anonymous()] {
        let refused = site.write(|tx| accounts::update_profile(tx, &actor, ada.account.id, &profile));
        assert!(matches!(refused, Err(AccountError::NotFound)), "{}", actor.kind());
    }

    assert_eq!(site.find("ada-ada").unwrap().display_name, "ada-ada");
    assert_eq!(site.footprint(), before);
}

#[test]
fn an_account_is_found_by_its_id_its_name_and_its_address_without_regard_to_case() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = ada.account.id.to_string();

    for name in [id.as_str(), "ada-ada", "ADA-Ada", "ada-ada@example.org", " Ada-ADA@Example.ORG "] {
        assert_eq!(site.find(name).unwrap().id, ada.account.id, "{name:?}");
    }
    for name in ["ada-ad", "ada", "", "ada-ada@example.com", "acc_nobody", "%"] {
        assert!(site.find(name).is_none(), "{name:?}");
    }
}

#[test]
fn an_address_finds_the_account_that_verified_it_and_not_one_that_claims_it() {
    let mut site = TestSite::new();
    let claim = site.pending("claimant", "ada-ada@example.org");
    let ada = site.person("ada-ada");

    let found = site.read(|tx| accounts::find_by_email(tx, &address("ada-ada@example.org")).unwrap());

    assert_eq!(found.unwrap().id, ada.account.id);
    assert_ne!(claim.id, ada.account.id);
}

#[test]
fn a_one_time_link_is_used_once_in_time_and_for_its_purpose() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let issue = |site: &mut TestSite| {
        let id = Some(ada.account.id);
        site.write(|tx| accounts::issue_link(tx, LinkPurpose::PasswordReset, id)).unwrap()
    };
    let (first, second, third) = (issue(&mut site), issue(&mut site), issue(&mut site));
    let use_it = |site: &mut TestSite, purpose, token: &str| site.write(|tx| accounts::use_link(tx, purpose, token));

    let wrong = use_it(&mut site, LinkPurpose::OperatorClaim, first.expose());
    assert!(matches!(wrong, Err(AccountError::LinkRefused)));
    assert_eq!(use_it(&mut site, LinkPurpose::PasswordReset, first.expose()).unwrap(), Some(ada.account.id));
    site.clock.advance(minutes(30) - seconds(1));
    assert_eq!(use_it(&mut site, LinkPurpose::PasswordReset, second.expose()).unwrap(), Some(ada.account.id));
    site.clock.advance(seconds(1));

    for token in [&first, &second, &third].map(|token| token.expose().as_str()).into_iter().chain(["", "nonsense"]) {
        let refused = use_it(&mut site, LinkPurpose::PasswordReset, token);
        assert!(matches!(refused, Err(AccountError::LinkRefused)));
    }
    assert_eq!(site.columns_with(third.expose()), Vec::<String>::new());
}

#[test]
fn an_account_is_created_completely_or_not_at_all() {
    let mut site = TestSite::new();
    let before = site.footprint();
    let new = claimant("ada-ada", "ada@example.org");

    let failed: Result<(), db::Error> = site.write(|tx| {
        accounts::create(tx, &Actor::Operator, &new).unwrap();
        Err(db::Error::Stopped)
    });

    assert!(failed.is_err());
    assert_eq!(site.footprint(), before);
    assert_eq!((site.count("account_email"), site.count("subject_key")), (0, 0));
}
