//! Additional addresses: verification, the primary address, and the week in which a change can be undone.

use domicile::accounts::{
    self, AccountError, AccountState, CODE_LIFE, EMAILS_MAX, Email, NewAccount, RESEND_AFTER, REVERT_LIFE, Username,
    addresses::{self, ListedEmail},
};
use domicile::base::{Actor, EmailAddress, EmailId, days, hours, minutes, seconds};
use domicile::sessions;
use domicile::signin::{self, SigninError};

use crate::support::{Person, SessionBuilder, TestSite, visitor};

mod reverts;

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn emails_of(site: &mut TestSite, person: &Person) -> Vec<Email> {
    let id = person.account.id;
    site.read(|tx| accounts::emails(tx, id).unwrap())
}

fn primary_of(site: &mut TestSite, person: &Person) -> String {
    emails_of(site, person).into_iter().find(|email| email.is_primary).unwrap().address.to_string()
}

fn add(site: &mut TestSite, person: &Person, email: &str) -> Result<EmailId, AccountError> {
    let (actor, id, email) = (person.by_browser(), person.account.id, address(email));
    site.write(|tx| addresses::add_email(tx, &actor, id, &email))
}

fn resend(site: &mut TestSite, person: &Person, email: EmailId) -> Result<(), AccountError> {
    let (actor, id) = (person.by_browser(), person.account.id);
    site.write(|tx| addresses::resend_email_code(tx, &actor, id, email))
}

/// Enters a code. Returns whether it was accepted.
fn type_code(site: &mut TestSite, person: &Person, email: EmailId, code: &str) -> bool {
    let (actor, id) = (person.by_browser(), person.account.id);
    match site.write_deciding(|tx| signin::verify_added_email(tx, &actor, id, email, code)) {
        Ok(()) => true,
        Err(SigninError::Account(AccountError::CodeRefused)) => false,
        Err(other) => panic!("refused for another reason than a wrong code: {other}"),
    }
}

fn code_to(site: &mut TestSite, email: &str) -> String {
    site.messages().iter().find(|message| message.to == email).unwrap().code()
}

/// The mails that `act` queues.
fn mails_after(site: &mut TestSite, act: impl FnOnce(&mut TestSite)) -> Vec<String> {
    // Mails of the same moment have no order.
    site.clock.advance(seconds(1));
    let before = site.outbox().len();
    act(site);
    let mut mails = site.outbox().split_off(before);
    mails.sort();
    mails
}

/// Adds and verifies an address of the person.
fn add_verified(site: &mut TestSite, person: &Person, email: &str) -> EmailId {
    let id = add(site, person, email).unwrap();
    let code = code_to(site, email);
    assert!(type_code(site, person, id, &code));
    id
}

fn set_primary(site: &mut TestSite, person: &Person, email: EmailId) -> Result<(), SigninError> {
    let (actor, id) = (person.by_browser(), person.account.id);
    site.write(|tx| signin::set_primary_email(tx, &actor, id, email))
}

fn remove(site: &mut TestSite, person: &Person, email: EmailId) -> Result<(), SigninError> {
    let (actor, id) = (person.by_browser(), person.account.id);
    site.write(|tx| signin::remove_email(tx, &actor, id, email))
}

/// Starts a session of the person. Returns its actor.
fn session(site: &mut TestSite, person: &Person) -> Actor {
    let (anonymous, account) = (site.anonymous(), person.account.id);
    let new = SessionBuilder::new(account, visitor()).build();
    let (session, _) = site.write(|tx| sessions::start(tx, &anonymous, &new)).unwrap();
    Actor::SignedIn { account, workspace: person.workspace, session, visitor: visitor() }
}

fn live(site: &mut TestSite, person: &Person) -> Vec<String> {
    let id = person.account.id;
    site.read(|tx| sessions::list(tx, id).unwrap()).into_iter().map(|session| session.id.to_string()).collect()
}

fn id_of(actor: &Actor) -> String {
    match actor {
        Actor::SignedIn { session, .. } => session.to_string(),
        _ => panic!("not a session"),
    }
}

fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[test]
fn an_added_address_gets_a_code_at_once_and_can_sign_in_once_it_is_verified() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");

    let id = add(&mut site, &ada, "Ada@Work.example").unwrap();
    assert!(site.outbox().last().unwrap().starts_with("Ada@Work.example: Your code"));
    assert!(site.read(|tx| accounts::find_by_sign_in_name(tx, "ada@work.example").unwrap()).is_none());
    assert!(site.read(|tx| accounts::find_by_email(tx, &address("ada@work.example")).unwrap()).is_none());
    let code = code_to(&mut site, "Ada@Work.example");
    assert!(!type_code(&mut site, &ada, id, &another(&code)));
    let mails = mails_after(&mut site, |site| {
        assert!(type_code(site, &ada, id, &format!(" {} {}", &code[..3], &code[3..])));
    });

    let found = site.read(|tx| accounts::find_by_sign_in_name(tx, "ADA@work.example").unwrap());
    assert_eq!(found.unwrap().id, ada.account.id);
    let listed = emails_of(&mut site, &ada);
    assert_eq!(
        listed.iter().map(|email| (email.is_primary, email.verified_at.is_some())).collect::<Vec<_>>(),
        [(true, true), (false, true)]
    );
    assert!(listed[1].is_company());
    assert_eq!(mails, ["ada-ada@example.org: An address was added to your account"]);
    let events = site.events_of(&ada);
    assert_eq!(events[events.len() - 4..], ["email.added", "email.code_sent", "email.verify_failed", "email.verified"]);
    assert_eq!(
        site.columns_with("work.example"),
        [
            "account_email.address",
            "account_email.folded",
            "mail_outbox.recipient",
            "mail_outbox.body_text",
            "mail_outbox.body_html"
        ]
    );
}

#[test]
fn p8_an_address_of_another_person_is_added_like_any_other_and_its_owner_is_told() {
    let mut site = TestSite::new();
    let (ada, bob, eve) = (site.person("ada-ada"), site.person("bob-bob"), site.person("eve-eve"));
    let rows = |site: &TestSite, before: &[i64]| -> Vec<i64> {
        site.counts().iter().zip(before).map(|(after, before)| after - before).collect()
    };
    let before = site.counts();
    add(&mut site, &eve, "nobody-has-this@example.org").unwrap();
    let free = rows(&site, &before);
    let before = site.counts();

    let taken = add(&mut site, &bob, "ADA-ada@example.org").unwrap();

    assert_eq!(rows(&site, &before), free);
    assert_eq!(site.outbox().last().unwrap(), "ADA-ada@example.org: Your address stays with your account");
    // There is no code for it: no text of six digits, and no code is right.
    let message = site.messages().remove(0);
    assert!(!message.text.split_whitespace().any(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit())));
    assert!(!type_code(&mut site, &bob, taken, "000000"));
    assert_eq!(site.find("ada-ada@example.org").unwrap().id, ada.account.id);
}

#[test]
fn a_code_is_valid_for_ten_minutes_and_five_tries() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let (first, second) =
        (add(&mut site, &ada, "one@work.example").unwrap(), add(&mut site, &ada, "two@work.example").unwrap());
    let (one, two) = (code_to(&mut site, "one@work.example"), code_to(&mut site, "two@work.example"));

    assert!(!type_code(&mut site, &ada, first, &two) || one == two);
    site.clock.advance(CODE_LIFE - seconds(1));
    assert!(type_code(&mut site, &ada, first, &one));
    resend(&mut site, &ada, second).unwrap();
    let newer = code_to(&mut site, "two@work.example");
    site.clock.advance(CODE_LIFE);
    assert!(!type_code(&mut site, &ada, second, &newer), "expired");
    let waits = |email: &Email| email.id == second && email.verified_at.is_none();
    assert!(emails_of(&mut site, &ada).iter().any(waits));

    let third = add(&mut site, &bob, "three@work.example").unwrap();
    let three = code_to(&mut site, "three@work.example");
    // Without the throttle, which does not allow so many tries during the life of one code.
    let mut is_taken = |code: String| {
        let (actor, bob) = (bob.by_browser(), bob.account.id);
        site.write_deciding(|tx| addresses::verify_added(tx, &actor, bob, third, &code)).is_ok()
    };
    assert!((0..5).all(|_| !is_taken(another(&three))));
    assert!(!is_taken(three.clone()), "the sixth try");
}

