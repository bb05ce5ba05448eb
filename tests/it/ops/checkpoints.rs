//! Checkpoints of the audit: what other implementations say of them, and what they find that the chain alone cannot.

use domicile::audit::{self, AuditError, Checkpoint, Digest, Epoch, Event, SiteEvent};
use domicile::base::{Actor, hours, minutes};
use domicile::crypto::Keyring;
use serde_json::json;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, check_tree, prove_tree, stored_hashes_for_record_hash, tree_hash};

use crate::support::{CapturedLog, TestApp, TestSite};

impl TestSite {
    /// Records so many events.
    fn happen(&mut self, events: usize) {
        for _ in 0..events {
            self.write(|tx| audit::record(tx, &Actor::System, Event::new(SiteEvent::KeyringRotated))).unwrap();
        }
    }

    /// Makes the checkpoint of the last event. `None`: there is one of it.
    fn checkpoint(&mut self) -> Option<String> {
        let new = self.read(|tx| audit::next_checkpoint(tx).unwrap())?;
        self.write(|tx| audit::store_checkpoint(tx, &new)).unwrap();
        Some(new.note)
    }

    fn opened(&mut self, note: &str) -> Vec<Checkpoint> {
        self.read(|tx| audit::open_checkpoints(tx, note)).unwrap()
    }

    fn verify_against(&mut self, notes: &[&str]) -> Result<audit::Verified, AuditError> {
        self.verify_knowing(notes, &[])
    }

    /// As somebody who knows of these restores.
    fn verify_knowing(&mut self, notes: &[&str], known: &[i64]) -> Result<audit::Verified, AuditError> {
        let checkpoints: Vec<_> = notes.iter().flat_map(|note| self.opened(note)).collect();
        self.read(|tx| audit::verify_against(tx, &checkpoints, known))
    }

    /// Claims that a restore took place now, as somebody with every key can: a row, and the event if `has_event`. Answers what
    /// the row says.
    fn forge_restore(&mut self, has_event: bool) -> Epoch {
        self.write(|tx| {
            let (audit_seq, audit_head) = audit::head(tx)?;
            let epoch = Epoch {
                number: 2,
                opened_at: tx.now(),
                snapshot_made_at: tx.now(),
                audit_seq,
                audit_head,
                journal_seq: 0,
                known: None,
                has_accepted_missing_journal: false,
            };
            audit::open_epoch(tx, &epoch)?;
            let data = json!({"epoch": 2, "audit_seq": audit_seq, "snapshot_made_at": tx.now().rfc3339()});
            let kind = if has_event { SiteEvent::BackupRestored } else { SiteEvent::KeyringRotated };
            audit::record(tx, &Actor::Operator, Event::new(kind).data(data))?;
            Ok::<_, domicile::db::Error>(epoch)
        })
        .unwrap()
    }

