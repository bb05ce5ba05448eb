//! A clock that is set, by 90 seconds to ten years, forward and back, while the appliance runs and while it is stopped: nothing
//! is lost or delayed, nothing is deleted too early, and nothing lives longer (safety 5.3, rows 22 to 24).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domicile::audit;
use domicile::base::{
    Actor, Clock, ClockStep, Credits, EmailAddress, HoldId, Secret, Timestamp, days, hours, minutes, seconds,
};
use domicile::billing::ledger::holds::{self, HoldState, NewHold};
use domicile::billing::ledger::{self, Charge, Grant, Origin};
use domicile::clock;
use domicile::db::{self, Shift};
use domicile::jobs::{self, JobHandler, NewJob, Outcome};
use domicile::mail::{self, PlainMessage};
use domicile::privacy::data_map;
use domicile::schedule::Schedule;
use domicile::services::Callers;
use domicile::sessions;
use domicile::tokens::{self, Audience, ExchangeRequest, flows};
use domicile::verification::Verifier;
use serde_json::Value;

use crate::support::{Person, START, TestApp};

const YEAR: Duration = days(365);
/// The steps of the fault catalogue.
const STEPS: [Duration; 4] = [seconds(90), minutes(10), YEAR, days(3653)];

const LATER: &[JobHandler] =
    &[JobHandler::new("test.later", |_, _| Box::pin(async { Outcome::Again("the other side is away".into()) }))];

impl TestApp {
    /// Sets the clock, and lets the server notice it.
    pub fn step(&self, step: ClockStep) {
        self.clock.set(step);
        assert!(self.block_on(clock::follow(&self.app)).unwrap(), "{step:?} was not noticed");
        assert!(!self.block_on(clock::follow(&self.app)).unwrap(), "{step:?} was noticed twice");
    }

    /// Stops the appliance and starts it with a machine whose clock shows `now`.
    pub fn restart_at(self, now: Timestamp) -> Self {
        let site = self.reopen_at(Clock::manual_at(now));
        clock::begin(&site.app).unwrap();
        site
    }

    fn catch_up(&self) {
        let schedule = Schedule::new(
            self.app.clone(),
            Arc::new(Verifier::new(self.app.clone())),
            Arc::new(Callers::new(self.app.clone())),
        );
        self.block_on(schedule.catch_up());
    }

    fn is_signed_in(&self, cookie: &Secret<String>) -> bool {
        self.read(|view| sessions::current(view, cookie.expose()).unwrap().is_some())
    }

    fn token(&self, key: &str) -> Option<String> {
        let request = ExchangeRequest {
            key: Secret::new(key.to_owned()),
            audience: Audience::parse("inference").unwrap(),
            scope: None,
            address: None,
            agent: String::new(),
            workspaces: None,
        };
        let verifier = Verifier::new(self.app.clone());
        let issued = self.block_on(flows::exchange(&self.app, &verifier, request)).ok()?;
        Some(issued.token.expose().clone())
    }

    fn is_valid(&self, token: &str) -> bool {
        self.read(|view| tokens::examine(view, token, &["inference"]).unwrap().is_some())
    }

    /// Runs the jobs that are due; each fails. Returns how many.
    fn attempt(&self) -> usize {
        self.block_on(jobs::run_due(&self.app, LATER)).unwrap()
    }

    fn queue_mail(&self, subject: &str) {
        let to = EmailAddress::parse("ada@example.org").unwrap();
        let message = PlainMessage {
            subject: subject.into(),
            paragraphs: vec!["It happened.".into()],
            code: None,
            link: None,
            closing: "If it was not you, do nothing.".into(),
            site: "http://localhost:8600".into(),
        };
        self.write(move |tx| mail::enqueue(tx, None, to, &message)).unwrap();
    }

    fn deliver_mails(&self) {
        assert_eq!(self.block_on(mail::deliver(self.app.clone())), Outcome::Done);
    }

    fn mails(&self) -> usize {
        self.mailbox().messages().len()
    }

