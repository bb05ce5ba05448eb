//! The store room: one writer for everybody, and a file that is noise to whoever has no key.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use domicile::accounts::{self, NewAccount, Username};
use domicile::base::{
    Actor, Clock, Credits, EmailAddress, Quantity, Rng, ServiceId, Timestamp, hours, minutes, seconds,
};
use domicile::billing::ledger;
use domicile::billing::usage::{self, BatchAnswer, EventName, Fault, NewEvent};
use domicile::crypto::Keyring;
use domicile::db::{self, Error, Layout, MIGRATIONS_COUNT, Site, Store, Subject, Tx, View};
use domicile::services::{self, ServiceName};
use domicile::sessions;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{START, TestApp, TestSite, default_settings, holds, tables};

/// A live database in a folder of its own, without anything above it.
struct Room {
    store: Arc<Store>,
    clock: Clock,
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(Layout::new(folder.path()).live_dir()).unwrap();
        let clock = Clock::standing_at(Timestamp::parse(START).unwrap());
        let store = open(folder.path(), default_settings(), &clock).unwrap();
        Self { store: Arc::new(store), clock, folder }
    }

    fn layout(&self) -> Layout {
        Layout::new(self.folder.path())
    }

    /// Another process's store.
    fn another(&self) -> Store {
        let (layout, site) = (self.layout(), Arc::new(default_settings()));
        Store::open(layout, site, self.clock.clone(), Rng::seeded(6), |_| (), |_| ()).unwrap()
    }

    /// A connection of somebody who has the key.
    fn connection(&self) -> Connection {
        keyed(&self.layout().live(), &default_settings())
    }

    /// How many failures were noted, as everybody sees it.
    fn noted(&self) -> i64 {
        self.connection().query_row("select coalesce(sum(failures), 0) from throttle", [], |row| row.get(0)).unwrap()
    }

    /// Keeps the writer busy; what is queued until it is let go is one commit.
    fn hold(&self) -> Held {
        let (release, wait) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let store = self.store.clone();
        let thread = std::thread::spawn(move || {
            let held = store.write_blocking(move |_| {
                begin.send(()).unwrap();
                wait.recv().unwrap();
                Ok::<_, Error>(())
            });
            held.unwrap();
        });
        begun.recv().unwrap();
        Held { release, thread }
    }
}

