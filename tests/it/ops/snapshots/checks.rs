//! What is verified before a snapshot is published, what at night, and what an operator is told.

use std::os::unix::fs::FileExt;
use std::path::Path;

use domicile::audit;
use domicile::base::{Rng, minutes};
use domicile::db::{self, Interrupt};
use domicile::snapshots::{self, Damage, SnapshotError};

use rusqlite::named_params;

use super::{PAGE, TestApp, flip, populated_site};

impl TestApp {
    fn verify_at_night(&self) {
        self.block_on(snapshots::jobs::verify_at_night(self.app.clone(), serde_json::Value::Null));
    }

    fn fault_names(&self) -> Vec<&'static str> {
        self.app.readiness().faults().into_iter().map(|(name, _)| name).collect()
    }

    /// Changes the live database as a tool with the key could.
    fn spoil(&self, trigger: &str, sql: &str) {
        let live = self.opened(&self.layout().live());
        live.execute_batch(&format!("drop trigger if exists {trigger}; {sql}")).unwrap();
    }

    /// Pages whose authentication code is wrong, as SQLCipher says and as we say.
    fn forged_pages(&self, file: &Path) -> (Vec<u64>, db::PageSummary) {
        let connection = self.opened(file);
        let mut statement = connection.prepare("pragma cipher_integrity_check").unwrap();
        let faults = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        let numbers = faults.map(|fault| fault.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        let key = self.app.keyring().database_key_hex();
        (numbers, db::read_pages(file, &key, &Interrupt::default()).unwrap())
    }
}

#[test]
fn our_check_of_pages_finds_the_pages_that_sqlcipher_finds() {
    let site = populated_site();
    site.publish();
    let pages = std::fs::metadata(site.published()).unwrap().len() / PAGE as u64;
    let (none, whole) = site.forged_pages(&site.published());
    assert_eq!((none, whole.forged, whole.first_forged, whole.pages), (vec![], 0, None, pages));

    let mut rng = Rng::seeded(5);
    for count in [1, 2, 7] {
        let copy = site.copied("forged");
        for _ in 0..count {
            flip(&copy, 16 + u64::from(rng.below(u32::try_from(pages * PAGE as u64 - 16).unwrap())));
        }
        let (theirs, ours) = site.forged_pages(&copy);
        assert_eq!((theirs.len() as u64, theirs.first().copied()), (ours.forged, ours.first_forged), "{theirs:?}");
        assert_ne!(ours.sha256, whole.sha256);
    }
}

#[test]
fn an_old_fault_is_found_at_night_and_a_new_one_before_it_is_published() {
    let site = populated_site();
    site.publish();
    site.spoil("audit_event_is_never_changed", "update audit_event set outcome = 'denied' where seq = 2");
    site.person("late-comer");
    // What was verified before is not verified again.
    site.publish();
    assert_eq!(site.fault_names(), Vec::<&str>::new());

    site.verify_at_night();
    assert_eq!(site.fault_names(), ["database", "snapshot_damage"]);
    for (_, reason) in site.app.readiness().faults() {
        assert!(reason.contains("event 2"), "{reason}");
    }

    site.spoil("audit_event_is_never_changed", "update audit_event set outcome = 'success' where seq = 2");
    site.publish();
    site.verify_at_night();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
    let last = site.read(|view| audit::head(view).unwrap()).0;
    site.person("another-one");
    let sql = format!("update audit_event set outcome = 'denied' where seq = {}", last + 1);
    site.spoil("audit_event_is_never_changed", &sql);
    assert!(matches!(snapshots::publish(&site.app), Err(SnapshotError::Damaged(Damage::Audit(_)))));
    assert_eq!(site.fault_names(), ["snapshot"]);
}