    fn faults(&self) -> Vec<&'static str> {
        self.app.readiness().faults().into_iter().map(|(name, _)| name).collect()
    }

    /// The steps in the audit, in seconds.
    fn steps(&self) -> Vec<i64> {
        let sql = "select data_json from audit_event where event = 'time.clock_stepped' order by seq desc";
        let events: Vec<String> = self.read(|view| view.list(sql, [], |row| row.get(0)).unwrap());
        let seconds = |data: &String| serde_json::from_str::<Value>(data).unwrap()["seconds"].as_i64().unwrap();
        events.iter().map(seconds).collect()
    }
}

/// A key of the person that never expires.
fn key(site: &TestApp, owner: &Person) -> String {
    site.api_key(owner, "ci").secret.expose().clone()
}

#[test]
fn a_clock_that_is_set_back_delays_no_job() {
    for by in STEPS {
        let site = TestApp::new();
        site.write(|tx| jobs::enqueue(tx, NewJob::once("test.later"))).unwrap();
        // The third attempt is due ten seconds after the second one.
        assert_eq!(site.attempt(), 1);
        site.clock.advance(seconds(5));
        assert_eq!(site.attempt(), 1);

        site.step(ClockStep::Back(by));

        site.write(|tx| jobs::enqueue(tx, NewJob { unique_key: None, ..NewJob::once("test.later") })).unwrap();
        assert_eq!(site.attempt(), 1, "{by:?}: a job that is queued after the step runs at once");
        site.clock.advance(seconds(5));
        assert_eq!(site.attempt(), 1, "{by:?}: its next attempt, and no other one before its time");
        site.clock.advance(seconds(5));
        assert_eq!(site.attempt(), 1, "{by:?}: exactly in time");
    }
}

#[test]
fn a_clock_that_is_set_back_delays_no_mail() {
    for by in STEPS {
        let site = TestApp::new();
        site.queue_mail("first");
        site.write(|tx| tx.execute("update mail_outbox set next_at = next_at + 30000", []).map(drop)).unwrap();
        site.deliver_mails();
        assert_eq!(site.mails(), 0, "it waits for its next attempt");

        site.step(ClockStep::Back(by));

        site.queue_mail("second");
        site.deliver_mails();
        assert_eq!(site.mails(), 1, "{by:?}: a mail that is queued after the step is sent at once");
        site.clock.advance(seconds(30));
        site.deliver_mails();
        assert_eq!(site.mails(), 2, "{by:?}: the other one is sent in time");
    }
}

#[test]
fn a_start_a_year_ahead_that_is_corrected_delays_nothing() {
    let right = Timestamp::parse(START).unwrap();
    for is_restarted in [false, true] {
        let site = TestApp::new().restart_at(right.plus(YEAR));
        site.write(|tx| jobs::enqueue(tx, NewJob::once("test.later"))).unwrap();
        assert_eq!(site.attempt(), 1);
        site.queue_mail("first");
        site.write(|tx| tx.execute("update mail_outbox set next_at = next_at + 5000", []).map(drop)).unwrap();

        let site = if is_restarted {
            site.restart_at(right)
        } else {
            site.step(ClockStep::Back(YEAR));
            site
        };

        assert_eq!(site.write(|tx| Ok::<_, db::Error>(tx.now())).unwrap(), right, "no change is a year ahead");
        site.clock.advance(seconds(5));
        site.deliver_mails();
        assert_eq!((site.mails(), site.attempt()), (1, 2), "the mail; its job and the other one");
    }
}

#[test]
fn row_23_no_session_lives_longer_because_the_clock_was_set_back() {
    let start = Timestamp::parse(START).unwrap();
    for by in STEPS {
        for is_restarted in [false, true] {
            let site = TestApp::new();
            site.person("ada-l");
            let cookie = site.session("ada-l");
            // It ends after 30 idle minutes. At 29 minutes the clock is set back.
            site.clock.advance(minutes(29));
            assert!(site.is_signed_in(&cookie));
            // A change, so that the next start knows the time.
            site.person("grace-h");
            let site = if is_restarted {
                site.restart_at(start.plus(minutes(29)).minus(by))
            } else {
                site.step(ClockStep::Back(by));
                site
            };

            assert!(site.is_signed_in(&cookie), "{by:?}: nobody is signed out");
            site.clock.advance(minutes(2));
            assert!(!site.is_signed_in(&cookie), "{by:?}, restarted: {is_restarted}");
        }
    }
}

