//! The store: one writer for all callers, and a file that looks like random bytes without the key.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use domicile::accounts::{self, NewAccount, Username};
use domicile::base::{
    Actor, Clock, ClockStep, Credits, EmailAddress, Rng, ServiceId, Timestamp, hours, minutes, seconds,
};
use domicile::billing::ledger;
use domicile::billing::usage::{self, BatchResult, Fault, NewEvent};
use domicile::crypto::Keyring;
use domicile::db::{self, Error, Layout, MIGRATIONS_COUNT, Site, Store, StoreHooks, Subject, Tx, View};
use domicile::sessions;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{START, TestApp, TestSite, UsageBuilder, create_service, default_settings, holds, tables};

/// A live database in its own folder, without the layers above it.
struct StoreFixture {
    store: Arc<Store>,
    clock: Clock,
    folder: TempDir,
}

impl StoreFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(Layout::new(folder.path()).live_dir()).unwrap();
        let clock = Clock::manual_at(Timestamp::parse(START).unwrap());
        let store = open(folder.path(), default_settings(), &clock).unwrap();
        Self { store: Arc::new(store), clock, folder }
    }

    fn layout(&self) -> Layout {
        Layout::new(self.folder.path())
    }

    /// A second store, as of another process.
    fn another(&self) -> Store {
        let (layout, site) = (self.layout(), Arc::new(default_settings()));
        Store::open(layout, site, self.clock.clone(), Rng::seeded(6), StoreHooks::default()).unwrap()
    }

    /// A separate connection with the key.
    fn connection(&self) -> Connection {
        connect(&self.layout().live(), &default_settings())
    }

    /// The number of committed failures, read over a separate connection.
    fn failures(&self) -> i64 {
        self.connection().query_row("select coalesce(sum(failures), 0) from throttle", [], |row| row.get(0)).unwrap()
    }

    /// Blocks the writer. Everything that is queued until it is released is one commit.
    fn block_writer(&self) -> BlockedWriter {
        let (release, wait) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let store = self.store.clone();
        let thread = std::thread::spawn(move || {
            let blocked = store.write_blocking(move |_| {
                begin.send(()).unwrap();
                wait.recv().unwrap();
                Ok::<_, Error>(())
            });
            blocked.unwrap();
        });
        begun.recv().unwrap();
        BlockedWriter { release, thread }
    }
}