    /// Changes rows as somebody with the database key can, who does not leave the triggers in the way.
    fn change(&self, sql: &str) {
        let triggers = "drop trigger if exists audit_event_is_never_changed; drop trigger if exists \
                        audit_event_is_never_deleted; pragma foreign_keys = off;";
        self.connection.execute_batch(&format!("{triggers} {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The tree of another implementation, over the same leaves.
struct ForeignTree(Vec<Hash>);

impl HashReader for ForeignTree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl ForeignTree {
    fn of(site: &mut TestSite) -> Self {
        let mut tree = Self(Vec::new());
        let last = site.read(|tx| audit::head(tx).unwrap()).0;
        for seq in 1..=last {
            let leaf: Digest = site.read(|tx| audit::leaf_of_event(tx, seq).unwrap()).unwrap();
            let number = u64::try_from(seq - 1).unwrap();
            let hashes = stored_hashes_for_record_hash(number, Hash(leaf), &tree).unwrap();
            tree.0.extend(hashes);
        }
        tree
    }
}

#[test]
fn other_implementations_read_a_checkpoint_and_find_the_same_root_and_growth() {
    let mut site = TestSite::new();
    assert!(site.checkpoint().is_none(), "there is no event");
    let mut earlier: Option<(u64, Hash)> = None;
    for events in [1, 2, 5, 1, 24] {
        site.happen(events);
        let note = site.checkpoint().unwrap();
        assert!(site.checkpoint().is_none(), "there is no event since");

        let key = site.read(|tx| audit::public_key(tx).unwrap());
        let verifier = StandardVerifier::new(&key).unwrap();
        let signed = Note::from_bytes(note.as_bytes()).unwrap();
        let (known, _) = signed.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
        assert_eq!(known.len(), 1);
        let read = tlog_tiles::Checkpoint::from_bytes(signed.text()).unwrap();
        let tree = ForeignTree::of(&mut site);
        assert_eq!(read.origin(), "localhost:8600/audit/1");
        assert_eq!(i64::try_from(read.size()).unwrap(), site.count("audit_event"));
        assert_eq!(*read.hash(), tree_hash(read.size(), &tree).unwrap());
        if let Some((size, root)) = earlier {
            let proof = prove_tree(read.size(), size, &tree).unwrap();
            check_tree(&proof, read.size(), *read.hash(), size, root).unwrap();
        }
        earlier = Some((read.size(), *read.hash()));
    }
}

#[test]
fn a_checkpoint_of_any_age_confirms_the_audit() {
    let mut site = TestSite::new();
    let mut notes = Vec::new();
    for events in [3, 1, 9] {
        site.happen(events);
        notes.push(site.checkpoint().unwrap());
    }
    site.happen(2);

    let verified = site.verify_against(&notes.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!((verified.confirmed, verified.lost), (3, None));
    // In any order, and several times.
    let verified = site.verify_against(&[&notes[2], &notes[0], &notes[0]]).unwrap();
    assert_eq!(verified.confirmed, 3);
}

#[test]
fn f11_a_tail_that_was_cut_is_found_with_a_checkpoint_from_outside() {
    let mut site = TestSite::new();
    site.happen(20);
    let note = site.checkpoint().unwrap();
    for last in 1..20 {
        let mut cut = site.copied();
        cut.change(&format!("delete from audit_event where seq > {last}; delete from audit_tree;"));
        cut.read(|tx| audit::verify(tx)).unwrap();

        let found = cut.verify_against(&[&note]).unwrap_err();
        assert!(matches!(found, AuditError::Cut { events, size: 20 } if events == last), "{found}");
    }
    // If the checkpoint in the database was forgotten, none from outside is needed, and no further one is signed.
    let mut cut = site.copied();
    cut.change("delete from audit_event where seq > 17;");
    assert!(matches!(cut.read(|tx| audit::verify(tx)), Err(AuditError::Cut { events: 17, size: 20 })));
    assert!(cut.read(|tx| audit::next_checkpoint(tx)).is_err());
}

#[test]
fn f11_a_chain_that_was_made_again_by_somebody_with_every_key_is_found_between_two_checkpoints() {
    for same in [4, 11] {
        let mut site = TestSite::new();
        site.happen(4);
        let first = site.checkpoint().unwrap();
        site.happen(same - 4);
        let mut forged = site.copied();
        site.happen(20 - same);
        let second = site.checkpoint().unwrap();

        // Another history from there on, with the keyring and the tables of the appliance.
        forged.clock.advance(hours(1));
        forged.happen(25);
        forged.checkpoint().unwrap();
        assert_eq!(forged.verify_against(&[&first]).unwrap().confirmed, 1);
        let found = forged.verify_against(&[&second, &first]).unwrap_err();
        assert!(matches!(found, AuditError::Rewritten { after: 4, size: 20 }), "{found}");
        assert_eq!(site.verify_against(&[&first, &second]).unwrap().confirmed, 2);
    }
}

#[test]
fn a_deleted_audit_is_found_with_a_checkpoint_from_outside() {
    let mut site = TestSite::new();
    site.happen(3);
    let note = site.checkpoint().unwrap();
    site.change("delete from audit_private; delete from audit_event; delete from audit_tree;");
    assert!(matches!(site.verify_against(&[&note]), Err(AuditError::Cut { events: 0, size: 3 })));
    site.happen(5);
    assert!(matches!(site.verify_against(&[&note]), Err(AuditError::Rewritten { after: 0, size: 3 })));
}

#[test]
fn a_changed_tree_or_checkpoint_in_the_database_is_damage() {
    let mut site = TestSite::new();
    site.happen(7);
    site.checkpoint().unwrap();
    for change in [
        "update audit_tree set note = replace(note, 'audit/1', 'audit/2')",
        "update audit_tree set roots = zeroblob(length(roots))",
    ] {
        let mut changed = site.copied();
        changed.change(change);
        assert!(matches!(changed.read(|tx| audit::verify(tx)), Err(AuditError::Damaged { seq: 7, .. })), "{change}");
    }
}

#[test]
fn a_checkpoint_of_another_appliance_is_refused() {
    let mut site = TestSite::new();
    site.happen(2);
    let note = site.checkpoint().unwrap();
    assert!(site.read(|tx| audit::open_checkpoints(tx, &note.replace("localhost", "elsewhere"))).is_err());
    assert!(site.read(|tx| audit::open_checkpoints(tx, "")).is_err());
    let other = Keyring::generate(&mut domicile::base::Rng::seeded(77), domicile::base::Timestamp::from_millis(0));
    assert_ne!(other.checkpoint_key().to_bytes(), site.read(|tx| tx.site().keyring.checkpoint_key().to_bytes()));
}

#[test]
fn the_key_of_checkpoints_is_for_them_alone_and_outlives_a_rotation_of_secrets() {
    let app = TestApp::new();
    let before = Keyring::load(&app.app.config().keyring, false).unwrap();
    let key = before.checkpoint_key();
    assert_ne!(key.verifying_key(), before.verifying_key());
    let rotated = Keyring::rotate(&app.app.config().keyring, &mut domicile::base::Rng::seeded(3)).unwrap();
    assert_eq!(rotated.checkpoint_key().to_bytes(), key.to_bytes());
}

#[test]
fn a_restore_opens_a_new_origin_and_says_which_events_it_lost() {
    let app = TestApp::new();
    let ada = app.person("ada-ada");
    // The journal has a line.
    app.suspend(&ada);
    let published = domicile::snapshots::publish(&app.app).unwrap();
    let snapshot = app.folder().join("kept.sqlite");
    std::fs::copy(app.layout().snapshot(), &snapshot).unwrap();
    let kept = published.report.audit_events;
    let early = audit::make_checkpoint(&app.app).unwrap().unwrap();
    app.person("bob-bob");
    let late = audit::make_checkpoint(&app.app).unwrap().unwrap();
    assert_eq!(
        std::fs::read_to_string(app.layout().root().join("audit/checkpoints")).unwrap(),
        format!("{early}{late}")
    );

    let journal = app.layout().tombstones();
    let (app, restored) = app.restore(&snapshot, &journal, domicile::base::Rng::seeded(5));
    assert_eq!(restored.proven_loss().unwrap().0, kept + 1, "the newest checkpoint of the replaced data has more");
    let next = audit::make_checkpoint(&app.app).unwrap().unwrap();
    assert!(next.starts_with("localhost:8600/audit/2\n"), "{next}");
    let verify = |known: &[i64]| {
        app.read(|view| {
            let given = audit::open_checkpoints(view, &[early.as_str(), &late, &next].concat()).unwrap();
            audit::verify_against(view, &given, known)
        })
    };
    // A restore is not silently fine, also a real one: the one who compares has to know of it.
    for known in [&[][..], &[1, 3]] {
        let Err(AuditError::LostByRestore(lost)) = verify(known) else { panic!("{:?}", verify(known)) };
        assert_eq!((lost.restore.number, lost.line), (2, Some(2)), "the line of the restore follows the one of Ada");
    }
    let verified = verify(&[2]).unwrap();
    assert_eq!(verified.lines, [Some(2)]);
    let lost = verified.lost.unwrap();
    assert_eq!((lost.restore.number, lost.restore.audit_seq), (2, kept));
    assert!(late.contains(&format!("\n{}\n", lost.checkpoint.size)));
    assert_eq!(verified.confirmed, if early.contains(&format!("\n{kept}\n")) { 2 } else { 1 });
}

#[test]
fn f11_a_cut_that_pretends_to_be_a_restore_is_found() {
    let mut site = TestSite::new();
    site.happen(20);
    let note = site.checkpoint().unwrap();
    let cut = |has_event: bool| {
        let mut cut = site.copied();
        cut.change("delete from audit_event where seq > 12; delete from audit_tree;");
        let epoch = cut.forge_restore(has_event);
        cut.happen(1);
        (cut, epoch)
    };

    // A row alone.
    let (mut row, _) = cut(false);
    assert!(matches!(row.read(|tx| audit::verify(tx)), Err(AuditError::Damaged { seq: 13, .. })));

    // With its event, and no line of the journal.
    let (mut event, epoch) = cut(true);
    let Err(AuditError::LostByRestore(lost)) = event.verify_against(&[&note]) else { panic!("it is silently fine") };
    assert_eq!((lost.events(), lost.line), ((13, 20), None));
    assert_eq!(event.verify_knowing(&[&note], &[2]).unwrap().lost, Some(*lost));
    // Without a checkpoint from outside, nothing contradicts it.
    assert_eq!(event.read(|tx| audit::verify(tx)).unwrap().epochs, std::slice::from_ref(&epoch));

    // With a line about another restore, also if somebody says to know of it.
    for other in [Epoch { audit_seq: 11, ..epoch.clone() }, Epoch { audit_head: [1; 32], ..epoch.clone() }] {
        let (mut line, _) = cut(true);
        line.write(|tx| audit::journal_restore(tx, &other)).unwrap();
        assert!(matches!(line.verify_knowing(&[&note], &[2]), Err(AuditError::Damaged { seq: 13, .. })));
    }
    let (mut later, _) = cut(true);
    later.clock.advance(hours(1));
    later.write(|tx| audit::journal_restore(tx, &epoch)).unwrap();
    assert!(matches!(later.verify_knowing(&[&note], &[2]), Err(AuditError::Damaged { seq: 13, .. })));

    // With the line of the same time it is what a restore leaves, and a person has to know of it all the same.
    let (mut line, epoch) = cut(true);
    line.write(|tx| audit::journal_restore(tx, &epoch)).unwrap();
    let Err(AuditError::LostByRestore(lost)) = line.verify_against(&[&note]) else { panic!("it is silently fine") };
    assert_eq!(lost.line, Some(1));
}

#[test]
fn a_checkpoint_in_the_database_that_has_more_than_a_restore_kept_is_damage() {
    let mut site = TestSite::new();
    site.happen(20);
    site.checkpoint().unwrap();
    site.change("delete from audit_event where seq > 12");
    site.forge_restore(true);
    assert!(site.verify_knowing(&[], &[2]).is_err());
}

#[test]
fn comparing_with_more_checkpoints_asks_the_database_no_more() {
    let mut site = TestSite::new();
    site.happen(3);
    let note = site.checkpoint().unwrap();
    site.forge_restore(true);
    let mut statements = |notes: &[&str]| {
        let before = domicile::db::statements_of_this_thread();
        site.verify_against(notes).unwrap();
        domicile::db::statements_of_this_thread() - before
    };
    let many = vec![note.as_str(); 50];
    assert_eq!(statements(&many), statements(&many[..1]));
}

#[test]
fn the_head_is_one_statement() {
    let mut site = TestSite::new();
    site.happen(3);
    site.checkpoint().unwrap();
    let before = domicile::db::statements_of_this_thread();
    assert!(site.read(|tx| audit::newest_checkpoint(tx).unwrap()).is_some());
    assert_eq!(domicile::db::statements_of_this_thread() - before, 1);
}

#[test]
fn a_file_of_checkpoints_that_cannot_be_written_has_its_own_cure_and_the_server_stays_ready() {
    let app = TestApp::new();
    app.person("ada-ada");
    let file = app.layout().checkpoints();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let run = || app.block_on(audit::checkpoint(app.app.clone()));
    let told = || (app.app.readiness().faults().len(), app.app.readiness().warnings());

    // A disk that is full for this file.
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    run();
    let (faults, warnings) = told();
    assert_eq!((faults, warnings.len()), (0, 1), "{:?}", app.app.readiness().faults());
    for words in [file.to_str().unwrap(), "No space left", "free some space", "tries again each minute"] {
        assert!(warnings[0].sentence.contains(words), "{words}: {warnings:?}");
    }
    assert!(!warnings[0].sentence.contains("audit verify"), "{warnings:?}");
    // The same a minute later is not another warning, and the checkpoint is in the database.
    app.clock.advance(minutes(1));
    run();
    assert_eq!(told().1, warnings);
    let newest = app.read(|view| audit::newest_checkpoint(view).unwrap()).unwrap();

    // Another cause has another cure.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    run();
    let (faults, other) = told();
    assert!(faults == 0 && other[0].sentence.contains("move away what is in the place"), "{other:?}");
    assert_ne!(other[0].id, warnings[0].id);

    std::fs::remove_dir(&file).unwrap();
    run();
    assert_eq!(told(), (0, Vec::new()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), newest);
}

#[test]
fn damage_of_the_audit_is_a_fault_that_names_the_command_that_finds_it() {
    let app = TestApp::new();
    app.person("ada-ada");
    audit::make_checkpoint(&app.app).unwrap();
    let run = || app.block_on(audit::checkpoint(app.app.clone()));
    let tree = |sql: &'static str| app.write(move |tx| tx.execute(sql, []).map(drop)).unwrap();

    tree("update audit_tree set size = size + 1000");
    run();
    let faults = app.app.readiness().faults();
    assert!(faults.len() == 1 && faults[0].1.contains("Run `domicile audit verify`"), "{faults:?}");
    assert_eq!(app.app.readiness().warnings(), []);

    tree("update audit_tree set size = size - 1000");
    run();
    assert_eq!(app.app.readiness().faults(), []);
}

#[test]
fn each_checkpoint_is_a_line_of_the_log_that_can_be_compared_later() {
    let app = TestApp::new();
    app.person("ada-ada");
    let log = CapturedLog::start();
    let note = audit::make_checkpoint(&app.app).unwrap().unwrap();
    assert_eq!(audit::make_checkpoint(&app.app).unwrap().unwrap(), note, "nothing happened");
    let lines = log.take();
    assert_eq!(lines.matches("The audit was signed.").count(), 1, "{lines}");
    assert!(lines.contains(&format!("checkpoint={note:?}")), "{lines}");
}
