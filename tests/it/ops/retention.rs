//! D2: the site deletes expired data by itself, and not sooner.

use domicile::accounts::{self, AccountError, LinkPurpose, NewAccount, Username};
use domicile::audit::{self, Event, Outcome};
use domicile::base::{Actor, EmailAddress, days, hours, minutes, seconds};
use domicile::jobs::{self, NewJob};
use domicile::sessions;
use domicile::signin::SigninEvent;

use crate::support::{SessionBuilder, TestApp, TestSite};

const ROWS: &str = "
    select (select count(*) from session) + (select count(*) from email_code) + (select count(*) from one_time_link)
         + (select count(*) from retired_username)";

fn clean_up(app: &TestApp) {
    app.write(|tx| jobs::enqueue(tx, NewJob::once("house.tidy"))).unwrap();
    app.run_jobs();
}

#[test]
fn expired_sessions_codes_links_and_retired_names_are_deleted() {
    let app = TestApp::new();
    let ada = app.person("ada-l");
    let grace = app.person("grace-h");
    let visitor = app.visitor();
    app.write(move |tx| {
        let actor = ada.by_browser();
        sessions::start(tx, &actor, &SessionBuilder::new(ada.account.id, visitor).build())?;
        accounts::send_code(tx, &actor, ada.account.id).unwrap();
        accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(ada.account.id))
    })
    .unwrap();
    app.write(move |tx| domicile::privacy::erase(tx, &Actor::Operator, grace.account.id)).unwrap();

    let counts: Vec<i64> = [minutes(0), minutes(31), hours(2), days(1), days(363), days(2)]
        .into_iter()
        .map(|wait| {
            app.clock.advance(wait);
            clean_up(&app);
            app.number(ROWS)
        })
        .collect();

    // All four; all four; code and link an hour after they expired; the session a day after its 30 idle minutes, so
    // that its browser can be told why it ended; the name after a year.
    assert_eq!(counts, [4, 4, 2, 1, 1, 0]);
}

#[test]
fn an_attacker_gets_five_codes_an_hour_and_five_tries_each() {
    let mut site = TestSite::new();
    let new = NewAccount {
        username: Username::parse("ada-l").unwrap(),
        email: EmailAddress::parse("ada@example.org").unwrap(),
        is_verified: false,
        password: None,
        is_operator: false,
    };
    let account = site.write(|tx| accounts::create(tx, &Actor::Operator, &new)).unwrap().id;
    site.write(|tx| accounts::send_code(tx, &Actor::Operator, account)).unwrap();

    let mut sent = 1;
    for _ in 0..59 {
        site.clock.advance(seconds(60));
        match site.write(|tx| accounts::resend_code(tx, &Actor::Operator, account)) {
            Ok(()) => sent += 1,
            Err(AccountError::CodeTooSoon { wait_seconds }) => assert!(wait_seconds <= 3600),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((sent, site.count("mail_outbox")), (5, 5));

    site.clock.advance(seconds(61));
    site.write(|tx| accounts::resend_code(tx, &Actor::Operator, account)).unwrap();
}

#[test]
fn addresses_of_anonymous_visitors_are_deleted_after_thirty_days_and_the_chain_still_verifies() {
    let app = TestApp::new();
    let anonymous = Actor::Anonymous(app.visitor());
    let failed = Event::new(SigninEvent::Failed).outcome(Outcome::Failure);
    app.write(move |tx| audit::record(tx, &anonymous, failed)).unwrap();
    let parts = || app.number("select count(*) from audit_private where subject_id = 'nobody'");

    let counts: Vec<i64> = [days(0), days(30), seconds(1)]
        .into_iter()
        .map(|wait| {
            app.clock.advance(wait);
            clean_up(&app);
            parts()
        })
        .collect();

    assert_eq!(counts, [1, 1, 0]);
    app.app.store().read_blocking(audit::verify).unwrap();
}