struct BlockedWriter {
    release: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl BlockedWriter {
    fn release(self) {
        self.release.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn open(folder: &Path, site: Site, clock: &Clock) -> Result<Store, Error> {
    Store::open(Layout::new(folder), Arc::new(site), clock.clone(), Rng::seeded(5), StoreHooks::default())
}

fn connect(path: &Path, site: &Site) -> Connection {
    let connection = Connection::open(path).unwrap();
    let key = site.keyring.database_key_pragma();
    connection.execute_batch(&format!("pragma key = \"{}\"", key.expose())).unwrap();
    connection
}

type Answer<'s, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 's>>;

/// Queues a change without waiting for its result.
fn queue<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
) -> Answer<'_, T> {
    let mut answer: Answer<'_, T> = Box::pin(store.write(work));
    assert!(is_pending(&mut answer), "the writer is blocked, but it answered");
    answer
}

fn is_pending<T>(answer: &mut Answer<'_, T>) -> bool {
    matches!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

fn wait_for<T>(answer: Answer<'_, T>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn add_failure(tx: &mut Tx<'_>) -> Result<(), Error> {
    sessions::count_confirmation(tx, "somebody")
}

/// All files of a folder with the hashes of their contents.
fn hashes(folder: &Path) -> Vec<(String, String)> {
    let files = TestApp::files_in(folder).into_iter();
    files.map(|name| (name.clone(), hex::encode(Sha256::digest(std::fs::read(folder.join(name)).unwrap())))).collect()
}

#[test]
fn a_caller_that_fails_or_panics_does_not_affect_others() {
    let fixture = StoreFixture::new();
    let blocked = fixture.block_writer();

    let before = queue(&fixture.store, add_failure);
    let refused = queue(&fixture.store, |tx| {
        add_failure(tx)?;
        Err::<(), _>(Error::Busy)
    });
    let panicked = queue(&fixture.store, |tx| {
        add_failure(tx)?;
        if tx.now().millis() > 0 {
            panic!("an operation panics");
        }
        Ok(())
    });
    let forbidden = queue(&fixture.store, |tx| {
        add_failure(tx)?;
        tx.execute(
            "insert into membership (workspace_id, account_id, role, joined_at) values ('x', 'y', 'owner', 0)",
            [],
        )
    });
    let after = queue(&fixture.store, add_failure);
    blocked.release();

    assert!(wait_for(before).is_ok() && wait_for(after).is_ok());
    assert!(matches!(wait_for(refused), Err(Error::Busy)));
    assert!(matches!(wait_for(panicked), Err(Error::Panicked)));
    assert!(matches!(wait_for(forbidden), Err(Error::Sqlite(_))));
    assert_eq!(fixture.failures(), 2);
    fixture.store.write_blocking(add_failure).unwrap();
    assert_eq!(fixture.failures(), 3);
}

#[test]
fn callers_are_answered_after_the_commit() {
    let fixture = StoreFixture::new();
    let blocked = fixture.block_writer();
    let mut first = queue(&fixture.store, add_failure);
    let (begin, begun) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let last = queue(&fixture.store, move |_| {
        begin.send(()).unwrap();
        wait.recv().unwrap();
        Ok(())
    });

    blocked.release.send(()).unwrap();
    begun.recv().unwrap();
    // The first work is done, but the commit must wait for the last one.
    assert!(is_pending(&mut first));
    assert_eq!(fixture.failures(), 0);
    release.send(()).unwrap();

    wait_for(first).unwrap();
    assert_eq!(fixture.failures(), 1);
    wait_for(last).unwrap();
    blocked.thread.join().unwrap();
}

#[test]
fn a_full_queue_refuses_work_and_loses_nothing_that_it_accepted() {
    const QUEUE_MAX: usize = 4096;
    let fixture = StoreFixture::new();
    let blocked = fixture.block_writer();
    let mut queued: Vec<_> = (0..QUEUE_MAX).map(|_| queue(&fixture.store, add_failure)).collect();

    for _ in 0..3 {
        let mut one_more: Answer<'_, ()> = Box::pin(fixture.store.write(add_failure));
        let Poll::Ready(answer) = one_more.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the queue has no limit")
        };
        assert!(matches!(answer, Err(Error::Busy)));
    }
    blocked.release();

    assert!(queued.drain(..).all(|answer| wait_for(answer).is_ok()));
    assert_eq!(fixture.failures(), 4096);
}

#[test]
fn time_goes_back_between_two_changes_only_after_a_step_back_was_accepted() {
    let fixture = StoreFixture::new();
    let now = || fixture.store.write_blocking(|tx| Ok::<_, Error>(tx.now())).unwrap();
    let first = now();

    fixture.clock.set(ClockStep::Back(hours(1)));
    fixture.clock.advance(seconds(1));
    assert_eq!(now(), first.plus(seconds(1)), "the appliance continues its own time");

    // Work that is queued behind the step's own transaction, in the same commit, sees the new time.
    let blocked = fixture.block_writer();
    let clock = fixture.clock.clone();
    let accepting = queue(&fixture.store, move |_| {
        clock.accept(clock.step().unwrap());
        Ok(())
    });
    let after = queue(&fixture.store, |tx| Ok(tx.now()));
    blocked.release();
    wait_for(accepting).unwrap();
    assert_eq!(wait_for(after).unwrap(), first.plus(seconds(1)).minus(hours(1)));
}

#[test]
fn a_read_sees_one_consistent_state() {
    let fixture = StoreFixture::new();
    let count =
        |view: &View<'_>| view.one("select coalesce(sum(failures), 0) from throttle", [], |row| row.get::<_, i64>(0));

    let (before, during) = fixture
        .store
        .read_blocking(|view| {
            let before = count(view)?;
            fixture.store.write_blocking(add_failure)?;
            Ok::<_, Error>((before, count(view)?))
        })
        .unwrap();

    assert_eq!((before, during), (0, 0));
    assert_eq!(fixture.store.read_blocking(count).unwrap(), 1);
}

#[test]
fn a_dropped_store_has_closed_every_reader_and_left_no_log() {
    let StoreFixture { store, clock, folder } = StoreFixture::new();
    drop(store);
    let layout = Layout::new(folder.path());

    for _ in 0..100 {
        let store = open(folder.path(), default_settings(), &clock).unwrap();
        store.read_blocking(|view| view.one("select count(*) from account", [], |row| row.get::<_, i64>(0))).unwrap();
        drop(store);

        let names = std::fs::read_dir(layout.live_dir()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["live.sqlite", "users.lock"]);
    }
}

#[test]
fn every_connection_has_the_safe_settings() {
    let fixture = StoreFixture::new();
    let pragmas = |view: &View<'_>| {
        let read = |pragma: &str| view.one(&format!("pragma {pragma}"), [], |row| row.get::<_, i64>(0));
        ["synchronous", "foreign_keys", "trusted_schema", "secure_delete", "cell_size_check", "query_only"]
            .into_iter()
            .map(read)
            .collect::<Result<Vec<_>, Error>>()
    };

