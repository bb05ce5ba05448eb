//! When lines are written, by whom, and up to which one the file was verified.

use std::sync::Arc;

use domicile::api_keys::{self, CreatedApiKey};
use domicile::app::App;
use domicile::base::{Actor, ApiKeyId, CredentialAdmin, Stopwatch, hours};
use domicile::db::Error;
use domicile::journal::{self, Extent, JournalError, TableState};
use domicile::schedule::JOB_HANDLERS;
use domicile::signin;
use rusqlite::named_params;

use crate::support::{Person, TestApp};

impl TestApp {
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.layout().tombstones()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn disabled_and_enabled(&self, owner: &Person, times: usize) {
        let CreatedApiKey { key, .. } = self.api_key(owner, "ci");
        for _ in 0..times {
            switch(&self.app, owner.credential_admin(), key.id);
        }
    }

    /// Changes the file without the appliance.
    fn edit(&self, change: impl FnOnce(Vec<String>) -> Vec<String>) {
        let text = std::fs::read_to_string(self.layout().tombstones()).unwrap();
        let lines = change(text.lines().map(str::to_owned).collect());
        std::fs::write(self.layout().tombstones(), lines.into_iter().map(|line| line + "\n").collect::<String>())
            .unwrap();
    }

    /// The first damaged line that the verification finds.
    fn damaged_line(&self, extent: Extent) -> Option<i64> {
        match self.app.verify_journal(extent) {
            Ok(_) => None,
            Err(JournalError::Damaged { line, .. }) => Some(line),
            Err(other) => panic!("{other}"),
        }
    }

    fn work(&self, name: &str) {
        let handler = JOB_HANDLERS.iter().find(|handler| handler.name == name).unwrap();
        self.block_on((handler.run)(self.app.clone(), serde_json::Value::Null));
    }
}

fn switch(app: &App, admin: CredentialAdmin, key: ApiKeyId) {
    app.store()
        .write_blocking(move |tx| {
            api_keys::disable(tx, &admin, key)?;
            api_keys::enable(tx, &admin, key)
        })
        .unwrap();
}

#[test]
fn the_line_is_in_the_file_when_the_caller_is_answered() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let CreatedApiKey { key, .. } = site.api_key(&ada, "ci");
    assert!(site.lines().is_empty(), "what gives access has no line: {:?}", site.lines());

    let (admin, id) = (ada.credential_admin(), key.id);
    site.write(move |tx| api_keys::revoke(tx, &admin, id)).unwrap();
    let line = &site.lines()[0];
    assert_eq!(
        [&line["kind"], &line["event"], &line["id"], &line["account"], &line["detail"]],
        ["revocation", "api_key.revoked", &key.id.to_string(), &ada.account.id.to_string(), "asked"]
    );
    site.suspend(&ada);
    let account = ada.account.id;
    site.write(move |tx| signin::reactivate(tx, &Actor::Operator, account)).unwrap();
    let kinds: Vec<_> = site.lines().iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["revocation", "revocation", "reactivation"]);
    assert_eq!(journal::verify(&site.layout().tombstones(), site.app.keyring()).unwrap().head.seq, 3);
}

#[test]
fn a_refused_operation_and_a_rolled_back_one_leave_no_line() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let account = ada.account.id;
    let refused = site.write(move |tx| {
        signin::suspend(tx, &Actor::Operator, account, "").unwrap();
        Err::<(), _>(Error::Busy)
    });

    assert!(refused.is_err());
    site.suspend(&ada);
    assert_eq!(site.lines().len(), 1);
}

#[test]
fn two_processes_write_each_line_once_and_in_order() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let keys: Vec<_> = (0..4).map(|number| site.api_key(&ada, &format!("ci-{number}")).key.id).collect();
    let other = site.another();

    std::thread::scope(|scope| {
        for (number, key) in keys.iter().enumerate() {
            let app = if number % 2 == 0 { &site.app } else { &other };
            let ada = &ada;
            scope.spawn(move || (0..10).for_each(|_| switch(app, ada.credential_admin(), *key)));
        }
    });

    assert_eq!(site.lines().len(), 80);
    let verified = site.app.verify_journal(Extent::Whole).unwrap();
    assert_eq!(site.read(|view| journal::check_table(view).unwrap()), TableState::Intact(verified.head));
    assert_eq!(site.app.write_journal().unwrap(), 0);
}

