//! Checkpoints of the audit: what other implementations say of them, and what they find that the chain alone cannot.

use domicile::audit::{self, AuditError, Checkpoint, Digest, Event, SiteEvent};
use domicile::base::{Actor, hours};
use domicile::crypto::Keyring;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, check_tree, prove_tree, stored_hashes_for_record_hash, tree_hash};

use crate::support::{TestApp, TestSite};

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
        let checkpoints: Vec<_> = notes.iter().flat_map(|note| self.opened(note)).collect();
        self.read(|tx| audit::verify_against(tx, &checkpoints))
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
    let (app, _) = app.restore(&snapshot, &journal, domicile::base::Rng::seeded(5));
    let next = audit::make_checkpoint(&app.app).unwrap().unwrap();
    assert!(next.starts_with("localhost:8600/audit/2\n"), "{next}");
    let verified = app.read(|view| {
        let given = audit::open_checkpoints(view, &[early.as_str(), &late, &next].concat()).unwrap();
        audit::verify_against(view, &given).unwrap()
    });
    let (checkpoint, restore) = verified.lost.unwrap();
    assert_eq!((restore.number, restore.audit_seq), (2, kept));
    assert!(late.contains(&format!("\n{}\n", checkpoint.size)));
    assert_eq!(verified.confirmed, if early.contains(&format!("\n{kept}\n")) { 2 } else { 1 });
}