    assert_eq!(fixture.store.write_blocking(move |tx| pragmas(tx)).unwrap(), [2, 1, 0, 1, 1, 0]);
    assert_eq!(fixture.store.read_blocking(pragmas).unwrap(), [2, 1, 0, 1, 1, 1]);
    assert_eq!(fixture.store.query_inline(pragmas).unwrap(), [2, 1, 0, 1, 1, 1]);
    let mut memory = TestSite::new();
    assert_eq!(memory.read(|tx| pragmas(tx).unwrap()), [2, 1, 0, 1, 1, 0]);
    let journal = |view: &View<'_>| view.one("pragma journal_mode", [], |row| row.get::<_, String>(0));
    assert_eq!(fixture.store.write_blocking(move |tx| journal(tx)).unwrap(), "wal");
    assert_eq!(fixture.store.read_blocking(journal).unwrap(), "wal");
}

#[test]
fn reading_connections_cannot_write() {
    let fixture = StoreFixture::new();
    let write = |view: &View<'_>| {
        let sql =
            "insert into throttle (bucket, failures, until, updated_at) values (x'00', 1, 0, 0) returning failures";
        view.one(sql, [], |row| row.get::<_, i64>(0))
    };

    assert!(fixture.store.read_blocking(write).is_err());
    assert!(fixture.store.query_inline(write).is_err());
    assert_eq!(fixture.failures(), 0);
}

#[test]
fn every_table_refuses_a_value_of_another_type() {
    let mut site = TestSite::new();

    let (all, loose) = site.read(|tx| {
        let loose = "select name from pragma_table_list where type = 'table' and strict = 0 and name not like 'sqlite~_%' escape '~'";
        (tables(tx), tx.list(loose, [], |row| row.get::<_, String>(0)).unwrap())
    });

    assert!(all.len() > 20, "{all:?}");
    assert_eq!(loose, Vec::<String>::new());
}

/// Creates a service.
fn service(name: &'static str) -> impl FnOnce(&mut Tx<'_>) -> Result<ServiceId, Error> {
    move |tx| Ok(create_service(tx, name).unwrap().0.id)
}

#[test]
fn only_what_changed_is_invalidated() {
    let fixture = StoreFixture::new();
    assert!(!fixture.store.is_cache_current(), "the writer has not checked yet");
    let farm = fixture.store.write_blocking(service("farm")).unwrap();
    let generation = fixture.store.generation();
    let is_good = |service| {
        fixture.store.is_cache_current() && fixture.store.is_unchanged_since(Subject::Service(service), generation)
    };
    fixture.store.write_blocking(add_failure).unwrap();
    assert!(is_good(farm), "a failure changes no credential");

    let mill = fixture.store.write_blocking(service("mill")).unwrap();

    assert!(is_good(farm) && !is_good(mill));
    let rename = move |tx: &mut Tx<'_>| {
        tx.execute("update service set name = 'barn' where id = :id", rusqlite::named_params! {":id": farm})
    };
    fixture.store.write_blocking(rename).unwrap();
    assert!(!is_good(farm));
}

#[test]
fn a_foreign_change_suspends_the_cache_until_the_writer_has_read_it() {
    let fixture = StoreFixture::new();
    let farm = fixture.store.write_blocking(service("farm")).unwrap();
    let generation = fixture.store.generation();
    let other = fixture.another();
    let mill = other.write_blocking(service("mill")).unwrap();
    assert!(!fixture.store.is_cache_current(), "another process has committed");

    crate::support::wait_for("the check of the writer", || fixture.store.is_cache_current().then_some(()));

    assert!(
        fixture.store.is_unchanged_since(Subject::Service(farm), generation)
            && !fixture.store.is_unchanged_since(Subject::Service(mill), generation)
    );
    let generation = fixture.store.generation();
    other.write_blocking(add_failure).unwrap();
    fixture.store.write_blocking(add_failure).unwrap();
    assert_eq!(fixture.store.generation(), generation, "a foreign failure changes no credential");
}