#[test]
fn another_code_is_sent_after_a_minute() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = add(&mut site, &ada, "ada@work.example").unwrap();
    site.clock.advance(RESEND_AFTER - seconds(1));
    let before = site.footprint();

    assert!(matches!(resend(&mut site, &ada, id), Err(AccountError::CodeTooSoon { wait_seconds: 2 })));
    assert_eq!(site.footprint(), before);
    site.clock.advance(seconds(1));
    resend(&mut site, &ada, id).unwrap();
}

#[test]
fn there_are_five_codes_an_hour_however_they_are_requested() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    for _ in 0..4 {
        let id = add(&mut site, &ada, "victim@work.example").unwrap();
        remove(&mut site, &ada, id).unwrap();
    }
    let id = add(&mut site, &ada, "victim@work.example").unwrap();
    site.clock.advance(minutes(59));
    let before = site.footprint();

    assert!(matches!(resend(&mut site, &ada, id), Err(AccountError::CodeTooSoon { wait_seconds: 61 })));
    assert!(matches!(add(&mut site, &ada, "other@work.example"), Err(AccountError::CodeTooSoon { .. })));
    assert_eq!(site.footprint(), before);
    let bob = site.person("bob-bob");
    add(&mut site, &bob, "bob@work.example").unwrap();
    site.clock.advance(minutes(1));
    resend(&mut site, &ada, id).unwrap();
}

#[test]
fn an_account_has_ten_addresses_each_once() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    assert!(matches!(add(&mut site, &ada, "ADA-ADA@example.org"), Err(AccountError::EmailListed)));
    for number in 2..=EMAILS_MAX {
        site.clock.advance(hours(1));
        add(&mut site, &ada, &format!("{number}@work.example")).unwrap();
    }
    site.clock.advance(hours(1));
    let before = site.footprint();
    let list = site.read(|view| addresses::list(view, ada.account.id).unwrap());

    assert!(matches!(list.check_room(), Err(AccountError::TooManyEmails)));
    assert!(matches!(add(&mut site, &ada, "more@work.example"), Err(AccountError::TooManyEmails)));
    assert_eq!(site.footprint(), before);
}

#[test]
fn the_list_of_addresses_offers_exactly_what_the_operations_allow() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let signed_up = emails_of(&mut site, &ada)[0].id;
    let [work, home] = ["ada@work.example", "ada@home.example"].map(|email| add_verified(&mut site, &ada, email));
    let new = add(&mut site, &ada, "ada@new.example").unwrap();
    set_primary(&mut site, &ada, work).unwrap();
    site.clock.advance(RESEND_AFTER);
    let id = ada.account.id;
    let list = site.read(|view| addresses::list(view, id).unwrap());

    let offer = |listed: &ListedEmail| {
        let email = &listed.email;
        (email.id, email.awaits_code(), email.can_be_primary(), listed.check_removable().is_ok())
    };
    let offers: Vec<_> = list.emails.iter().map(offer).collect();
    assert_eq!(offers.len(), 4);
    for expected in [
        (signed_up, false, true, false),
        (work, false, false, false),
        (home, false, true, true),
        (new, true, false, true),
    ] {
        assert!(offers.contains(&expected), "{expected:?} is not in {offers:?}");
    }

    for (email, awaits_code, can_be_primary, can_be_removed) in offers {
        assert_eq!(resend(&mut site, &ada, email).is_ok(), awaits_code, "resend {email}");
        // Making the primary address primary again is allowed and does nothing.
        let before = primary_of(&mut site, &ada);
        let changed = set_primary(&mut site, &ada, email).is_ok() && primary_of(&mut site, &ada) != before;
        assert_eq!(changed, can_be_primary, "make {email} primary");
        set_primary(&mut site, &ada, work).unwrap();
        assert_eq!(remove(&mut site, &ada, email).is_ok(), can_be_removed, "remove {email}");
    }
}