#[test]
fn row_23_a_session_that_had_ended_does_not_come_back() {
    for by in STEPS {
        let site = TestApp::new();
        site.person("ada-l");
        let cookie = site.session("ada-l");
        site.clock.advance(minutes(31));
        assert!(!site.is_signed_in(&cookie));

        site.clock.set(ClockStep::Back(by));
        assert!(!site.is_signed_in(&cookie), "{by:?}: before the server noticed the step");
        assert!(site.block_on(clock::follow(&site.app)).unwrap());
        assert!(!site.is_signed_in(&cookie), "{by:?}");
    }
}

#[test]
fn row_23_no_token_lives_longer_because_the_clock_was_set_back() {
    for by in STEPS {
        let site = TestApp::new();
        let ada = site.person("ada-l");
        let key = key(&site, &ada);
        let token = site.token(&key).unwrap();
        site.clock.advance(minutes(4));
        assert!(site.is_valid(&token), "it is valid for five minutes");

        site.step(ClockStep::Back(by));

        site.clock.advance(minutes(2));
        assert!(!site.is_valid(&token), "{by:?}");
        let next = site.token(&key).unwrap();
        assert!(site.is_valid(&next), "{by:?}: the key is exchanged again");
        site.clock.advance(minutes(5));
        assert!(!site.is_valid(&next), "{by:?}");
    }
}

#[test]
fn a15_the_only_signing_key_signs_although_the_clock_was_an_hour_ahead_when_it_was_made() {
    let right = Timestamp::parse(START).unwrap();
    for is_restarted in [false, true] {
        let site = TestApp::new().restart_at(right.plus(hours(1)));
        let ada = site.person("ada-l");
        let key = key(&site, &ada);
        let early = site.token(&key).unwrap();

        let site = if is_restarted {
            site.restart_at(right)
        } else {
            site.step(ClockStep::Back(hours(1)));
            site
        };

        let token = site.token(&key).expect("the key signs");
        assert!(site.is_valid(&token));
        assert!(!site.is_valid(&early));
        assert_eq!(site.faults(), ["clock"]);
    }
}

#[test]
fn row_22_a_step_forward_deletes_nothing_for_a_day() {
    for is_restarted in [false, true] {
        let site = TestApp::new();
        let ada = site.person("ada-l");
        site.sign_up("grace@example.org", "grace-h").unwrap();
        site.session("ada-l");
        site.token(&key(&site, &ada)).unwrap();
        site.run_jobs();
        let rows = "
            select (select count(*) from session) + (select count(*) from account) + (select count(*) from email_code)
                 + (select count(*) from job)";
        let before = site.number(rows);
        let after = site.app.now().plus(YEAR);

        let site = if is_restarted {
            site.restart_at(after)
        } else {
            site.step(ClockStep::Forward(YEAR));
            site
        };

        assert_eq!(site.faults(), ["clock"]);
        for hour in 0..24 {
            site.catch_up();
            assert_eq!(site.number(rows), before, "hour {hour}");
            site.clock.advance(hours(1));
        }
        site.catch_up();
        assert!(site.number(rows) < before, "after the grace");
        assert!(!site.block_on(clock::follow(&site.app)).unwrap());
        // Nobody publishes here, so the age of the snapshot is a fault all the same.
        assert!(!site.faults().contains(&"clock"), "{:?}", site.faults());
    }
}

#[test]
fn deletions_wait_from_the_moment_of_the_step() {
    let site = TestApp::new();
    site.person("ada-l");
    assert!(clock::is_deletion_allowed(&site.app).unwrap());

    // Before the server has noticed it.
    site.clock.set(ClockStep::Forward(hours(2)));
    site.app.now();
    assert!(!clock::is_deletion_allowed(&site.app).unwrap());
    site.block_on(clock::follow(&site.app)).unwrap();
    assert!(!clock::is_deletion_allowed(&site.app).unwrap());

    assert!(clock::confirm(&site.app).unwrap());
    assert!(clock::is_deletion_allowed(&site.app).unwrap());
    site.block_on(clock::follow(&site.app)).unwrap();
    assert_eq!(site.faults(), [] as [&str; 0]);
    assert!(!clock::confirm(&site.app).unwrap(), "there is nothing to confirm any more");
}