#[test]
fn a_write_without_effect_does_not_validate_a_foreign_commit() {
    let fixture = StoreFixture::new();
    let farm = fixture.store.write_blocking(service("farm")).unwrap();
    let generation = fixture.store.generation();
    let same = |tx: &mut Tx<'_>| tx.execute("update service set created_at = created_at", []);
    assert_eq!(fixture.store.write_blocking(same).unwrap(), 1, "a row counts as changed");
    assert!(fixture.store.is_cache_current());

    let rename = |tx: &mut Tx<'_>| tx.execute("update service set name = 'barn'", []);
    fixture.another().write_blocking(rename).unwrap();

    assert!(!fixture.store.is_cache_current(), "the next commit in the log is of another process");
    crate::support::wait_for("the check of the writer", || fixture.store.is_cache_current().then_some(()));
    assert!(!fixture.store.is_unchanged_since(Subject::Service(farm), generation));
}

#[test]
fn a_refused_change_invalidates_nothing_and_an_unknown_one_everything() {
    let fixture = StoreFixture::new();
    let farm = fixture.store.write_blocking(service("farm")).unwrap();
    let generation = fixture.store.generation();
    let refused = fixture.store.write_blocking(|tx: &mut Tx<'_>| {
        tx.execute("update service set name = 'barn'", [])?;
        Err::<(), Error>(Error::Busy)
    });
    assert!(refused.is_err() && fixture.store.is_unchanged_since(Subject::Service(farm), generation));

    // The other process deletes its change records before this one has read them.
    let other = fixture.another();
    other
        .write_blocking(|tx: &mut Tx<'_>| {
            tx.execute("update service set name = 'barn'", [])?;
            tx.execute("update service set name = 'mill'", [])?;
            tx.execute("delete from credential_change where seq < (select max(seq) from credential_change)", [])
        })
        .unwrap();
    fixture.store.write_blocking(add_failure).unwrap();

    let unknown = ServiceId::new(Timestamp::from_millis(0), &mut Rng::seeded(9));
    assert!(
        fixture.store.is_cache_current() && !fixture.store.is_unchanged_since(Subject::Service(unknown), generation)
    );
}

