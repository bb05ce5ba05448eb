//! More addresses than one: proof, the primary one, and the week in which a change can be undone.

use domicile::accounts::{
    self, AccountError, AccountState, CODE_LIFE, EMAILS_MAX, Email, NewAccount, RESEND_AFTER, REVERT_LIFE, Username,
    addresses::{self, EmailAnswer},
};
use domicile::base::{Actor, EmailAddress, EmailId, days, hours, minutes, seconds};
use domicile::sessions::{self, NewSession};
use domicile::signin::{self, SigninError};

use crate::support::{Person, TestHouse, visitor};

mod reverts;

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn emails_of(house: &mut TestHouse, person: &Person) -> Vec<Email> {
    let id = person.account.id;
    house.look(|tx| accounts::emails(tx, id).unwrap())
}

fn primary_of(house: &mut TestHouse, person: &Person) -> String {
    emails_of(house, person).into_iter().find(|email| email.is_primary).unwrap().address.to_string()
}

fn add(house: &mut TestHouse, person: &Person, email: &str) -> Result<EmailId, AccountError> {
    let (actor, id, email) = (person.by_browser(), person.account.id, address(email));
    house.write(|tx| addresses::add_email(tx, &actor, id, &email))
}

fn resend(house: &mut TestHouse, person: &Person, email: EmailId) -> Result<(), AccountError> {
    let (actor, id) = (person.by_browser(), person.account.id);
    house.write(|tx| addresses::resend_email_code(tx, &actor, id, email))
}

/// Types a code: whether it was taken.
fn type_code(house: &mut TestHouse, person: &Person, email: EmailId, code: &str) -> bool {
    let (actor, id) = (person.by_browser(), person.account.id);
    match house.write(|tx| signin::verify_added_email(tx, &actor, id, email, code)).unwrap() {
        Ok(()) => true,
        Err(AccountError::CodeRefused) => false,
        Err(other) => panic!("another refusal than that of a bad code: {other}"),
    }
}

fn code_to(house: &mut TestHouse, email: &str) -> String {
    house.letters().iter().find(|letter| letter.to == email).unwrap().code()
}

/// The mails that `act` queues.
fn told(house: &mut TestHouse, act: impl FnOnce(&mut TestHouse)) -> Vec<String> {
    // Mails of one moment are in no order.
    house.clock.advance(seconds(1));
    let before = house.outbox().len();
    act(house);
    let mut told = house.outbox().split_off(before);
    told.sort();
    told
}

/// An address that the person added and proved.
fn proved(house: &mut TestHouse, person: &Person, email: &str) -> EmailId {
    let id = add(house, person, email).unwrap();
    let code = code_to(house, email);
    assert!(type_code(house, person, id, &code));
    id
}

fn set_primary(house: &mut TestHouse, person: &Person, email: EmailId) -> Result<(), SigninError> {
    let (actor, id) = (person.by_browser(), person.account.id);
    house.write(|tx| signin::set_primary_email(tx, &actor, id, email))
}

fn remove(house: &mut TestHouse, person: &Person, email: EmailId) -> Result<(), SigninError> {
    let (actor, id) = (person.by_browser(), person.account.id);
    house.write(|tx| signin::remove_email(tx, &actor, id, email))
}

/// A session of the person's: theirs, and where it is.
fn session(house: &mut TestHouse, person: &Person) -> Actor {
    let (stranger, account) = (house.stranger(), person.account.id);
    let new = NewSession { account, visitor: visitor(), remember: false, method: "password".into() };
    let (session, _) = house.write(|tx| sessions::start(tx, &stranger, &new)).unwrap();
    Actor::SignedIn { account, workspace: person.workspace, session, visitor: visitor() }
}

fn live(house: &mut TestHouse, person: &Person) -> Vec<String> {
    let id = person.account.id;
    house.look(|tx| sessions::list(tx, id).unwrap()).into_iter().map(|session| session.id.to_string()).collect()
}

fn id_of(actor: &Actor) -> String {
    match actor {
        Actor::SignedIn { session, .. } => session.to_string(),
        _ => panic!("not a session"),
    }
}

/// What a refusal must leave as it was, with the addresses.
fn all(house: &TestHouse) -> Vec<(&'static str, i64)> {
    let more = ["account_email", "email_code", "email_code_count", "email_change", "one_time_link", "password"];
    house.footprint().into_iter().chain(more.map(|table| (table, house.count(table)))).collect()
}

fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[test]
fn an_added_address_gets_a_code_at_once_and_is_a_way_in_once_it_is_proved() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");

    let id = add(&mut house, &ada, "Ada@Work.example").unwrap();
    assert!(house.outbox().last().unwrap().starts_with("Ada@Work.example: Your code"));
    assert!(house.look(|tx| accounts::find_by_proved_name(tx, "ada@work.example").unwrap()).is_none());
    assert!(house.look(|tx| accounts::find_by_email(tx, &address("ada@work.example")).unwrap()).is_none());
    let code = code_to(&mut house, "Ada@Work.example");
    assert!(!type_code(&mut house, &ada, id, &another(&code)));
    let told = told(&mut house, |house| {
        assert!(type_code(house, &ada, id, &format!(" {} {}", &code[..3], &code[3..])));
    });

    let found = house.look(|tx| accounts::find_by_proved_name(tx, "ADA@work.example").unwrap());
    assert_eq!(found.unwrap().id, ada.account.id);
    let listed = emails_of(&mut house, &ada);
    assert_eq!(
        listed.iter().map(|email| (email.is_primary, email.verified_at.is_some())).collect::<Vec<_>>(),
        [(true, true), (false, true)]
    );
    assert!(listed[1].is_company());
    assert_eq!(told, ["ada-ada@example.org: An address was added to your account"]);
    let events = house.events_of(&ada);
    assert_eq!(events[events.len() - 4..], ["email.added", "email.code_sent", "email.verify_failed", "email.verified"]);
    assert_eq!(
        house.places_of("work.example"),
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
fn p8_an_address_of_somebody_else_is_added_like_any_other_and_its_owner_is_told() {
    let mut house = TestHouse::new();
    let (ada, bob, eve) = (house.person("ada-ada"), house.person("bob-bob"), house.person("eve-eve"));
    let rows = |house: &TestHouse, before: &[(&str, i64)]| -> Vec<i64> {
        all(house).iter().zip(before).map(|((_, after), (_, before))| after - before).collect()
    };
    let before = all(&house);
    add(&mut house, &eve, "nobody-has-this@example.org").unwrap();
    let free = rows(&house, &before);
    let before = all(&house);

    let taken = add(&mut house, &bob, "ADA-ada@example.org").unwrap();

    assert_eq!(rows(&house, &before), free);
    assert_eq!(house.outbox().last().unwrap(), "ADA-ada@example.org: Your address stays with your account");
    // Nobody gets a code for it: none of all there are.
    let letter = house.letters().remove(0);
    assert!(!letter.text.split_whitespace().any(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit())));
    assert!(!type_code(&mut house, &bob, taken, "000000"));
    assert_eq!(house.find("ada-ada@example.org").unwrap().id, ada.account.id);
}

#[test]
fn a_code_is_good_for_ten_minutes_and_five_tries() {
    let mut house = TestHouse::new();
    let (ada, bob) = (house.person("ada-ada"), house.person("bob-bob"));
    let (first, second) =
        (add(&mut house, &ada, "one@work.example").unwrap(), add(&mut house, &ada, "two@work.example").unwrap());
    let (one, two) = (code_to(&mut house, "one@work.example"), code_to(&mut house, "two@work.example"));

    assert!(!type_code(&mut house, &ada, first, &two) || one == two);
    house.clock.advance(CODE_LIFE - seconds(1));
    assert!(type_code(&mut house, &ada, first, &one));
    resend(&mut house, &ada, second).unwrap();
    let newer = code_to(&mut house, "two@work.example");
    house.clock.advance(CODE_LIFE);
    assert!(!type_code(&mut house, &ada, second, &newer), "too old");
    let waits = |email: &Email| email.id == second && email.verified_at.is_none();
    assert!(emails_of(&mut house, &ada).iter().any(waits));

    let third = add(&mut house, &bob, "three@work.example").unwrap();
    let three = code_to(&mut house, "three@work.example");
    // Without the guard in front, which lets nobody try so often in the life of one code.
    let mut is_taken = |code: String| {
        let (actor, bob) = (bob.by_browser(), bob.account.id);
        let answer = house.write(|tx| addresses::verify_added(tx, &actor, bob, third, &code)).unwrap();
        matches!(answer, EmailAnswer::Verified(..))
    };
    assert!((0..5).all(|_| !is_taken(another(&three))));
    assert!(!is_taken(three.clone()), "the sixth try");
}

#[test]
fn another_code_is_sent_after_a_minute() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let id = add(&mut house, &ada, "ada@work.example").unwrap();
    house.clock.advance(RESEND_AFTER - seconds(1));
    let before = all(&house);

    assert!(matches!(resend(&mut house, &ada, id), Err(AccountError::CodeTooSoon { wait_seconds: 2 })));
    assert_eq!(all(&house), before);
    house.clock.advance(seconds(1));
    resend(&mut house, &ada, id).unwrap();
}