#[test]
fn each_fault_in_new_rows_of_the_ledger_is_found_before_they_are_published() {
    let last = "(select max(seq) from ledger_tx)";
    let faults = [
        format!(
            "update ledger_posting set amount_micro = amount_micro + 1 where n = 1 and tx_id = (select id from ledger_tx where seq = {last})"
        ),
        format!(
            "update ledger_balance set balance_micro = balance_micro - 1 where balance_micro < 0 and last_seq = {last}"
        ),
        format!("update statement_line set amount_micro = amount_micro + 1 where seq = {last}"),
        format!("update credit_lot set original_micro = original_micro * 2 where tx_seq = {last}"),
        format!("update credit_lot set exhausted = 1 where tx_seq = {last}"),
        format!("update ledger_tx set sealed = 0 where seq = {last}"),
    ];
    for sql in faults {
        let site = populated_site();
        site.publish();
        site.grant(3);
        let live = site.opened(&site.layout().live());
        let triggers: Vec<String> = {
            let tables = "'ledger_posting', 'ledger_balance', 'statement_line', 'credit_lot', 'ledger_tx'";
            let sql = format!("select name from sqlite_schema where type = 'trigger' and tbl_name in ({tables})");
            let mut statement = live.prepare(&sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        triggers.iter().for_each(|name| live.execute_batch(&format!("drop trigger {name}")).unwrap());
        live.execute_batch("pragma ignore_check_constraints = on; pragma foreign_keys = off").unwrap();
        live.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(live.total_changes() > 0, "{sql} changes nothing");
        drop(live);

        let refused = snapshots::publish(&site.app);
        assert!(matches!(refused, Err(SnapshotError::Damaged(Damage::Ledger(_)))), "{sql}: {refused:?}");
    }
}

#[test]
fn a_damaged_snapshot_is_reported_at_night_and_replaced_by_the_next_one() {
    let site = populated_site();
    site.publish();
    site.verify_at_night();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
    let bytes = std::fs::metadata(site.published()).unwrap().len();
    for page in 0..bytes / PAGE as u64 {
        flip(&site.published(), page * PAGE as u64 + 100);
    }

    site.verify_at_night();
    assert_eq!(site.fault_names(), ["snapshot_damage"]);
    site.person("late-comer");
    site.publish();

    site.verify(&site.published()).unwrap();
    site.verify_at_night();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
}

/// Replaces a page of the live database, as a copy that was made while it changed can. Answers what was there.
fn put_page(site: &TestApp, page: u64, bytes: &[u8]) -> Vec<u8> {
    let file = std::fs::File::options().read(true).write(true).open(site.layout().live()).unwrap();
    let mut before = vec![0; PAGE];
    file.read_exact_at(&mut before, (page - 1) * PAGE as u64).unwrap();
    file.write_all_at(bytes, (page - 1) * PAGE as u64).unwrap();
    before
}

fn page_of(site: &TestApp, name: &str) -> (u64, Vec<u8>) {
    let sql = "select rootpage from sqlite_schema where name = :name";
    let page = site.read(|view| view.one(sql, named_params! {":name": name}, |row| row.get::<_, i64>(0)).unwrap());
    let page = u64::try_from(page).unwrap();
    let bytes = std::fs::read(site.layout().live()).unwrap();
    let begin = usize::try_from(page - 1).unwrap() * PAGE;
    (page, bytes[begin..begin + PAGE].to_vec())
}

#[test]
fn f10_damage_of_the_live_database_is_found_at_night_although_nothing_changed() {
    let site = populated_site();
    site.publish();
    site.publish();
    let published = std::fs::read(site.published()).unwrap();
    let (page, good) = page_of(&site, "statement_line_of_workspace");
    let mut flipped = good.clone();
    flipped[500] ^= 1;
    put_page(&site, page, &flipped);
    assert!(snapshots::publish_when_changed(&site.app).unwrap().is_none());
    assert_eq!(site.fault_names(), Vec::<&str>::new());

    site.verify_at_night();

    assert_eq!(site.fault_names(), ["database"]);
    let reason = site.app.readiness().faults()[0].1.clone();
    let bytes = format!("1 of its pages are damaged, the first at bytes {}", (page - 1) * PAGE as u64);
    let command = format!("Stop the server, then run: domicile restore {} --replace", site.published().display());
    assert!(reason.contains(&bytes) && reason.ends_with(&command), "{reason}");
    put_page(&site, page, &good);
    site.verify_at_night();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
    assert_eq!(std::fs::read(site.published()).unwrap(), published, "nothing changed, so nothing is published");
    assert!(!TestApp::files_in(site.layout().root()).iter().any(|name| name.contains(".snapshot-")));
}

#[test]
fn f10_a_reader_that_met_damage_is_replaced_and_the_database_is_verified() {
    let site = populated_site();
    site.publish();
    site.publish();
    let (page, good) = page_of(&site, "statement_line_of_workspace");
    let mut flipped = good.clone();
    flipped[500] ^= 1;
    put_page(&site, page, &flipped);
    let damaged =
        "select seq from statement_line indexed by statement_line_of_workspace order by workspace_id, seq, at";
    let inline = |sql: &str| site.app.query_inline(|view| view.list(sql, [], |row| row.get::<_, i64>(0)));
    let pooled = |sql: &str| site.app.store().read_blocking(|view| view.list(sql, [], |row| row.get::<_, i64>(0)));

    // A new thread has a connection of its own.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for read in [&inline as &dyn Fn(&str) -> _, &pooled] {
                for _ in 0..3 {
                    assert!(read(damaged).unwrap_err().is_damage());
                    assert_eq!(read("select count(*) from account").unwrap(), [1]);
                }
            }
        });
    });

    let reason = || site.app.readiness().faults().pop().unwrap();
    assert_eq!(reason().0, "database");
    assert!(reason().1.contains("a page of it cannot be read. Stop the server, then run: domicile restore"));
    let verify = || site.block_on(snapshots::jobs::verify_suspected(site.app.clone(), serde_json::Value::Null));
    verify();
    let bytes = format!("the first at bytes {}", (page - 1) * PAGE as u64);
    assert!(reason().1.contains(&bytes), "{:?}", reason());
    put_page(&site, page, &good);
    verify();
    assert_eq!(site.fault_names(), ["database"], "nothing met it again, so the night looks");
    site.verify_at_night();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
}