#[test]
fn a_file_that_another_program_removed_or_replaced_is_noticed_at_the_next_line() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.disabled_and_enabled(&ada, 2);

    std::fs::remove_file(site.layout().tombstones()).unwrap();
    site.disabled_and_enabled(&ada, 1);
    assert_eq!(site.lines().len(), 6);

    // A backup that was put back, as another file.
    let text = std::fs::read_to_string(site.layout().tombstones()).unwrap();
    let older = site.folder().join("older");
    std::fs::write(&older, text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    std::fs::rename(&older, site.layout().tombstones()).unwrap();
    site.disabled_and_enabled(&ada, 1);
    assert_eq!(site.lines().len(), 8);

    // A copy has the same length.
    std::fs::copy(site.layout().tombstones(), &older).unwrap();
    std::fs::rename(&older, site.layout().tombstones()).unwrap();
    site.disabled_and_enabled(&ada, 1);
    assert_eq!(site.lines().len(), 10);
    assert_eq!(site.app.verify_journal(Extent::Whole).unwrap().head.seq, 10);
}

#[test]
fn a_start_verifies_the_lines_after_the_last_verified_one() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.disabled_and_enabled(&ada, 2);
    assert_eq!(site.app.verify_journal(Extent::New).unwrap().head.seq, 4);
    site.disabled_and_enabled(&ada, 1);

    let spoil = |line: usize| {
        move |mut lines: Vec<String>| {
            lines[line - 1] = lines[line - 1].replace("api_key.", "api_kez.");
            lines
        }
    };
    site.edit(spoil(2));
    assert_eq!(site.damaged_line(Extent::New), None, "the lines before were verified already");
    assert_eq!(site.damaged_line(Extent::Whole), Some(2));
    assert!(site.app.readiness().faults()[0].1.contains("line 2 of the journal"));
    site.disabled_and_enabled(&ada, 1);
    site.edit(spoil(7));
    assert_eq!(site.damaged_line(Extent::New), Some(7));

    // The verified line is not where it was.
    site.edit(|lines| lines[2..].to_vec());
    assert_eq!(site.damaged_line(Extent::New), Some(1));

    std::fs::remove_file(site.layout().tombstones()).unwrap();
    assert_eq!(site.app.write_journal().unwrap(), 8);
    assert_eq!(site.damaged_line(Extent::New), None);
    assert!(site.app.readiness().faults().is_empty());
}

/// Lines of a long journal, in a quick and in a deep run.
const LONG: (usize, usize) = (20_000, 1_000_000);

#[test]
fn a_start_does_not_read_a_long_journal_again() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let lines = crate::support::rounds(LONG.0, LONG.1);
    // Who reads these lines finds that they are not signed. Only the last one looks like a line of the table.
    let rows = "
        with recursive n (seq) as (select 1 union all select seq + 1 from n where seq < :lines)
        insert into journal (seq, kind, event, target_id, at, prev_hash, hash)
        select seq, 'revocation', 'api_key.disabled', 'key_' || seq, 0, zeroblob(32), zeroblob(32) from n";
    let (zeros, signature) = ("00".repeat(32), "00".repeat(64));
    let line = |seq: usize| {
        format!(
            "{{\"seq\":{seq},\"id\":\"key_{seq}\",\"kind\":\"revocation\",\"event\":\"api_key.disabled\",\"at\":\"1970-01-01T00:00:00Z\",\
             \"prev_hash\":\"{zeros}\",\"hash\":\"{zeros}\",\"signature\":\"{signature}\"}}\n"
        )
    };
    let text: String = (1..=lines).map(line).collect();
    std::fs::write(site.layout().tombstones(), text).unwrap();
    let count = i64::try_from(lines).unwrap();
    site.write(move |tx| tx.execute(rows, named_params! {":lines": count}).map(drop)).unwrap();
    // Two real lines, the last of which was verified, as the server does all the time.
    site.disabled_and_enabled(&ada, 1);
    let verified = "
        insert or replace into journal_check (id, seq, hash, end_offset, whole_at)
        select 1, seq, hash, :bytes, :now from journal order by seq desc limit 1";
    let bytes = i64::try_from(std::fs::metadata(site.layout().tombstones()).unwrap().len()).unwrap();
    let now = site.app.now();
    site.write(move |tx| tx.execute(verified, named_params! {":bytes": bytes, ":now": now}).map(drop)).unwrap();

    let site = site.reopen();
    let watch = Stopwatch::start();
    let journal = site.app.verify_journal(Extent::New).unwrap();
    site.app.write_journal().unwrap();

    eprintln!("the start with {} lines took {:?} for the journal", journal.head.seq, watch.elapsed());
    assert_eq!(journal.head.seq, count + 2);
    assert_eq!(site.damaged_line(Extent::Whole), Some(1), "all lines are read when all are verified");
}