#[test]
fn a_year_ahead_for_ten_minutes_changes_nothing_for_people() {
    let site = TestApp::new();
    let ada = site.person("ada-l");
    let cookie = site.session("ada-l");
    let key = key(&site, &ada);
    site.token(&key).unwrap();

    site.step(ClockStep::Forward(YEAR));
    assert!(!site.is_signed_in(&cookie));
    site.catch_up();
    let wrong = site.session("ada-l");
    site.clock.advance(minutes(10));
    site.step(ClockStep::Back(YEAR));

    assert!(site.is_signed_in(&cookie), "the session of before is still there");
    assert!(site.is_signed_in(&wrong), "and so is the one that began meanwhile");
    site.clock.advance(minutes(19));
    assert!(site.is_signed_in(&wrong));
    site.clock.advance(minutes(2));
    assert!(!site.is_signed_in(&wrong) && !site.is_signed_in(&cookie), "each ends after its 30 minutes");
    assert!(site.is_valid(&site.token(&key).unwrap()));
    assert!(clock::is_deletion_allowed(&site.app).unwrap());
}

#[test]
fn reserved_credit_is_free_in_time_although_the_clock_was_set_back() {
    let site = TestApp::new();
    let workspace = site.person("ada-l").workspace;
    let reserve = || {
        site.write(move |tx| {
            let (id, expires_at) = (HoldId::new(tx.now(), tx.rng()), tx.now().plus(days(1)));
            holds::reserve(tx, NewHold { id, workspace, key: None, amount: Credits::whole(1), expires_at })
        })
        .unwrap()
    };
    let (ended, open) = (reserve(), reserve());
    site.write(move |tx| holds::close(tx, &ended, HoldState::Settled)).unwrap();

    site.step(ClockStep::Back(YEAR));

    site.clock.advance(hours(23));
    assert_eq!(site.write(holds::expire_holds).unwrap(), 0);
    site.clock.advance(hours(1));
    assert_eq!(site.write(holds::expire_holds).unwrap(), 1);
    let states = site.read(|view| [ended.id, open.id].map(|id| holds::find(view, id).unwrap().unwrap().state));
    assert_eq!(states, [HoldState::Settled, HoldState::Expired]);
}

#[test]
fn reserved_credit_and_lots_stay_although_the_clock_was_ahead_for_a_while() {
    let site = TestApp::new();
    let workspace = site.person("ada-l").workspace;
    let hold = site
        .write(move |tx| {
            let expires_at = Some(tx.now().plus(days(1)));
            let grant = Grant::new(workspace, Credits::whole(3), Origin::Adjustment, "A gift", "gift");
            ledger::grant(tx, &Actor::Operator, Grant { expires_at, ..grant })?;
            let (id, expires_at) = (HoldId::new(tx.now(), tx.rng()), tx.now().plus(days(1)));
            holds::reserve(tx, NewHold { id, workspace, key: None, amount: Credits::whole(1), expires_at })
        })
        .unwrap();
    let use_some = |key: &'static str| {
        site.write(move |tx| {
            ledger::charge(tx, &Actor::System, Charge::new(workspace, Credits::whole(8), "gpu.h100", key))?;
            ledger::grant(
                tx,
                &Actor::Operator,
                Grant::new(workspace, Credits::whole(8), Origin::Adjustment, "Back", key.to_owned() + "b"),
            )
        })
        .unwrap()
    };
    let state = || site.read(|view| holds::find(view, hold.id).unwrap().unwrap().state);

    // Before the server has noticed it, and after.
    site.clock.set(ClockStep::Forward(YEAR));
    use_some("first");
    assert_eq!(state(), HoldState::Active);
    site.block_on(clock::follow(&site.app)).unwrap();
    use_some("second");
    assert_eq!(
        (state(), site.read(|view| holds::reserved(view, workspace).unwrap())),
        (HoldState::Active, Credits::whole(1))
    );
    assert_eq!(site.number("select count(*) from ledger_tx where kind = 'expired'"), 0);

    assert!(clock::confirm(&site.app).unwrap());
    use_some("third");
    assert_eq!(state(), HoldState::Expired);
}

