//! Periodic work: an idle appliance commits nothing, failures are tried again, and nothing runs twice at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use domicile::base::{days, minutes, seconds};
use domicile::db::Layout;
use domicile::jobs::{JobHandler, Outcome, Periodic};
use domicile::schedule::Schedule;
use domicile::services::Callers;
use domicile::verification::Verifier;
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::support::TestApp;

/// Counts the commits of other connections (`pragma data_version` changes with each).
struct CommitWatch(Connection);

impl CommitWatch {
    fn new(site: &TestApp) -> Self {
        let connection = Connection::open(Layout::new(&site.app.config().data_dir).live()).unwrap();
        let key = site.app.keyring().database_key_pragma();
        connection.execute_batch(&format!("pragma key = \"{}\"", key.expose())).unwrap();
        Self(connection)
    }

    fn version(&self) -> i64 {
        self.0.query_row("pragma data_version", [], |row| row.get(0)).unwrap()
    }
}

fn schedule(site: &TestApp) -> Arc<Schedule> {
    Schedule::new(site.app.clone(), Arc::new(Verifier::new(site.app.clone())), Arc::new(Callers::new(site.app.clone())))
}

#[test]
fn an_idle_appliance_commits_nothing_in_ten_minutes() {
    let site = TestApp::new();
    site.person("ada-l");
    let schedule = schedule(&site);
    // What became due before: the mails of the sign-up, and rows that are no longer needed.
    site.run_jobs();
    site.block_on(schedule.catch_up());
    site.clock.advance(minutes(1));
    site.block_on(schedule.catch_up());
    let commits = CommitWatch::new(&site);
    let before = commits.version();

    for _ in 0..10 {
        site.clock.advance(minutes(1));
        site.block_on(schedule.catch_up());
        assert_eq!(site.run_jobs(), 0, "periodic work leaves no job");
        assert_eq!(commits.version(), before, "something was committed although nothing happened");
    }

    // The watch notices a commit.
    site.person("grace-h");
    assert_ne!(commits.version(), before);
}

#[test]
fn work_that_became_due_while_the_appliance_was_stopped_is_done_at_its_start() {
    let site = TestApp::new();
    let ada = site.person("ada-l");
    assert_eq!(site.number("select count(*) from jwt_key"), 0);
    site.clock.advance(days(40));
    let schedule = schedule(&site);

    site.block_on(schedule.catch_up());

    assert!(site.number("select count(*) from jwt_key") > 0, "the work of ten minutes and of hours ran too");
    drop(ada);
}

static STARTED: Notify = Notify::const_new();
static FINISH: Notify = Notify::const_new();
static RUNS: AtomicU32 = AtomicU32::new(0);
static TRIES: AtomicU32 = AtomicU32::new(0);

const SLOW: JobHandler = JobHandler::new("test.slow", |_, _| {
    Box::pin(async {
        RUNS.fetch_add(1, Ordering::SeqCst);
        STARTED.notify_one();
        FINISH.notified().await;
        Outcome::Done
    })
});
const UNLUCKY: JobHandler = JobHandler::new("test.unlucky", |_, _| {
    Box::pin(async {
        match TRIES.fetch_add(1, Ordering::SeqCst) {
            0 => Outcome::Again("the disk is busy".into()),
            1 => panic!("a fault"),
            _ => Outcome::Done,
        }
    })
});

#[test]
fn periodic_work_that_is_still_running_is_not_started_again() {
    let site = TestApp::new();
    let slow = Periodic::new(SLOW);

    site.block_on(async {
        let both = async {
            STARTED.notified().await;
            assert_eq!(slow.run_once(&site.app).await, None);
            slow.run(&site.app).await;
            FINISH.notify_one();
        };
        tokio::join!(slow.run(&site.app), both);
    });
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    FINISH.notify_one();
    assert_eq!(site.block_on(slow.run_once(&site.app)), Some(Outcome::Done));
}

#[test]
fn periodic_work_that_fails_or_panics_is_tried_again() {
    let site = TestApp::new();
    let unlucky = Periodic::new(UNLUCKY);

    let waits = Mutex::new(Vec::new());

    site.block_on(unlucky.run_with(&site.app, async |pause| waits.lock().unwrap().push(pause)));

    assert_eq!(TRIES.load(Ordering::SeqCst), 3);
    assert_eq!(*waits.lock().unwrap(), [seconds(5), seconds(10)]);
    assert_eq!(site.number("select count(*) from job"), 0);
}