#[test]
fn only_a_verified_address_becomes_the_primary_one_and_both_are_told() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = add(&mut site, &ada, "ada@work.example").unwrap();
    let before = site.footprint();
    let refused = set_primary(&mut site, &ada, id);
    assert!(matches!(refused, Err(SigninError::Account(AccountError::EmailUnverified))));
    assert_eq!((site.footprint(), primary_of(&mut site, &ada)), (before, "ada-ada@example.org".to_owned()));
    let code = code_to(&mut site, "ada@work.example");
    assert!(type_code(&mut site, &ada, id, &code));

    let mails = mails_after(&mut site, |site| set_primary(site, &ada, id).unwrap());

    assert_eq!(primary_of(&mut site, &ada), "ada@work.example");
    assert_eq!(
        mails,
        ["ada-ada@example.org: Your primary address was changed", "ada@work.example: This is now your primary address"]
    );
    let messages = site.messages();
    let about = |subject: &str| messages.iter().find(|message| message.subject.contains(subject)).unwrap();
    let old = about("was changed");
    assert!(old.text.contains("10 May 2026") && old.link("/revert").contains("token="));
    assert!(!about("now your primary address").text.contains("/revert"), "the new address must not be able to undo it");
    let before = site.footprint();
    set_primary(&mut site, &ada, id).unwrap();
    assert_eq!(site.footprint(), before, "it is the primary address already");
}

#[test]
fn s4_every_change_of_an_address_ends_the_other_sessions() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = ada.account.id;
    let home = add_verified(&mut site, &ada, "ada@home.example");
    let work = add(&mut site, &ada, "ada@work.example").unwrap();
    let code = code_to(&mut site, "ada@work.example");
    type Act<'a> = (&'a str, &'a dyn Fn(&mut TestSite, &Actor));
    let acts: [Act<'_>; 3] = [
        ("verify", &|site, here| {
            site.write_deciding(|tx| signin::verify_added_email(tx, here, id, work, &code)).unwrap();
        }),
        ("primary", &|site, here| site.write(|tx| signin::set_primary_email(tx, here, id, work)).unwrap()),
        ("remove", &|site, here| site.write(|tx| signin::remove_email(tx, here, id, home)).unwrap()),
    ];

    for (what, act) in acts {
        let (here, there) = (session(&mut site, &ada), session(&mut site, &ada));
        assert!(live(&mut site, &ada).contains(&id_of(&there)));
        act(&mut site, &here);
        assert_eq!(live(&mut site, &ada), [id_of(&here)], "{what}");
    }
}

#[test]
fn the_primary_address_cannot_be_removed_nor_the_previous_one_for_a_week() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let old = emails_of(&mut site, &ada)[0].id;
    let refused = remove(&mut site, &ada, old);
    assert!(matches!(refused, Err(SigninError::Account(AccountError::EmailIsPrimary))));
    let new = add_verified(&mut site, &ada, "ada@work.example");
    set_primary(&mut site, &ada, new).unwrap();
    site.clock.advance(REVERT_LIFE - seconds(1));
    let before = site.footprint();

    let refused = remove(&mut site, &ada, old);
    assert!(matches!(refused, Err(SigninError::Account(AccountError::EmailKeptForRevert { .. }))));
    assert_eq!(site.footprint(), before);
    // A second later.
    let mails = mails_after(&mut site, |site| remove(site, &ada, old).unwrap());

    assert_eq!(emails_of(&mut site, &ada).len(), 1);
    assert_eq!(
        mails,
        [
            "ada-ada@example.org: An address was removed from your account",
            "ada@work.example: An address was removed from your account"
        ]
    );
    let anonymous = site.read(|tx| accounts::find_by_sign_in_name(tx, "ada-ada@example.org").unwrap());
    assert!(anonymous.is_none());
}

#[test]
fn an_unverified_address_is_removed_without_a_mail() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = add(&mut site, &ada, "ada@work.example").unwrap();
    let mails = site.count("mail_outbox");

    remove(&mut site, &ada, id).unwrap();

    assert_eq!((emails_of(&mut site, &ada).len(), site.count("mail_outbox")), (1, mails));
    assert_eq!(site.count("email_code"), 0);
}

