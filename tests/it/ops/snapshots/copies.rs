//! How the copy is made: what two snapshots share, what holds a copy up, and what a copy leaves alone.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use domicile::audit::SiteEvent;
use domicile::base::{Actor, Credits, Rng};
use domicile::billing::{self, BillingError};
use domicile::snapshots::{self, Damage, Head, SnapshotError};
use domicile::{accounts, audit, db, workspaces};

use super::{PAGE, TestApp, populated_site};
use crate::support::wait_for;

/// The numbers of the pages that differ, from 0. Both files have at least this many pages.
fn differing(old: &[u8], new: &[u8]) -> BTreeSet<usize> {
    let pages = old.len().max(new.len()) / PAGE;
    let page = |bytes: &[u8], n: usize| bytes.get(n * PAGE..(n + 1) * PAGE).map(<[u8]>::to_vec);
    (0..pages).filter(|n| page(old, *n) != page(new, *n)).collect()
}

/// Pages that the log of the live database contains.
pub(super) fn in_the_log(site: &TestApp) -> BTreeSet<usize> {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = std::fs::read(site.layout().live_dir().join("live.sqlite-wal")).unwrap();
    let number = |frame: &[u8]| usize::try_from(u32::from_be_bytes(frame[..4].try_into().unwrap())).unwrap();
    log[HEADER..].chunks_exact(FRAME_HEADER + PAGE).map(|frame| number(frame) - 1).collect()
}

impl TestApp {
    /// Grants credit to the person of [`populated_site`] this many times.
    pub fn grant(&self, times: u32) {
        self.write(move |tx| {
            let ada = accounts::find_by_name(tx, "ada-ada")?.unwrap();
            let workspace = workspaces::personal(tx, ada.id)?.unwrap().id;
            (0..times).try_for_each(|_| {
                billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(1), "More").map(drop)
            })?;
            Ok::<_, BillingError>(())
        })
        .unwrap();
    }
}

#[test]
fn two_snapshots_share_every_page_that_did_not_change() {
    let site = populated_site();
    site.grant(3000);
    // The first one makes the receipt of the erased person final, which is a change.
    site.publish();
    site.publish();
    let old = std::fs::read(site.published()).unwrap();
    assert!(site.app.store().empty_log(10).unwrap());

    site.grant(1000);
    let changed = in_the_log(&site);
    site.publish();

    let differing = differing(&old, &std::fs::read(site.published()).unwrap());
    let unexpected: Vec<_> = differing.difference(&changed).collect();
    // The stamp is in one page, and the header of the file is in the first one.
    assert!(unexpected.len() <= 2, "{unexpected:?} differ and were not changed");
    assert!(differing.len() * PAGE < old.len() * 3 / 4, "{} of {} pages", differing.len(), old.len() / PAGE);
}

#[test]
fn a_second_snapshot_without_changes_differs_in_the_stamp_only() {
    let site = populated_site();
    // The first one makes the receipt of the erased person final, which is a change.
    site.publish();
    site.publish();
    let old = std::fs::read(site.published()).unwrap();

    site.publish();

    let differing = differing(&old, &std::fs::read(site.published()).unwrap());
    assert!(differing.len() <= 2, "{differing:?}");
}

#[test]
fn an_appliance_whose_database_was_a_snapshot_publishes_too() {
    let site = populated_site();
    site.publish();
    let folder = site.folder().join("put back");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(site.published(), folder.join("domicile.sqlite")).unwrap();
    std::fs::copy(site.folder().join("keyring"), folder.join("keyring")).unwrap();

    let restored = TestApp::from_snapshot(&folder, "2026-06-01T00:00:00Z");
    restored.person("late-comer");

    let report = restored.publish().report;
    assert_eq!(report.stamp.made_at, restored.app.now());
    assert_eq!(restored.verify(&restored.published()).unwrap().stamp, report.stamp);

    // It tells that it was a snapshot until a restore takes that away.
    let stamp = || restored.read(|view| snapshots::find_stamp(view).unwrap());
    assert_eq!(stamp().map(|stamp| stamp.made_at), Some(site.app.now()));
    restored.write(snapshots::delete_stamp).unwrap();
    assert_eq!(stamp(), None);
}

#[test]
fn a_copy_with_a_stamp_is_a_snapshot() {
    let site = populated_site();
    let copy = site.folder().join("trial.sqlite");
    db::copy_unopened(&site.layout().live(), &site.app.keyring().database_key_pragma(), &copy).unwrap();
    assert!(matches!(site.verify(&copy), Err(Damage::NotASnapshot)));

    snapshots::stamp_copy(&copy, site.app.store().site(), &site.clock, &mut Rng::seeded(1)).unwrap();

    let stamp = site.verify(&copy).unwrap().stamp;
    assert_eq!((stamp.made_at, stamp.ledger_seq, stamp.codes_digest), (site.app.now(), 0, None));
}

