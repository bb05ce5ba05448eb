//! The published file: complete, correct, and replaced only by a verified one.

mod checks;
mod copies;
mod sharing;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domicile::audit::SiteEvent;
use domicile::base::{Actor, Credits, Rng, days};
use domicile::billing::{self, BillingError};
use domicile::crypto::Keyring;
use domicile::db::{self, PAGE_BYTES, Site};
use domicile::jobs::{self, NewJob};
use domicile::privacy;
use domicile::snapshots::{self, Damage, Manifest, Report, SnapshotError, verify_file};
use domicile::{accounts, audit, workspaces};
use rusqlite::{Connection, named_params};
use sha2::{Digest, Sha256};

use crate::support::{TestApp, is_deep};

/// The same as [`PAGE_BYTES`].
const PAGE: usize = 4096;

impl TestApp {
    fn publish(&self) -> Manifest {
        snapshots::publish(&self.app).unwrap()
    }

    fn published(&self) -> PathBuf {
        self.layout().snapshot()
    }

    fn verify(&self, path: &Path) -> Result<Report, Damage> {
        verify_file(path, self.app.store().site(), self.app.now())
    }

    /// A copy of the published file, in another folder.
    fn copied(&self, name: &str) -> PathBuf {
        let folder = self.folder().join("copies");
        std::fs::create_dir_all(&folder).unwrap();
        let copy = folder.join(name);
        std::fs::copy(self.published(), &copy).unwrap();
        copy
    }