#[test]
fn f10_a_mixture_of_two_moments_is_found_at_night() {
    let site = populated_site();
    site.publish();
    let (page, old) = page_of(&site, "account_email_folded");
    site.person("late-comer");
    // Moves the log into the main file.
    site.publish();
    let new = put_page(&site, page, &old);
    assert_ne!(old, new);
    site.grant(1);
    site.publish();
    assert_eq!(site.fault_names(), Vec::<&str>::new(), "each of its pages is authentic");

    site.verify_at_night();

    assert_eq!(site.fault_names(), ["database", "snapshot_damage"]);
    for (_, reason) in site.app.readiness().faults() {
        assert!(reason.contains("its pages are inconsistent"), "{reason}");
    }
}

#[test]
fn the_operator_is_told_while_no_snapshot_can_be_published() {
    let site = populated_site();
    site.publish();
    let manifest = site.layout().manifest();
    std::fs::remove_file(&manifest).unwrap();
    std::fs::create_dir(&manifest).unwrap();

    assert!(snapshots::publish(&site.app).is_err());
    let faults = site.app.readiness().faults();
    assert!(faults.len() == 1 && faults[0].1.ends_with("Run `domicile snapshot now`."), "{faults:?}");
    assert!(faults[0].1.contains("move away what is in the place of"), "{faults:?}");

    std::fs::remove_dir(&manifest).unwrap();
    site.publish();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
}

#[test]
fn the_operator_is_told_when_the_snapshot_is_older_than_three_intervals_although_there_are_changes() {
    let site = populated_site();
    // The first one makes the receipt of the erased person final, which is a change.
    site.publish();
    site.publish();
    let interval = site.app.config().snapshot.interval;
    site.clock.advance(interval * 4);
    snapshots::check_age(&site.app);
    assert_eq!(site.fault_names(), Vec::<&str>::new(), "nothing changed");

    site.person("late-comer");
    snapshots::check_age(&site.app);
    assert_eq!(site.fault_names(), ["snapshot_age"]);

    site.publish();
    assert_eq!(site.fault_names(), Vec::<&str>::new());
    site.person("another-one");
    site.clock.advance(interval * 3);
    snapshots::check_age(&site.app);
    assert_eq!(site.fault_names(), Vec::<&str>::new(), "not yet");
    site.clock.advance(minutes(1));
    snapshots::check_age(&site.app);
    assert_eq!(site.fault_names(), ["snapshot_age"]);
}

#[test]
fn an_interrupted_publication_ends_and_leaves_the_old_snapshot() {
    let site = populated_site();
    site.publish();
    let before = std::fs::read(site.published()).unwrap();
    let files = TestApp::files_in(site.layout().root());
    site.person("late-comer");

    site.app.store().interrupt().set();

    assert!(matches!(snapshots::publish(&site.app), Err(SnapshotError::Interrupted)));
    let _lock = db::lock_file(&site.layout().snapshot_lock()).unwrap();
    assert!(matches!(snapshots::publish(&site.app), Err(SnapshotError::Interrupted)));
    assert_eq!(std::fs::read(site.published()).unwrap(), before);
    assert_eq!(TestApp::files_in(site.layout().root()), files);
    assert_eq!(site.fault_names(), Vec::<&str>::new(), "a stop is no fault");
    assert!(site.app.store().has_unpublished());
}

#[test]
fn a_published_snapshot_with_wrong_rows_does_not_stop_the_next_one() {
    let site = populated_site();
    site.publish();
    let edited = site.copied("edited");
    // The balances of the accounts of the site itself, which the next grant changes too.
    let sql = "update ledger_balance set balance_micro = balance_micro + 1 where high_micro > 1000000000000000";
    let copy = site.opened(&edited);
    assert!(copy.execute(sql, []).unwrap() > 0);
    drop(copy);
    std::fs::rename(&edited, site.published()).unwrap();
    site.grant(1);

    site.publish();

    site.verify(&site.published()).unwrap();
}

#[test]
fn a_copy_that_does_not_fit_on_the_disk_is_not_begun() {
    let site = populated_site();
    site.publish();
    let live = std::fs::File::options().write(true).open(site.layout().live()).unwrap();
    let bytes = live.metadata().unwrap().len();
    // A hole needs no space.
    live.set_len(1 << 43).unwrap();

    let refused = snapshots::publish(&site.app);

    live.set_len(bytes).unwrap();
    assert!(matches!(refused, Err(SnapshotError::NoSpace { .. })), "{refused:?}");
    site.publish();
}