#[test]
fn there_are_five_codes_an_hour_whichever_way_they_are_asked_for() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    for _ in 0..4 {
        let id = add(&mut house, &ada, "victim@work.example").unwrap();
        remove(&mut house, &ada, id).unwrap();
    }
    let id = add(&mut house, &ada, "victim@work.example").unwrap();
    house.clock.advance(minutes(59));
    let before = all(&house);

    assert!(matches!(resend(&mut house, &ada, id), Err(AccountError::CodeTooSoon { wait_seconds: 61 })));
    assert!(matches!(add(&mut house, &ada, "other@work.example"), Err(AccountError::CodeTooSoon { .. })));
    assert_eq!(all(&house), before);
    let bob = house.person("bob-bob");
    add(&mut house, &bob, "bob@work.example").unwrap();
    house.clock.advance(minutes(1));
    resend(&mut house, &ada, id).unwrap();
}

#[test]
fn an_account_has_ten_addresses_each_once() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    assert!(matches!(add(&mut house, &ada, "ADA-ADA@example.org"), Err(AccountError::EmailListed)));
    for number in 2..=EMAILS_MAX {
        house.clock.advance(hours(1));
        add(&mut house, &ada, &format!("{number}@work.example")).unwrap();
    }
    house.clock.advance(hours(1));
    let before = all(&house);

    assert!(matches!(add(&mut house, &ada, "more@work.example"), Err(AccountError::TooManyEmails)));
    assert_eq!(all(&house), before);
}

#[test]
fn only_a_proved_address_becomes_the_primary_one_and_both_are_told() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let id = add(&mut house, &ada, "ada@work.example").unwrap();
    let before = all(&house);
    let refused = set_primary(&mut house, &ada, id);
    assert!(matches!(refused, Err(SigninError::Account(AccountError::EmailUnverified))));
    assert_eq!((all(&house), primary_of(&mut house, &ada)), (before, "ada-ada@example.org".to_owned()));
    let code = code_to(&mut house, "ada@work.example");
    assert!(type_code(&mut house, &ada, id, &code));

    let told = told(&mut house, |house| set_primary(house, &ada, id).unwrap());

    assert_eq!(primary_of(&mut house, &ada), "ada@work.example");
    assert_eq!(
        told,
        ["ada-ada@example.org: Your primary address was changed", "ada@work.example: This is your primary address now"]
    );
    let letters = house.letters();
    let about = |subject: &str| letters.iter().find(|letter| letter.subject.contains(subject)).unwrap();
    let old = about("was changed");
    assert!(old.text.contains("10 May 2026") && old.link("/revert").contains("token="));
    assert!(!about("primary address now").text.contains("/revert"), "the new address must not be able to undo it");
    let before = all(&house);
    set_primary(&mut house, &ada, id).unwrap();
    assert_eq!(all(&house), before, "it is the primary one already");
}

#[test]
fn s4_every_change_of_a_way_in_ends_the_other_sessions() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let id = ada.account.id;
    let home = proved(&mut house, &ada, "ada@home.example");
    let work = add(&mut house, &ada, "ada@work.example").unwrap();
    let code = code_to(&mut house, "ada@work.example");
    type Act<'a> = (&'a str, &'a dyn Fn(&mut TestHouse, &Actor));
    let acts: [Act<'_>; 3] = [
        ("verify", &|house, here| {
            house.write(|tx| signin::verify_added_email(tx, here, id, work, &code)).unwrap().unwrap();
        }),
        ("primary", &|house, here| house.write(|tx| signin::set_primary_email(tx, here, id, work)).unwrap()),
        ("remove", &|house, here| house.write(|tx| signin::remove_email(tx, here, id, home)).unwrap()),
    ];

    for (what, act) in acts {
        let (here, there) = (session(&mut house, &ada), session(&mut house, &ada));
        assert!(live(&mut house, &ada).contains(&id_of(&there)));
        act(&mut house, &here);
        assert_eq!(live(&mut house, &ada), [id_of(&here)], "{what}");
    }
}

#[test]
fn the_primary_address_stays_and_so_does_the_one_before_for_a_week() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let old = emails_of(&mut house, &ada)[0].id;
    let refused = remove(&mut house, &ada, old);
    assert!(matches!(refused, Err(SigninError::Account(AccountError::EmailIsPrimary))));
    let new = proved(&mut house, &ada, "ada@work.example");
    set_primary(&mut house, &ada, new).unwrap();
    house.clock.advance(REVERT_LIFE - seconds(1));
    let before = all(&house);

    let refused = remove(&mut house, &ada, old);
    assert!(matches!(refused, Err(SigninError::Account(AccountError::EmailKeptForRevert { .. }))));
    assert_eq!(all(&house), before);
    // A second later.
    let told = told(&mut house, |house| remove(house, &ada, old).unwrap());

    assert_eq!(emails_of(&mut house, &ada).len(), 1);
    assert_eq!(
        told,
        [
            "ada-ada@example.org: An address was removed from your account",
            "ada@work.example: An address was removed from your account"
        ]
    );
    let stranger = house.look(|tx| accounts::find_by_proved_name(tx, "ada-ada@example.org").unwrap());
    assert!(stranger.is_none());
}