    /// Verifies a copy after a change by an attacker who has the key and drops the triggers.
    fn edited(&self, name: &str, sql: &str) -> Result<Report, Damage> {
        let copy = self.copied(name);
        let connection = self.opened(&copy);
        let triggers: Vec<String> = {
            let mut statement = connection.prepare("select name from sqlite_schema where type = 'trigger'").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        triggers.iter().for_each(|name| connection.execute_batch(&format!("drop trigger {name}")).unwrap());
        connection.execute_batch("pragma foreign_keys = off; pragma ignore_check_constraints = on").unwrap();
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(connection.total_changes() > 0 || sql.contains("drop"), "{sql} changes nothing");
        drop(connection);
        self.verify(&copy)
    }

    fn opened(&self, path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        let key = self.app.keyring().database_key_pragma();
        connection.execute_batch(&format!("pragma key = \"{}\"", key.expose())).unwrap();
        connection
    }
}

/// A site with a person, an API key, granted credit, and an erased person.
fn populated_site() -> TestApp {
    let site = TestApp::new();
    let (ada, gone) = (site.person("ada-ada"), site.person("gone-gone"));
    site.api_key(&ada, "ci");
    site.write(move |tx| {
        billing::grant_by_operator(tx, &Actor::Operator, ada.workspace, Credits::whole(25), "Welcome")
    })
    .unwrap();
    site.write(move |tx| privacy::erase(tx, &Actor::Operator, gone.account.id)).unwrap();
    site
}

fn flip(path: &Path, at: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path, bytes: u64) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn a_published_snapshot_verifies_and_its_stamp_is_correct() {
    let site = populated_site();

    let manifest = site.publish();

    let report = site.verify(&site.published()).unwrap();
    assert_eq!(report.stamp, manifest.report.stamp);
    let head = site.read(|view| audit::head(view).unwrap());
    assert_eq!((report.stamp.audit_seq, report.stamp.audit_head), head);
    assert_eq!((report.stamp.made_at, report.stamp.tombstone_seq), (site.app.now(), 1));
    assert_eq!(report.stamp.keyring_id, site.app.keyring().id());
    assert_eq!((report.region.as_str(), report.audit_events, report.ledger_transactions), ("eu", head.0, 3));
    let rows = |table: &str| report.rows.iter().find(|(name, _)| name == table).unwrap().1;
    assert_eq!((rows("account"), rows("api_key"), rows("snapshot_stamp")), (1, 1, 1));
    assert_eq!(site.number("select count(*) from snapshot_stamp"), 0);

    let bytes = std::fs::read(site.published()).unwrap();
    assert_eq!(bytes.len() as u64, report.bytes);
    let manifest_file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(site.layout().manifest()).unwrap()).unwrap();
    assert_eq!(manifest_file["sha256"], hex::encode(Sha256::digest(&bytes)));
    assert_eq!(
        (&manifest_file["file"], &manifest_file["audit_seq"]),
        (&"domicile.sqlite".into(), &report.stamp.audit_seq.into())
    );
    assert_eq!(std::fs::metadata(site.published()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_snapshot_is_consistent_while_other_writes_happen() {
    let site = populated_site();
    let done = std::sync::atomic::AtomicBool::new(false);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                site.write(|tx| audit::record(tx, &Actor::System, audit::Event::new(SiteEvent::KeyringRotated)))
                    .unwrap();
            }
        });
        for _ in 0..5 {
            let manifest = site.publish();
            assert_eq!(manifest.report.audit_events, manifest.report.stamp.audit_seq);
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

#[test]
fn any_flipped_bit_is_found_and_its_page_is_named() {
    let site = populated_site();
    site.publish();
    let bytes = std::fs::metadata(site.published()).unwrap().len();
    let pages = bytes / PAGE_BYTES;

    // The salt at the beginning, and bytes of content, initialisation vector and authentication code in several pages.
    let mut rng = Rng::seeded(31);
    let mut places: Vec<u64> = vec![0, 15, 16, 100, PAGE_BYTES - 1, PAGE_BYTES, bytes - 1, bytes - 70];
    places.extend((0..24).map(|_| u64::from(rng.below(u32::try_from(bytes).unwrap()))));
    for at in places {
        let copy = site.copied("flipped");
        flip(&copy, at);

        let page = at / PAGE_BYTES;
        match site.verify(&copy).unwrap_err() {
            Damage::Pages { count: 1, from, to, .. } => {
                assert_eq!((from, to), (page * PAGE_BYTES, (page + 1) * PAGE_BYTES - 1))
            }
            // With another salt, no page can be decrypted.
            Damage::WrongKey { .. } => assert!(at < 16, "byte {at}"),
            other => panic!("byte {at} of {pages} pages: {other}"),
        }
    }
}

#[test]
fn a_damaged_page_is_told_with_its_table() {
    let site = populated_site();
    site.publish();

    for (table, root) in [
        ("account", "select rootpage from sqlite_schema where name = 'account'"),
        ("audit_event", "select rootpage from sqlite_schema where name = 'audit_event'"),
        ("statement_line", "select rootpage from sqlite_schema where name = 'statement_line'"),
    ] {
        let root = site.number(root);
        let copy = site.copied("flipped");
        flip(&copy, (u64::try_from(root).unwrap() - 1) * PAGE_BYTES + 100);

        let damage = site.verify(&copy).unwrap_err();

        let Damage::Pages { tables, .. } = &damage else { panic!("{table}: {damage}") };
        assert_eq!(tables, &[table]);
        assert!(damage.to_string().ends_with(&format!("; table {table} cannot be read to its end")), "{damage}");
    }
}

#[test]
fn a_truncated_file_is_found_wherever_it_ends() {
    let site = populated_site();
    site.publish();
    let bytes = std::fs::metadata(site.published()).unwrap().len();

    for left in [
        bytes - 1,
        bytes - 100,
        bytes - PAGE_BYTES,
        bytes / PAGE_BYTES / 2 * PAGE_BYTES,
        PAGE_BYTES * 2 + 5,
        PAGE_BYTES,
    ] {
        let copy = site.copied("truncate");
        truncate(&copy, left);
        let found = site.verify(&copy).unwrap_err();
        assert!(matches!(found, Damage::Truncated { bytes } if bytes == left), "{left} of {bytes}: {found}");
    }
    for (left, message) in [(PAGE_BYTES - 1, "not a database"), (15, "not a database"), (0, "empty")] {
        let copy = site.copied("truncate");
        truncate(&copy, left);
        let found = site.verify(&copy).unwrap_err().to_string();
        assert!(found.contains(message), "{left}: {found}");
    }
}

#[test]
fn each_kind_of_other_file_has_its_own_error() {
    let site = populated_site();
    site.publish();
    let folder = site.folder().join("others");
    std::fs::create_dir_all(&folder).unwrap();
    let at = |name: &str| folder.join(name);
    let plain = Connection::open(at("plain")).unwrap();
    plain.execute_batch("create table t (a)").unwrap();
    std::fs::write(at("noise"), Rng::seeded(8).bytes::<16384>()).unwrap();
    std::fs::write(at("text"), "Dear Sir or Madam").unwrap();
    site.app.store().empty_log(10).unwrap();
    std::fs::copy(site.layout().live(), at("live")).unwrap();

    assert!(matches!(site.verify(&at("plain")), Err(Damage::NotEncrypted)));
    assert!(matches!(site.verify(&at("noise")), Err(Damage::WrongKey { .. })));
    assert!(matches!(site.verify(&at("text")), Err(Damage::NotADatabase)));
    assert!(matches!(site.verify(&at("live")), Err(Damage::NotASnapshot)));
    assert!(matches!(site.verify(&at("nothing")), Err(Damage::Unreadable(_))));
    assert!(matches!(site.verify(&folder), Err(Damage::NotADatabase)));
}

#[test]
fn a_snapshot_of_another_keyring_is_refused() {
    let site = populated_site();
    site.publish();
    let keyring = Keyring::generate(&mut Rng::seeded(77), site.app.now());
    let id = keyring.id();
    let other = Arc::new(Site { config: site.app.config().clone(), keyring });

    let found = verify_file(&site.published(), &other, site.app.now());

    assert!(matches!(found, Err(Damage::WrongKey { keyring }) if keyring == id));
}

#[test]
fn a_file_torn_between_two_snapshots_is_found() {
    let site = populated_site();
    let old = site.publish();
    let old_bytes = std::fs::read(site.published()).unwrap();
    site.person("late-comer");
    let new = site.publish();
    let new_bytes = std::fs::read(site.published()).unwrap();
    let pages = old_bytes.len().min(new_bytes.len()) / PAGE;

    let mut changed = (1..pages).filter(|n| new_bytes[n * PAGE..(n + 1) * PAGE] != old_bytes[n * PAGE..(n + 1) * PAGE]);
    let (first, last) = (changed.clone().next().unwrap(), changed.next_back().unwrap());
    assert!(last - first > pages / 2, "{first} to {last} of {pages}");
    // Before the first page and after the last page that changed, such a file is one of the two.
    for torn_at in 1..pages {
        let copy = site.copied("torn");
        std::fs::write(&copy, [&new_bytes[..torn_at * PAGE], &old_bytes[torn_at * PAGE..]].concat()).unwrap();
        match site.verify(&copy) {
            Ok(report) if torn_at <= first => assert_eq!(report.stamp, old.report.stamp),
            Ok(report) => assert!(torn_at > last && report.stamp == new.report.stamp, "torn at {torn_at} of {pages}"),
            Err(_) => {}
        }
    }
}

#[test]
fn one_outdated_page_is_found() {
    let site = populated_site();
    site.publish();
    let copy = site.copied("torn");
    let old = std::fs::read(&copy).unwrap();
    let ada = site.read(|view| accounts::find_by_name(view, "ada-ada").unwrap().unwrap());
    let workspace = site.read(|view| workspaces::personal(view, ada.id).unwrap().unwrap().id);
    let mut later = site.opened(&copy);
    for n in 0..20 {
        let (site, clock, mut rng) = (site.app.store().site(), &site.clock, Rng::seeded(40 + n));
        db::write_directly(&mut later, site, clock, &mut rng, |tx| {
            billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(1), "More").map(|_| ())?;
            let (seq, head) = audit::head(tx)?;
            let params = named_params! {":seq": seq, ":head": head};
            // As a stamp of a time before stamps had a digest of the pages, which would find it first.
            let stamp = "
                update snapshot_stamp
                set audit_seq = :seq, audit_head = :head, ledger_seq = 0, codes_digest = null";
            tx.execute(stamp, params)?;
            Ok::<_, BillingError>(())
        })
        .unwrap();
    }
    drop(later);
    site.verify(&copy).unwrap();
    let new = std::fs::read(&copy).unwrap();
    let pages = old.len() / PAGE;
    let differ: Vec<_> =
        (1..pages).filter(|n| old[n * PAGE..(n + 1) * PAGE] != new[n * PAGE..(n + 1) * PAGE]).collect();
    assert!(differ.len() >= 8, "{differ:?}");

    // Every page can be decrypted, but one is outdated: a write that never reached the disk.
    for page in &differ {
        let mut torn = new.clone();
        torn[page * PAGE..(page + 1) * PAGE].copy_from_slice(&old[page * PAGE..(page + 1) * PAGE]);
        std::fs::write(&copy, torn).unwrap();
        let found = site.verify(&copy).unwrap_err();
        assert!(!matches!(found, Damage::Pages { .. }), "page {page} of {pages} is old: {found}");
    }
}

#[test]
fn a_row_that_was_edited_with_the_database_key_is_found() {
    let site = populated_site();
    site.publish();
    let posting = "tx_id = (select id from ledger_tx where seq = 2) and n = 1";

    let ledger = [
        format!("update ledger_posting set amount_micro = amount_micro + 1 where {posting}"),
        format!("delete from ledger_posting where {posting}"),
        "update ledger_balance set balance_micro = balance_micro - 1 where balance_micro < 0".into(),
        "update statement_line set amount_micro = amount_micro + 1 where seq = 3".into(),
        "update ledger_tx set sealed = 0 where seq = 2".into(),
        "update credit_lot set original_micro = original_micro * 2".into(),
    ];
    // Each is a copy that is verified as a whole. A quick run takes every third one.
    let step = if is_deep() { 1 } else { 3 };
    for sql in ledger.into_iter().step_by(step) {
        let found = site.edited("edited", &sql).unwrap_err();
        assert!(matches!(found, Damage::Ledger(_) | Damage::Dangling(_)), "{sql}: {found}");
    }
    for sql in [
        "update audit_event set event = 'nothing.happened' where seq = 3",
        "update audit_private set salt = zeroblob(32)",
        "delete from audit_private; delete from audit_event where seq = (select max(seq) - 1 from audit_event)",
    ] {
        let found = site.edited("edited", sql).unwrap_err();
        assert!(matches!(found, Damage::Audit(_)), "{sql}: {found}");
    }
    let found = site.edited("edited", "update journal set target_id = 'acc_x'").unwrap_err();
    assert!(matches!(found, Damage::Journal { seq: 1 }), "{found}");
    let stamps = [
        "update snapshot_stamp set audit_seq = audit_seq + 1",
        "update snapshot_stamp set keyring_id = '00000000'",
        "update snapshot_stamp set schema_version = schema_version - 1",
        "update snapshot_stamp set audit_head = zeroblob(32)",
        "update snapshot_stamp set tombstone_seq = tombstone_seq + 1",
        "update snapshot_stamp set ledger_seq = ledger_seq + 1",
        "delete from journal",
        "delete from audit_private where seq = (select max(seq) from audit_event); delete from audit_event where seq = (select max(seq) from audit_event)",
        "delete from audit_private; delete from audit_event",
    ];
    for sql in stamps.into_iter().step_by(step) {
        let found = site.edited("edited", sql).unwrap_err();
        assert!(matches!(&found, Damage::WrongStamp { stamped, actual } if stamped != actual), "{sql}: {found}");
    }
    let found = site.edited("edited", "delete from account_email; delete from account").unwrap_err();
    assert!(matches!(found, Damage::Dangling(_)), "{found}");
    let found = site.edited("edited", "delete from snapshot_stamp").unwrap_err();
    assert!(matches!(found, Damage::NotASnapshot), "{found}");
    let found = site.edited("edited", "update site set region = 'us'; pragma user_version = 999").unwrap_err();
    assert!(matches!(found, Damage::Newer { found: 999, .. }), "{found}");
}

#[test]
fn a_copy_that_does_not_verify_is_not_published() {
    let site = populated_site();
    site.publish();
    let before = std::fs::read(site.published()).unwrap();
    let manifest = std::fs::read(site.layout().manifest()).unwrap();
    let live = site.opened(&site.layout().live());
    site.person("late-comer");
    let (last, _) = site.read(|view| audit::head(view).unwrap());
    let set_outcome = |outcome: &str| {
        let sql = format!("update audit_event set outcome = '{outcome}' where seq = {last}");
        live.execute_batch(&sql).unwrap();
    };
    live.execute_batch("drop trigger audit_event_is_never_changed").unwrap();
    set_outcome("denied");

    let refused = snapshots::publish(&site.app);

    assert!(matches!(refused, Err(SnapshotError::Damaged(Damage::Audit(_)))));
    assert_eq!(std::fs::read(site.published()).unwrap(), before);
    assert_eq!(std::fs::read(site.layout().manifest()).unwrap(), manifest);
    assert!(!TestApp::files_in(site.layout().root()).iter().any(|name| name.starts_with('.')));
    assert!(site.app.store().has_unpublished());

    set_outcome("success");
    site.publish();
}

#[test]
fn nothing_is_published_when_nothing_changed() {
    let site = populated_site();
    // Sends the waiting mails first, because sending them is a change. The erasure has queued a snapshot job as well.
    site.run_jobs();
    snapshots::publish_when_changed(&site.app).unwrap();
    let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(site.published()).unwrap());
    let first = inode();