#[test]
fn dates_that_people_chose_do_not_move() {
    let site = TestApp::new();
    let ada = site.person("ada-l");
    site.api_key(&ada, "before");
    let expiry = "select expires_at from api_key where name = 'before'";
    let before = site.number(expiry);
    site.step(ClockStep::Forward(YEAR));
    site.api_key(&ada, "meanwhile");
    let life = "select expires_at - created_at from api_key where name = 'meanwhile'";
    let valid_for = site.number(life);

    site.step(ClockStep::Back(YEAR));

    assert_eq!(site.number(expiry), before);
    assert_eq!(site.number(life), valid_for, "its 90 days began when it was made");
    let now = site.app.now().millis();
    let made_at = site.number("select created_at from api_key where name = 'meanwhile'");
    assert_eq!(made_at, now);
}

#[test]
fn steps_are_recorded_once_and_the_audit_stays_in_order() {
    let site = TestApp::new();
    site.person("ada-l");
    let [first, _, year, _] = STEPS;
    site.step(ClockStep::Back(first));
    site.person("grace-h");
    site.step(ClockStep::Forward(year));
    site.person("alan-t");
    site.step(ClockStep::Back(year));
    site.clock.set(ClockStep::Back(seconds(30)));
    assert!(site.block_on(clock::follow(&site.app)).unwrap(), "a short step is handled");

    assert_eq!(site.steps(), [-(year.as_secs() as i64), year.as_secs() as i64, -90], "and not recorded");
    let verified = site.read(|view| audit::verify(view).unwrap());
    assert_eq!(verified.events, site.number("select max(seq) from audit_event"));
}

#[test]
fn a_step_that_cannot_be_recorded_is_tried_again() {
    let site = TestApp::new();
    site.person("ada-l");
    let cookie = site.session("ada-l");
    let before = site.app.now();
    let refuses = "create trigger no_clock before update of stepped_by on clock begin select raise(abort, 'no'); end";
    site.write(move |tx| tx.execute(refuses, []).map(drop)).unwrap();
    site.clock.set(ClockStep::Back(hours(1)));
    assert!(site.block_on(clock::follow(&site.app)).is_err());
    assert_eq!(site.app.now(), before, "the appliance continues its own time");

    site.write(|tx| tx.execute("drop trigger no_clock", []).map(drop)).unwrap();

    assert!(site.block_on(clock::follow(&site.app)).unwrap());
    assert_eq!(site.app.now(), before.minus(hours(1)));
    assert!(site.is_signed_in(&cookie));
}

#[test]
fn a_restart_of_a_machine_that_was_off_is_no_step() {
    let site = TestApp::new();
    site.clock.advance(days(3));
    site.person("ada-l");
    let now = site.app.now();

    // The uptime is shorter than before, so the machine was restarted.
    let site = site.restart_at(now.plus(minutes(50)));
    assert!(clock::is_deletion_allowed(&site.app).unwrap());
    site.clock.advance(hours(1));
    site.person("grace-h");
    let now = site.app.now();
    let site = site.restart_at(now.plus(days(2)));
    // Nobody knows whether it was off or its clock is wrong, so deletions wait, and nothing alarms.
    assert!(!clock::is_deletion_allowed(&site.app).unwrap());
    assert_eq!((site.faults().len(), site.steps().len()), (0, 0));
}