#[test]
fn change_records_are_deleted_100_000_at_a_time_until_10_000_are_left() {
    let fixture = StoreFixture::new();
    let insert = "
        with recursive number (n) as (select 1 union all select n + 1 from number where n < 210000)
        insert into credential_change (kind, subject_id) select 'key', 'key_unknown' from number";
    fixture.store.write_blocking(|tx: &mut Tx<'_>| tx.execute(insert, [])).unwrap();

    let deleted = [(); 4].map(|()| fixture.store.write_blocking(db::purge_changes).unwrap());

    assert_eq!(deleted, [100_000, 100_000, 0, 0]);
}

#[test]
fn files_on_disk_look_like_random_bytes() {
    let site = TestApp::new();
    let canary = "Lord-Byrons-Daughter";
    let new = NewAccount {
        username: Username::parse(canary).unwrap(),
        email: EmailAddress::parse(&format!("{canary}@example.org")).unwrap(),
        is_verified: true,
        password: Some("$argon2id$canary-of-a-hash".into()),
        is_operator: false,
    };
    site.write(move |tx| accounts::create(tx, &Actor::Operator, &new)).unwrap();
    assert!(!site.columns_with(canary).is_empty());
    let copy = site.folder().join("copy.sqlite");
    site.app.store().copy_to(&copy, &mut Rng::seeded(4), |_, _| Ok(())).unwrap();
    let log = site.layout().live_dir().join("live.sqlite-wal");
    let in_the_log = std::fs::read(&log).unwrap();
    assert!(in_the_log.len() > 4096);
    site.app.store().empty_log(10).unwrap();

    let live = std::fs::read(site.layout().live()).unwrap();
    for (name, bytes) in [("live", &live), ("log", &in_the_log), ("copy", &std::fs::read(&copy).unwrap())] {
        for plain in ["SQLite format 3", canary, "canary-of-a-hash", "create table", "account", "gpu.h100"] {
            assert!(!holds(bytes, plain.as_bytes()), "{plain:?} is in the {name}");
        }
        // Random bytes cannot be compressed: each value is about equally frequent.
        let (mut counts, all) = ([0usize; 256], bytes.len());
        bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        assert!(counts.iter().all(|count| *count < all / 128), "{name}: the bytes are not spread evenly");
    }
}

#[test]
fn a_wrong_key_opens_nothing_and_changes_nothing() {
    let fixture = StoreFixture::new();
    fixture.store.write_blocking(add_failure).unwrap();
    let StoreFixture { store, clock, folder } = fixture;
    drop(Arc::into_inner(store).unwrap());
    let live = Layout::new(folder.path()).live_dir();
    let before = hashes(&live);
    let mut foreign = default_settings();
    foreign.keyring = Keyring::generate(&mut Rng::seeded(99), clock.now());

    let refused = open(folder.path(), foreign, &clock);

    assert!(matches!(refused, Err(Error::KeyDoesNotOpen(path)) if path.ends_with("live.sqlite")));
    assert_eq!(hashes(&live), before);
    assert!(open(folder.path(), default_settings(), &clock).is_ok());
}

#[test]
fn a_newer_database_is_refused_and_unchanged() {
    let fixture = StoreFixture::new();
    let StoreFixture { store, clock, folder } = fixture;
    drop(Arc::into_inner(store).unwrap());
    let layout = Layout::new(folder.path());
    let newer = MIGRATIONS_COUNT + 1;
    connect(&layout.live(), &default_settings())
        .pragma_update(None, "user_version", i64::try_from(newer).unwrap())
        .unwrap();
    let before = hashes(&layout.live_dir());

    let refused = open(folder.path(), default_settings(), &clock);
    let migrated = db::migrate_file(&layout.live(), &default_settings().keyring.database_key_pragma());

    for refused in [refused.map(|_| ()), migrated] {
        assert!(matches!(refused, Err(Error::Newer { found, known: MIGRATIONS_COUNT }) if found == newer));
    }
    assert_eq!(hashes(&layout.live_dir()), before);
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    std::fs::create_dir_all(layout.live_dir()).unwrap();
    std::fs::write(layout.live(), "not a database, and long enough to have a page".repeat(200)).unwrap();
    std::fs::write(layout.users_lock(), "").unwrap();
    let before = hashes(&layout.live_dir());

    let refused = open(folder.path(), default_settings(), &Clock::system());

    assert!(matches!(refused, Err(Error::KeyDoesNotOpen(_))));
    assert_eq!(hashes(&layout.live_dir()), before);
}

#[test]
fn an_event_reported_100_times_from_eight_threads_counts_once_also_after_a_restart() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let farm = Actor::Service {
        service: ServiceId::new(site.clock.now(), &mut Rng::seeded(3)),
        name: "farm".into(),
        request: String::new(),
    };
    let event = |quantity: &str| -> Result<NewEvent, Fault> {
        Ok(UsageBuilder::new(ada.workspace, "run-1", Timestamp::parse(START).unwrap()).quantity(quantity).build())
    };
    let report = |site: &TestApp, quantity: &str| {
        let (farm, batch) = (farm.clone(), [event(quantity)]);
        site.write(move |tx| usage::record_batch(tx, &farm, &batch)).unwrap()
    };
    let balance = |site: &TestApp| site.read(|view| ledger::balance(view, ada.workspace).unwrap());

    let answers = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn({
                    let (site, report) = (&site, &report);
                    move || (0..if n < 4 { 13 } else { 12 }).map(|_| report(site, "1000")).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(answers.len(), 100);
    assert_eq!(answers.iter().map(|answer| answer.accepted).sum::<usize>(), 1);
    assert_eq!(answers.iter().map(|answer| answer.duplicates).sum::<usize>(), 99);
    assert_eq!(balance(&site), Credits::whole(4));

    let site = site.reopen();
    site.clock.advance(hours(1) + minutes(1) + seconds(1));
    assert_eq!(report(&site, "1000"), BatchResult { accepted: 0, duplicates: 1, rejected: vec![] });
    assert_eq!(report(&site, "1001").rejected[0].fault, Fault::Conflict);
    assert_eq!(balance(&site), Credits::whole(4));
    site.read(|view| ledger::check(view).unwrap());
}