struct Held {
    release: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Held {
    fn let_go(self) {
        self.release.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn open(folder: &Path, site: Site, clock: &Clock) -> Result<Store, Error> {
    Store::open(Layout::new(folder), Arc::new(site), clock.clone(), Rng::seeded(5), |_| (), |_| ())
}

fn keyed(path: &Path, site: &Site) -> Connection {
    let connection = Connection::open(path).unwrap();
    let key = site.keyring.database_key_pragma();
    connection.execute_batch(&format!("pragma key = \"{}\"", key.expose())).unwrap();
    connection
}

type Answer<'s, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 's>>;

/// Queues a change without waiting for its answer.
fn queue<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
) -> Answer<'_, T> {
    let mut answer: Answer<'_, T> = Box::pin(store.write(work));
    assert!(is_pending(&mut answer), "the writer is held, and answered");
    answer
}

fn is_pending<T>(answer: &mut Answer<'_, T>) -> bool {
    matches!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

fn wait_for<T>(answer: Answer<'_, T>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn note(tx: &mut Tx<'_>) -> Result<(), Error> {
    sessions::note_failure(tx, "somebody")
}

/// Every file of a folder with the hash of its content.
fn hashes(folder: &Path) -> Vec<(String, String)> {
    let files = TestApp::files_in(folder).into_iter();
    files.map(|name| (name.clone(), hex::encode(Sha256::digest(std::fs::read(folder.join(name)).unwrap())))).collect()
}

#[test]
fn a_caller_that_fails_or_panics_takes_nobody_elses_work_along() {
    let room = Room::new();
    let held = room.hold();

    let before = queue(&room.store, note);
    let refused = queue(&room.store, |tx| {
        note(tx)?;
        Err::<(), _>(Error::Busy)
    });
    let panicked = queue(&room.store, |tx| {
        note(tx)?;
        if tx.now().millis() > 0 {
            panic!("an operation with a fault");
        }
        Ok(())
    });
    let forbidden = queue(&room.store, |tx| {
        note(tx)?;
        tx.execute(
            "insert into membership (workspace_id, account_id, role, joined_at) values ('x', 'y', 'owner', 0)",
            [],
        )
    });
    let after = queue(&room.store, note);
    held.let_go();

    assert!(wait_for(before).is_ok() && wait_for(after).is_ok());
    assert!(matches!(wait_for(refused), Err(Error::Busy)));
    assert!(matches!(wait_for(panicked), Err(Error::Panicked)));
    assert!(matches!(wait_for(forbidden), Err(Error::Sqlite(_))));
    assert_eq!(room.noted(), 2);
    room.store.write_blocking(note).unwrap();
    assert_eq!(room.noted(), 3);
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let room = Room::new();
    let held = room.hold();
    let mut first = queue(&room.store, note);
    let (begin, begun) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let last = queue(&room.store, move |_| {
        begin.send(()).unwrap();
        wait.recv().unwrap();
        Ok(())
    });

    held.release.send(()).unwrap();
    begun.recv().unwrap();
    // The first one's work is done, and the commit has to wait for the last one's.
    assert!(is_pending(&mut first));
    assert_eq!(room.noted(), 0);
    release.send(()).unwrap();

    wait_for(first).unwrap();
    assert_eq!(room.noted(), 1);
    wait_for(last).unwrap();
    held.thread.join().unwrap();
}

#[test]
fn a_full_queue_says_so_and_loses_nothing_that_it_took() {
    const QUEUE_MAX: usize = 4096;
    let room = Room::new();
    let held = room.hold();
    let mut taken: Vec<_> = (0..QUEUE_MAX).map(|_| queue(&room.store, note)).collect();

    for _ in 0..3 {
        let mut one_more: Answer<'_, ()> = Box::pin(room.store.write(note));
        let Poll::Ready(answer) = one_more.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the queue has no end")
        };
        assert!(matches!(answer, Err(Error::Busy)));
    }
    held.let_go();

    assert!(taken.drain(..).all(|answer| wait_for(answer).is_ok()));
    assert_eq!(room.noted(), 4096);
}

#[test]
fn time_never_goes_back_between_two_changes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(Layout::new(folder.path()).live_dir()).unwrap();
    let at = Arc::new(std::sync::atomic::AtomicI64::new(Timestamp::parse(START).unwrap().millis()));
    let store = open(folder.path(), default_settings(), &Clock::Standing(at.clone())).unwrap();
    let now = || store.write_blocking(|tx| Ok::<_, Error>(tx.now())).unwrap();

    let first = now();
    at.fetch_sub(3_600_000, std::sync::atomic::Ordering::SeqCst);
    let second = now();
    at.fetch_add(3_600_000 + 1, std::sync::atomic::Ordering::SeqCst);
    let third = now();

    assert_eq!((second, third), (first, Timestamp::from_millis(first.millis() + 1)));
}

#[test]
fn a_reader_sees_one_moment_however_long_it_looks() {
    let room = Room::new();
    let count =
        |view: &View<'_>| view.one("select coalesce(sum(failures), 0) from throttle", [], |row| row.get::<_, i64>(0));

    let (before, during) = room
        .store
        .read_blocking(|view| {
            let before = count(view)?;
            room.store.write_blocking(note)?;
            Ok::<_, Error>((before, count(view)?))
        })
        .unwrap();

    assert_eq!((before, during), (0, 0));
    assert_eq!(room.store.read_blocking(count).unwrap(), 1);
}

#[test]
fn a_store_that_is_gone_has_closed_every_reader_and_left_no_log() {
    let Room { store, clock, folder } = Room::new();
    drop(store);
    let layout = Layout::new(folder.path());

    for _ in 0..100 {
        let store = open(folder.path(), default_settings(), &clock).unwrap();
        store.read_blocking(|view| view.one("select count(*) from account", [], |row| row.get::<_, i64>(0))).unwrap();
        drop(store);

        let names = std::fs::read_dir(layout.live_dir()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["live.sqlite"]);
    }
}

#[test]
fn every_connection_is_durable_checked_and_suspicious() {
    let room = Room::new();
    let pragmas = |view: &View<'_>| {
        let ask = |pragma: &str| view.one(&format!("pragma {pragma}"), [], |row| row.get::<_, i64>(0));
        ["synchronous", "foreign_keys", "trusted_schema", "secure_delete", "cell_size_check", "query_only"]
            .into_iter()
            .map(ask)
            .collect::<Result<Vec<_>, Error>>()
    };

    assert_eq!(room.store.write_blocking(move |tx| pragmas(tx)).unwrap(), [2, 1, 0, 1, 1, 0]);
    assert_eq!(room.store.read_blocking(pragmas).unwrap(), [2, 1, 0, 1, 1, 1]);
    assert_eq!(room.store.query_inline(pragmas).unwrap(), [2, 1, 0, 1, 1, 1]);
    let mut memory = TestSite::new();
    assert_eq!(memory.read(|tx| pragmas(tx).unwrap()), [2, 1, 0, 1, 1, 0]);
    let journal = |view: &View<'_>| view.one("pragma journal_mode", [], |row| row.get::<_, String>(0));
    assert_eq!(room.store.write_blocking(move |tx| journal(tx)).unwrap(), "wal");
    assert_eq!(room.store.read_blocking(journal).unwrap(), "wal");
}