#[test]
fn the_last_verified_line_is_found_again_in_a_long_journal() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.disabled_and_enabled(&ada, 40);
    let bytes = std::fs::metadata(site.layout().tombstones()).unwrap().len();
    assert!(bytes > 20_000, "longer than what is read at once: {bytes}");
    assert_eq!(site.app.verify_journal(Extent::New).unwrap().head.seq, 80);
    site.disabled_and_enabled(&ada, 1);

    site.edit(|mut lines| {
        lines[1] = lines[1].replace("api_key.", "api_kez.");
        lines
    });

    assert_eq!(site.damaged_line(Extent::New), None);
    assert_eq!(site.damaged_line(Extent::Whole), Some(2));
}

#[test]
fn a_lost_journal_is_written_again_however_long_it_was() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let (admin, key) = (ada.credential_admin(), site.api_key(&ada, "ci").key.id);
    site.write(move |tx| {
        (0..505).try_for_each(|_| {
            api_keys::disable(tx, &admin, key)?;
            api_keys::enable(tx, &admin, key).map(drop)
        })
    })
    .unwrap();
    let text = std::fs::read_to_string(site.layout().tombstones()).unwrap();

    std::fs::remove_file(site.layout().tombstones()).unwrap();

    assert_eq!(site.app.write_journal().unwrap(), 1010);
    assert!(std::fs::read_to_string(site.layout().tombstones()).unwrap() == text);
}

#[test]
fn a_table_that_was_edited_is_broken_at_the_edited_entry() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.disabled_and_enabled(&ada, 2);
    let table = || site.read(|view| journal::check_table(view).unwrap());
    assert!(matches!(table(), TableState::Intact(head) if head.seq == 4));

    site.write(|tx| {
        let triggers = "select name from sqlite_schema where type = 'trigger' and tbl_name = 'journal'";
        for trigger in tx.list(triggers, [], |row| row.get::<_, String>(0))? {
            tx.execute(&format!("drop trigger {trigger}"), [])?;
        }
        tx.execute("update journal set target_id = 'key_x' where seq = 3", [])
    })
    .unwrap();

    assert_eq!(table(), TableState::BrokenAt(3));
}

#[test]
fn a_verification_has_news_only_after_new_lines() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.disabled_and_enabled(&ada, 1);
    let verify = || site.read(|view| site.app.journal().verify(view, Extent::New)).unwrap();
    assert!(verify().is_news());
    site.app.verify_journal(Extent::New).unwrap();
    assert!(!verify().is_news());
    site.disabled_and_enabled(&ada, 1);
    assert!(verify().is_news());

    // It is written again from the database.
    std::fs::remove_file(site.layout().tombstones()).unwrap();
    let path = site.layout().tombstones();
    assert!(matches!(journal::verify(&path, site.app.keyring()), Err(JournalError::Missing { .. })));
    let missing = verify();
    assert_eq!((missing.journal.head.seq, missing.is_news()), (0, false));
}

#[test]
fn all_lines_are_verified_once_a_day_and_after_the_clock_was_set_back() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    site.disabled_and_enabled(&ada, 2);
    site.work("journal.verify");
    site.edit(|mut lines| {
        lines.swap(0, 1);
        lines
    });

    site.clock.advance(hours(22));
    site.work("journal.verify");
    assert!(site.app.readiness().faults().is_empty());
    // A time in the future is of a clock that was set back.
    let move_time = |hours: i64| {
        site.write(move |tx| {
            tx.execute(&format!("update journal_check set whole_at = whole_at + {hours} * 3600000"), [])
        })
        .unwrap();
    };
    move_time(23);
    site.work("journal.verify");
    assert!(site.app.readiness().faults()[0].1.contains("line 1 of the journal"));
    move_time(-23);
    site.work("journal.verify");
    assert!(site.app.readiness().faults().is_empty());
    site.clock.advance(hours(2));
    site.work("journal.verify");
    assert!(site.app.readiness().faults()[0].1.contains("line 1 of the journal"));

    site.edit(|mut lines| {
        lines.swap(0, 1);
        lines
    });
    site.work("journal.verify");
    assert!(site.app.readiness().faults().is_empty());
}

#[test]
fn a_process_that_keeps_the_lock_delays_the_line_and_not_the_others() {
    let site = TestApp::new();
    let ada = site.person("ada-ada");
    let lock = std::fs::File::create(site.layout().tombstones_lock()).unwrap();
    lock.lock().unwrap();
    let account = ada.account.id;
    let app: Arc<App> = site.app.clone();
    let waiting = std::thread::spawn(move || {
        app.store().write_blocking(move |tx| signin::suspend(tx, &Actor::Operator, account, ""))
    });

    let refused = waiting.join().unwrap().unwrap_err();
    assert!(refused.to_string().contains("the journal could not be written"), "{refused}");
    drop(lock);
    site.work("journal.write");
    assert_eq!(site.lines().len(), 1);
    assert!(site.app.readiness().faults().is_empty());
}