    site.clock.advance(days(1));
    assert!(snapshots::publish_when_changed(&site.app).unwrap().is_none());
    // The job queue does not count as content, because publishing is itself a job.
    site.write(|tx| jobs::enqueue(tx, NewJob::once(snapshots::jobs::PUBLISH))).unwrap();
    site.run_jobs();
    assert_eq!(inode(), first);

    site.write(|tx| audit::record(tx, &Actor::System, audit::Event::new(SiteEvent::KeyringRotated))).unwrap();
    site.write(|tx| jobs::enqueue(tx, NewJob::once(snapshots::jobs::PUBLISH))).unwrap();
    site.run_jobs();
    assert_ne!(inode(), first);
    site.verify(&site.published()).unwrap();
}

#[test]
fn a_change_during_a_publication_is_published_the_next_time() {
    let site = populated_site();
    let root = site.layout().root().to_owned();
    let is_copied = || {
        let entries = std::fs::read_dir(&root).unwrap().flatten();
        let mut unfinished = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".snapshot-"));
        unfinished.any(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() > 0))
    };

    // If the write was faster than the copy, the copy contains it, and the round proves nothing.
    let missed = (0..50).any(|_| {
        let manifest = std::thread::scope(|scope| {
            let publishing = scope.spawn(|| site.publish());
            while !is_copied() && !publishing.is_finished() {
                std::thread::yield_now();
            }
            site.write(|tx| audit::record(tx, &Actor::System, audit::Event::new(SiteEvent::KeyringRotated))).unwrap();
            publishing.join().unwrap()
        });
        let head = site.read(|view| audit::head(view).unwrap());
        let is_missing = manifest.report.stamp.audit_seq < head.0;
        assert!(!is_missing || site.app.store().has_unpublished());
        is_missing
    });

    assert!(missed, "no write fell between the copy and its publication");
    assert!(snapshots::publish_when_changed(&site.app).unwrap().is_some());
    assert!(snapshots::publish_when_changed(&site.app).unwrap().is_none());
}