#[test]
fn whoever_looks_cannot_write() {
    let room = Room::new();
    let write = |view: &View<'_>| {
        let sql =
            "insert into throttle (bucket, failures, until, updated_at) values (x'00', 1, 0, 0) returning failures";
        view.one(sql, [], |row| row.get::<_, i64>(0))
    };

    assert!(room.store.read_blocking(write).is_err());
    assert!(room.store.query_inline(write).is_err());
    assert_eq!(room.noted(), 0);
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

/// A service made in one transaction.
fn service(name: &'static str) -> impl FnOnce(&mut Tx<'_>) -> Result<ServiceId, Error> {
    let name = ServiceName::parse(name).unwrap();
    move |tx| Ok(services::create(tx, &Actor::Operator, &name).unwrap().0.id)
}

#[test]
fn what_changed_is_forgotten_and_nothing_else() {
    let room = Room::new();
    assert!(!room.store.memory_holds(), "nobody has looked yet");
    let farm = room.store.write_blocking(service("farm")).unwrap();
    let tag = room.store.generation();
    let is_good = |service| room.store.memory_holds() && room.store.is_as_of(Subject::Service(service), tag);
    room.store.write_blocking(note).unwrap();
    assert!(is_good(farm), "a note changes no credential");

    let mill = room.store.write_blocking(service("mill")).unwrap();

    assert!(is_good(farm) && !is_good(mill));
    let rename = move |tx: &mut Tx<'_>| {
        tx.execute("update service set name = 'barn' where id = :id", rusqlite::named_params! {":id": farm})
    };
    room.store.write_blocking(rename).unwrap();
    assert!(!is_good(farm));
}

#[test]
fn a_foreign_change_suspends_memory_until_the_writer_has_found_it() {
    let room = Room::new();
    let farm = room.store.write_blocking(service("farm")).unwrap();
    let tag = room.store.generation();
    let other = room.another();
    let mill = other.write_blocking(service("mill")).unwrap();
    assert!(!room.store.memory_holds(), "somebody else has committed");

    crate::support::wait_for("the writer's look", || room.store.memory_holds().then_some(()));

    assert!(room.store.is_as_of(Subject::Service(farm), tag) && !room.store.is_as_of(Subject::Service(mill), tag));
    let generation = room.store.generation();
    other.write_blocking(note).unwrap();
    room.store.write_blocking(note).unwrap();
    assert_eq!(room.store.generation(), generation, "a foreign note changes no credential");
}

#[test]
fn a_write_of_what_was_there_already_vouches_for_no_commit() {
    let room = Room::new();
    let farm = room.store.write_blocking(service("farm")).unwrap();
    let tag = room.store.generation();
    let same = |tx: &mut Tx<'_>| tx.execute("update service set created_at = created_at", []);
    assert_eq!(room.store.write_blocking(same).unwrap(), 1, "a row counts as changed");
    assert!(room.store.memory_holds());

    let rename = |tx: &mut Tx<'_>| tx.execute("update service set name = 'barn'", []);
    room.another().write_blocking(rename).unwrap();

    assert!(!room.store.memory_holds(), "the next commit in the log is somebody else's");
    crate::support::wait_for("the writer's look", || room.store.memory_holds().then_some(()));
    assert!(!room.store.is_as_of(Subject::Service(farm), tag));
}