#[test]
fn a_claim_that_nobody_proved_goes_without_a_word() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let id = add(&mut house, &ada, "ada@work.example").unwrap();
    let mails = house.count("mail_outbox");

    remove(&mut house, &ada, id).unwrap();

    assert_eq!((emails_of(&mut house, &ada).len(), house.count("mail_outbox")), (1, mails));
    assert_eq!(house.count("email_code"), 0);
}

#[test]
fn nobody_touches_somebody_elses_addresses() {
    let mut house = TestHouse::new();
    let (ada, bob) = (house.person("ada-ada"), house.person("bob-bob"));
    let holder = house.key_holder(&ada);
    let waiting = add(&mut house, &ada, "waiting@work.example").unwrap();
    let code = code_to(&mut house, "waiting@work.example");
    let good = proved(&mut house, &ada, "good@work.example");
    let before = all(&house);
    let is_not_found = |error: &SigninError| matches!(error, SigninError::Account(AccountError::NotFound));

    let mail = address("new@work.example");

    for (actor, id) in [
        (bob.by_browser(), ada.account.id),
        (bob.by_browser(), bob.account.id),
        (holder, ada.account.id),
        (house.stranger(), ada.account.id),
    ] {
        let own = actor.may_govern(id);
        let added = house.write(|tx| addresses::add_email(tx, &actor, if own { ada.account.id } else { id }, &mail));
        let tries = [
            added.map(drop).map_err(SigninError::from),
            house.write(|tx| addresses::resend_email_code(tx, &actor, id, waiting)).map_err(SigninError::from),
            house.write(|tx| signin::verify_added_email(tx, &actor, id, waiting, &code)).map(drop),
            house.write(|tx| signin::set_primary_email(tx, &actor, id, good)),
            house.write(|tx| signin::remove_email(tx, &actor, id, good)),
        ];
        assert!(tries.iter().all(|tried| tried.as_ref().is_err_and(is_not_found)), "{} {tries:?}", actor.kind());
    }
    assert_eq!(all(&house), before);
}

#[test]
fn row_45_a_proof_voids_what_others_claimed_by_the_address() {
    let mut house = TestHouse::new();
    let (ada, bob) = (house.person("ada-ada"), house.person("bob-bob"));
    add(&mut house, &bob, "ada@work.example").unwrap();
    let squatter = NewAccount {
        username: Username::parse("squatter").unwrap(),
        email: address("ada@work.example"),
        is_verified: false,
        password: Some("$argon2id$the-squatters".into()),
        is_operator: false,
    };
    let squatter = house.write(|tx| accounts::create(tx, &Actor::Operator, &squatter)).unwrap();
    house.clock.advance(seconds(1));

    proved(&mut house, &ada, "ada@work.example");

    assert_eq!(emails_of(&mut house, &bob).len(), 1);
    let left = house.look(|tx| accounts::password_hash(tx, squatter.id).unwrap());
    assert_eq!((left, house.find("squatter").unwrap().state), (None, AccountState::Pending));
}

#[test]
fn who_merely_added_an_address_does_not_answer_for_it() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let new = NewAccount {
        username: Username::parse("newcomer").unwrap(),
        email: address("newcomer@work.example"),
        is_verified: false,
        password: None,
        is_operator: false,
    };
    let newcomer = house.write(|tx| accounts::create(tx, &Actor::Operator, &new)).unwrap();
    house.clock.advance(seconds(1));

    add(&mut house, &ada, "newcomer@work.example").unwrap();

    assert_eq!(house.find("newcomer@work.example").unwrap().id, newcomer.id);
}

#[test]
fn what_can_no_longer_be_undone_is_forgotten_and_so_are_counts() {
    let mut house = TestHouse::new();
    let ada = house.person("ada-ada");
    let id = proved(&mut house, &ada, "ada@work.example");
    set_primary(&mut house, &ada, id).unwrap();
    let sweep = |house: &mut TestHouse| {
        house.write(accounts::purge_old).unwrap();
        (house.count("email_change"), house.count("email_code_count"), house.count("one_time_link"))
    };

    house.clock.advance(hours(1) - seconds(1));
    assert_eq!(sweep(&mut house), (1, 1, 1));
    house.clock.advance(seconds(1));
    assert_eq!(sweep(&mut house), (1, 0, 1));
    house.clock.advance(days(7));
    assert_eq!(sweep(&mut house), (0, 0, 0));
}