/// Times that no rule compares with the present time, and times that never change.
const RECORDS: &[(&str, &[&str])] = &[
    ("account", &["keys_locked_at"]),
    ("account_email", &["verified_at", "added_at"]),
    ("api_key", &["revoked_at"]),
    ("api_key_policy", &["changed_at"]),
    ("audit_event", &["at"]),
    ("audit_tree", &["made_at"]),
    ("clock", &["seen_at", "stepped_at", "ahead_since", "grace_until"]),
    ("credit_allowance", &["set_at"]),
    ("credit_hold", &["created_at", "closed_at"]),
    ("credit_lot", &["effective_at", "expires_at"]),
    ("data_request", &["finished_at"]),
    ("device", &["first_seen_at"]),
    ("email_change", &["since", "closed_at"]),
    ("epoch", &["opened_at", "snapshot_made_at"]),
    ("erasure", &["snapshot_replaced_at", "copies_until", "final_at"]),
    ("erasure_service", &["requested_at", "retained_until"]),
    ("export_artifact", &["ready_at"]),
    ("identity", &["linked_at"]),
    ("invitation", &["created_at"]),
    ("job", &["created_at"]),
    ("jwt_key", &["created_at"]),
    ("journal", &["at"]),
    ("keyring_escrow", &["at"]),
    ("keyring_in_use", &["since"]),
    ("ledger_tx", &["posted_at"]),
    ("mail_outbox", &["claimed_at"]),
    ("membership", &["joined_at"]),
    ("oauth_flow", &["used_at"]),
    ("one_time_link", &["used_at"]),
    ("passkey", &["created_at"]),
    ("password", &["changed_at"]),
    ("picture", &["uploaded_at"]),
    ("preference", &["updated_at"]),
    ("purged_resource", &["purged_at"]),
    ("recovery_code", &["created_at", "used_at"]),
    ("restore_drill", &["snapshot_made_at"]),
    ("resource", &["state_at", "created_at", "updated_at", "missing_at"]),
    ("resource_lease", &["created_at"]),
    ("resource_sync", &["ended_at"]),
    ("service", &["created_at", "disconnected_at"]),
    ("service_command", &["created_at", "accepted_at", "delivered_at"]),
    ("service_enrolment", &["created_at"]),
    ("service_manifest", &["updated_at"]),
    ("service_use", &["last_seen_at"]),
    ("service_credential", &["created_at", "revoked_at"]),
    ("session", &["created_at"]),
    ("site", &["created_at"]),
    ("snapshot_stamp", &["made_at"]),
    ("statement_line", &["at", "occurred_at"]),
    ("subject_key", &["created_at"]),
    ("totp", &["confirmed_at"]),
    ("usage_authorization", &["created_at", "closed_at"]),
    ("usage_event", &["occurred_at", "received_at"]),
    ("voucher_batch", &["created_at", "revoked_at"]),
    ("voucher_redemption", &["redeemed_at"]),
    ("webhook_delivery", &["at"]),
    ("webhook_endpoint", &["changed_at", "failing_since", "gone_at"]),
    ("workspace", &["created_at"]),
];

#[test]
fn every_time_moves_with_the_clock_or_is_a_record() {
    let connection = db::in_memory().unwrap();
    let is_time = |name: &str| {
        ["_at", "_until", "_since", "_after", "_from", "not_before"].iter().any(|end| name.ends_with(end))
            || matches!(name, "at" | "since" | "until")
    };
    for table in data_map::tables() {
        let sql = format!("select name from pragma_table_info('{}') where type = 'INTEGER'", table.name);
        let mut rows = connection.prepare(&sql).unwrap();
        let integers: BTreeSet<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let records = RECORDS.iter().find(|(name, _)| *name == table.name).map_or(&[] as &[&str], |(_, names)| names);
        for column in table.columns.iter().filter(|column| integers.contains(column.name) && is_time(column.name)) {
            let (moves, is_record) = (column.shift != Shift::Never, records.contains(&column.name));
            assert!(
                moves != is_record,
                "{}.{}: if a rule compares it with the present time, declare it as ends() or ages() in the tables.rs of its \
                 slice; otherwise list it in RECORDS in tests/it/ops/clock.rs",
                table.name,
                column.name
            );
        }
        for record in records {
            assert!(table.columns.iter().any(|column| column.name == *record), "{}.{record} is gone", table.name);
        }
    }
}