#[test]
fn a_refused_change_is_no_change_and_one_of_which_nobody_knows_is_all() {
    let room = Room::new();
    let farm = room.store.write_blocking(service("farm")).unwrap();
    let tag = room.store.generation();
    let refused = room.store.write_blocking(|tx: &mut Tx<'_>| {
        tx.execute("update service set name = 'barn'", [])?;
        Err::<(), Error>(Error::Busy)
    });
    assert!(refused.is_err() && room.store.is_as_of(Subject::Service(farm), tag));

    // The other process deletes its notes before this one has read them.
    let other = room.another();
    other
        .write_blocking(|tx: &mut Tx<'_>| {
            tx.execute("update service set name = 'barn'", [])?;
            tx.execute("update service set name = 'mill'", [])?;
            tx.execute("delete from credential_change where seq < (select max(seq) from credential_change)", [])
        })
        .unwrap();
    room.store.write_blocking(note).unwrap();

    let nobody = ServiceId::new(Timestamp::from_millis(0), &mut Rng::seeded(9));
    assert!(room.store.memory_holds() && !room.store.is_as_of(Subject::Service(nobody), tag));
}

#[test]
fn notes_of_changes_are_deleted_a_hundred_thousand_at_a_time_until_ten_thousand_are_left() {
    let room = Room::new();
    let make = "
        with recursive number (n) as (select 1 union all select n + 1 from number where n < 210000)
        insert into credential_change (kind, subject_id) select 'key', 'key_of_somebody' from number";
    room.store.write_blocking(|tx: &mut Tx<'_>| tx.execute(make, [])).unwrap();

    let deleted = [(); 4].map(|()| room.store.write_blocking(db::purge_changes).unwrap());

    assert_eq!(deleted, [100_000, 100_000, 0, 0]);
}

#[test]
fn what_is_on_the_disk_is_noise() {
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
    assert!(!site.places_of(canary).is_empty());
    let copy = site.folder().join("copy.sqlite");
    site.app.store().copy_to(&copy, &mut Rng::seeded(4), |_| Ok(())).unwrap();
    let log = site.layout().live_dir().join("live.sqlite-wal");
    let in_the_log = std::fs::read(&log).unwrap();
    assert!(in_the_log.len() > 4096);
    site.app.store().checkpoint().unwrap();

    let live = std::fs::read(site.layout().live()).unwrap();
    for (name, bytes) in [("live", &live), ("log", &in_the_log), ("copy", &std::fs::read(&copy).unwrap())] {
        for plain in ["SQLite format 3", canary, "canary-of-a-hash", "create table", "account", "gpu.h100"] {
            assert!(!holds(bytes, plain.as_bytes()), "{plain:?} is in the {name}");
        }
        // Noise cannot be made smaller.
        let (mut seen, all) = ([0usize; 256], bytes.len());
        bytes.iter().for_each(|byte| seen[usize::from(*byte)] += 1);
        assert!(seen.iter().all(|times| *times < all / 128), "{name}: the bytes are not spread evenly");
    }
}

#[test]
fn a_wrong_key_opens_nothing_and_changes_nothing() {
    let room = Room::new();
    room.store.write_blocking(note).unwrap();
    let Room { store, clock, folder } = room;
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
fn a_newer_database_is_refused_and_left_as_it_is() {
    let room = Room::new();
    let Room { store, clock, folder } = room;
    drop(Arc::into_inner(store).unwrap());
    let layout = Layout::new(folder.path());
    let newer = MIGRATIONS_COUNT + 1;
    keyed(&layout.live(), &default_settings())
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
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    std::fs::create_dir_all(layout.live_dir()).unwrap();
    std::fs::write(layout.live(), "not a database, and long enough to have a page".repeat(200)).unwrap();
    let before = hashes(&layout.live_dir());

    let refused = open(folder.path(), default_settings(), &Clock::System);

    assert!(matches!(refused, Err(Error::KeyDoesNotOpen(_))));
    assert_eq!(hashes(&layout.live_dir()), before);
}

#[test]
fn an_event_reported_a_hundred_times_from_eight_threads_counts_once_also_after_a_restart() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let farm = Actor::Service { service: ServiceId::new(site.clock.now(), &mut Rng::seeded(3)), name: "farm".into() };
    let event = |quantity: &str| -> Result<NewEvent, Fault> {
        Ok(NewEvent {
            source: EventName::parse("https://gpu.example/farm-1").unwrap(),
            id: EventName::parse("run-1").unwrap(),
            workspace: ada.workspace,
            sku: "gpu.h100".into(),
            quantity: Quantity::parse(quantity).unwrap(),
            occurred_at: Timestamp::parse(START).unwrap(),
            key: None,
        })
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
    assert_eq!(report(&site, "1000"), BatchAnswer { accepted: 0, duplicates: 1, rejected: vec![] });
    assert_eq!(report(&site, "1001").rejected[0].fault, Fault::Conflict);
    assert_eq!(balance(&site), Credits::whole(4));
    site.read(|view| ledger::check(view).unwrap());
}