#[test]
fn the_addresses_of_another_person_cannot_be_changed() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    let holder = site.key_holder(&ada);
    let waiting = add(&mut site, &ada, "waiting@work.example").unwrap();
    let code = code_to(&mut site, "waiting@work.example");
    let good = add_verified(&mut site, &ada, "good@work.example");
    let before = site.footprint();
    let is_not_found = |error: &SigninError| matches!(error, SigninError::Account(AccountError::NotFound));

    let mail = address("new@work.example");

    for (actor, id) in [
        (bob.by_browser(), ada.account.id),
        (bob.by_browser(), bob.account.id),
        (holder, ada.account.id),
        (site.anonymous(), ada.account.id),
    ] {
        let own = actor.can_manage(id);
        let added = site.write(|tx| addresses::add_email(tx, &actor, if own { ada.account.id } else { id }, &mail));
        let tries = [
            added.map(drop).map_err(SigninError::from),
            site.write(|tx| addresses::resend_email_code(tx, &actor, id, waiting)).map_err(SigninError::from),
            site.write_deciding(|tx| signin::verify_added_email(tx, &actor, id, waiting, &code)),
            site.write(|tx| signin::set_primary_email(tx, &actor, id, good)),
            site.write(|tx| signin::remove_email(tx, &actor, id, good)),
        ];
        assert!(tries.iter().all(|tried| tried.as_ref().is_err_and(is_not_found)), "{} {tries:?}", actor.kind());
    }
    assert_eq!(site.footprint(), before);
}

#[test]
fn row_45_a_verification_voids_the_claims_of_others_to_the_address() {
    let mut site = TestSite::new();
    let (ada, bob) = (site.person("ada-ada"), site.person("bob-bob"));
    add(&mut site, &bob, "ada@work.example").unwrap();
    let squatter = NewAccount {
        username: Username::parse("squatter").unwrap(),
        email: address("ada@work.example"),
        is_verified: false,
        password: Some("$argon2id$the-squatters".into()),
        is_operator: false,
    };
    let squatter = site.write(|tx| accounts::create(tx, &Actor::Operator, &squatter)).unwrap();
    site.clock.advance(seconds(1));

    add_verified(&mut site, &ada, "ada@work.example");

    assert_eq!(emails_of(&mut site, &bob).len(), 1);
    let left = site.read(|tx| accounts::password_hash(tx, squatter.id).unwrap());
    assert_eq!((left, site.find("squatter").unwrap().state), (None, AccountState::Pending));
}

#[test]
fn an_account_that_only_added_an_address_is_not_found_by_it() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let new = NewAccount {
        username: Username::parse("newcomer").unwrap(),
        email: address("newcomer@work.example"),
        is_verified: false,
        password: None,
        is_operator: false,
    };
    let newcomer = site.write(|tx| accounts::create(tx, &Actor::Operator, &new)).unwrap();
    site.clock.advance(seconds(1));

    add(&mut site, &ada, "newcomer@work.example").unwrap();

    assert_eq!(site.find("newcomer@work.example").unwrap().id, newcomer.id);
}

#[test]
fn changes_that_cannot_be_undone_any_more_and_counts_are_deleted() {
    let mut site = TestSite::new();
    let ada = site.person("ada-ada");
    let id = add_verified(&mut site, &ada, "ada@work.example");
    set_primary(&mut site, &ada, id).unwrap();
    let sweep = |site: &mut TestSite| {
        site.write(accounts::purge_old).unwrap();
        (site.count("email_change"), site.count("email_code_count"), site.count("one_time_link"))
    };

    site.clock.advance(hours(1) - seconds(1));
    assert_eq!(sweep(&mut site), (1, 1, 1));
    site.clock.advance(seconds(1));
    assert_eq!(sweep(&mut site), (1, 0, 1));
    site.clock.advance(days(7));
    assert_eq!(sweep(&mut site), (0, 0, 0));
}