#[test]
fn a_change_by_another_process_is_published_too() {
    let site = populated_site();
    site.publish();
    site.another()
        .store()
        .write_blocking(|tx| audit::record(tx, &Actor::System, audit::Event::new(SiteEvent::KeyringRotated)))
        .unwrap();

    // Any write of this process, such as the one that queues the job, detects the change.
    site.write(|tx| jobs::enqueue(tx, NewJob::once(snapshots::jobs::PUBLISH))).unwrap();
    site.run_jobs();

    let head = site.read(|view| audit::head(view).unwrap());
    assert_eq!(site.verify(&site.published()).unwrap().stamp.audit_seq, head.0);
}

#[test]
fn temporary_files_of_a_killed_publisher_are_removed() {
    let site = populated_site();
    let root = site.layout().root().to_owned();
    for name in [".snapshot-0011223344556677", ".snapshot-0011223344556677-journal", ".snapshot-x.json"] {
        std::fs::write(root.join(name), "half a copy").unwrap();
    }
    std::fs::write(root.join("notes.txt"), "an admin's").unwrap();

    snapshots::clean_up(site.layout()).unwrap();

    let left = TestApp::files_in(&root);
    assert!(!left.iter().any(|name| name.starts_with(".snapshot")), "{left:?}");
    assert!(left.contains(&"notes.txt".to_owned()));
    site.publish();
    let mut expected = left;
    expected.extend(["domicile.sqlite".into(), "domicile.sqlite.json".into()]);
    expected.sort_unstable();
    assert_eq!(TestApp::files_in(&root), expected);
}