#[test]
fn a_copy_waits_for_a_read_that_needs_old_pages_and_writes_go_on() {
    let site = populated_site();
    let (is_reading, may_end) = (AtomicBool::new(false), AtomicBool::new(false));

    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            site.read(|view| {
                view.one("select count(*) from account", [], |row| row.get::<_, i64>(0)).unwrap();
                is_reading.store(true, Ordering::SeqCst);
                wait_for("the end of the read", || may_end.load(Ordering::SeqCst).then_some(()));
                view.one("select count(*) from account", [], |row| row.get::<_, i64>(0)).unwrap()
            })
        });
        wait_for("the read", || is_reading.load(Ordering::SeqCst).then_some(()));
        site.person("late-comer");
        let publishing = scope.spawn(|| site.publish());
        // It cannot end before the read does, however long one waits.
        for _ in 0..20 {
            site.write(|tx| audit::record(tx, &Actor::System, audit::Event::new(SiteEvent::KeyringRotated))).unwrap();
        }
        assert!(!publishing.is_finished());
        may_end.store(true, Ordering::SeqCst);

        assert_eq!(reading.join().unwrap(), 1, "the read saw one state");
        let report = publishing.join().unwrap().report;
        assert_eq!(report.rows.iter().find(|(table, _)| table == "account").unwrap().1, 2);
    });
}

#[test]
fn a_copy_of_a_file_that_nothing_has_opened_is_complete() {
    let site = populated_site();
    let expected = site.footprint();
    let (live, copy) = (site.layout().live(), site.folder().join("before.sqlite"));
    let key = site.app.keyring().database_key_pragma();

    db::copy_unopened(&live, &key, &copy).unwrap();

    let opened = site.opened(&copy);
    let accounts: i64 = opened.query_row("select count(*) from account", [], |row| row.get(0)).unwrap();
    assert_eq!(accounts, 1);
    let found = opened.query_row("pragma integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(found, "ok");
    drop(opened);
    assert_eq!(site.footprint(), expected);
    assert!(db::copy_unopened(&live, &key, &copy).is_err(), "an existing file is not replaced");
    assert!(copy.exists());
    let names: Vec<_> =
        TestApp::files_in(site.folder()).into_iter().filter(|name| name.starts_with("before")).collect();
    assert_eq!(names, ["before.sqlite"]);
}

#[test]
fn a_database_continues_a_snapshot_that_ends_with_its_event_and_its_transaction() {
    let site = populated_site();
    site.publish();
    let read = |path: &Path| snapshots::read_published(path, site.app.store().site(), site.app.now());
    let published = read(&site.published()).unwrap().head;
    assert_eq!((published.epoch, published.ledger.as_ref().map(|(seq, _)| *seq)), (1, Some(3)));
    site.person("late-comer");
    let continues = |change: &dyn Fn(&mut Head)| {
        let mut published = published.clone();
        change(&mut published);
        site.read(|view| snapshots::continues(view, &published).unwrap())
    };
    let other_event = |published: &mut Head| published.audit.1 = [7; 32];
    let other_transaction = |published: &mut Head| published.ledger = Some((3, "ltx_other".into()));

    assert!(continues(&|_| ()));
    assert!(continues(&|published| published.ledger = None), "it had no transaction");
    assert!(!continues(&other_event) && !continues(&other_transaction));
    assert!(!continues(&|published| published.audit.0 += 1_000));
    assert!(!continues(&|published| published.ledger = published.ledger.take().map(|(_, id)| (9, id))));
    // After a restore, the epoch of the database is a later one.
    for (epoch, is_later) in [(0, true), (1, false), (2, false)] {
        let of_another_history = |published: &mut Head| {
            other_event(published);
            other_transaction(published);
            published.epoch = epoch;
        };
        assert_eq!(continues(&of_another_history), is_later, "{epoch}");
    }

    std::fs::write(site.folder().join("text"), "Dear Sir or Madam").unwrap();
    assert_eq!(["text", "nothing"].map(|name| read(&site.folder().join(name))), [None, None]);
}

#[test]
fn an_older_database_does_not_replace_a_newer_snapshot() {
    let site = populated_site();
    site.publish();
    let folder = site.folder().join("older");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(site.published(), folder.join("domicile.sqlite")).unwrap();
    std::fs::copy(site.folder().join("keyring"), folder.join("keyring")).unwrap();
    site.person("late-comer");
    site.publish();
    let newer = std::fs::read(site.published()).unwrap();

    let older = TestApp::from_snapshot(&folder, "2026-06-01T00:00:00Z");
    std::fs::write(older.published(), &newer).unwrap();

    assert!(matches!(snapshots::publish(&older.app), Err(SnapshotError::NoContinuation)));
    assert!(std::fs::read(older.published()).unwrap() == newer);
}