#[test]
fn after_the_rename_an_error_does_not_say_that_the_old_snapshot_is_still_there() {
    let site = populated_site();
    site.publish();
    let before = std::fs::read(site.published()).unwrap();
    site.person("late-comer");
    let manifest = site.layout().manifest();
    std::fs::remove_file(&manifest).unwrap();
    std::fs::create_dir(&manifest).unwrap();

    let error = snapshots::publish(&site.app).unwrap_err();

    assert!(matches!(error, SnapshotError::InPlace(_)), "{error}");
    assert!(error.to_string().contains("domicile.sqlite.json"), "{error}");
    assert_ne!(std::fs::read(site.published()).unwrap(), before);
    site.verify(&site.published()).unwrap();
    assert!(!TestApp::files_in(site.layout().root()).iter().any(|name| name.starts_with(".snapshot")));
    assert!(site.app.store().has_unpublished(), "it is published again");
    std::fs::remove_dir(&manifest).unwrap();
    site.publish();
    assert!(manifest.is_file());
}

#[test]
fn verifying_creates_no_files_and_works_in_a_read_only_folder() {
    let site = populated_site();
    site.publish();
    let copy = site.copied("domicile.sqlite");
    let folder = copy.parent().unwrap().to_owned();
    let before = std::fs::read(&copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o400)).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();

    let verified = site.verify(&copy);
    let files = TestApp::files_in(&folder);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();

    verified.unwrap();
    assert_eq!(files, ["domicile.sqlite"]);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
}

#[test]
fn a_file_name_with_url_characters_can_be_verified() {
    let site = populated_site();
    site.publish();

    for name in ["a copy.sqlite", "50%.sqlite", "what?immutable=0&mode=rw", "#1.sqlite", "ümlaut.sqlite"] {
        site.verify(&site.copied(name)).unwrap();
    }
}
