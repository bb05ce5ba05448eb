//! The checkpoints of the audit, over a backup and a restore on another machine.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::restored;
use crate::support::{Appliance, CommandOutput};

/// A running appliance with a folder of `domicile backup`, and a checkpoint of a later moment that somebody else kept.
struct Lost {
    site: Appliance,
    copies: tempfile::TempDir,
    /// Events in the backup.
    kept: i64,
    /// The checkpoint.
    note: PathBuf,
}

impl Lost {
    fn new() -> Self {
        let mut site = Appliance::running();
        site.account("ada-l");
        site.run(&["audit", "head"]).ok();
        let copies = tempfile::tempdir().unwrap();
        let made: Value =
            serde_json::from_str(&site.run(&["backup", copies.path().to_str().unwrap(), "--json"]).ok()).unwrap();
        assert_eq!(made["checkpoints"], copies.path().join("audit/checkpoints").to_str().unwrap());
        site.account("bob-b");
        let note = site.folder().join("note");
        std::fs::write(&note, site.run(&["audit", "head"]).ok()).unwrap();
        site.stop();
        Self { kept: made["audit_seq"].as_i64().unwrap(), site, copies, note }
    }

    fn backup(&self) -> PathBuf {
        self.copies.path().join("domicile.sqlite")
    }

    fn bare_machine(&self) -> Appliance {
        let machine = Appliance::configured("");
        std::fs::copy(self.site.keyring(), machine.keyring()).unwrap();
        machine
    }

    /// Events in the checkpoint.
    fn proven(&self) -> i64 {
        std::fs::read_to_string(&self.note).unwrap().lines().nth(1).unwrap().parse().unwrap()
    }
}

fn checkpoints(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("audit/checkpoints")).unwrap()
}

fn verify(site: &Appliance, file: &Path, options: &[&str]) -> CommandOutput {
    let mut arguments = vec!["audit", "verify", "--checkpoint", file.to_str().unwrap()];
    arguments.extend(options);
    site.run(&arguments)
}

#[test]
fn a_checkpoint_from_before_names_what_a_restore_on_another_machine_lost() {
    let lost = Lost::new();
    let machine = lost.bare_machine();
    restored(&machine, &lost.backup(), &[]);
    assert_eq!(checkpoints(&machine.data()), checkpoints(lost.copies.path()), "they are back");

    let (first, last) = (lost.kept + 1, lost.proven());
    let told = verify(&machine, &lost.note, &[]);
    assert_eq!(told.status, 1, "{told:?}");
    for words in ["restored at", &format!("the events {first} to {last}"), "line 1 of the journal", "--known-restore 2"]
    {
        assert!(told.stderr.contains(words), "{words}: {told:?}");
    }
    let failed: Value = serde_json::from_str(&verify(&machine, &lost.note, &["--json"]).stdout).unwrap();
    assert_eq!(failed["code"], "lost_by_restore", "{failed}");
    let known: Value =
        serde_json::from_str(&verify(&machine, &lost.note, &["--json", "--known-restore", "2"]).ok()).unwrap();
    for said in [&failed["lost_by_restore"], &known["checkpoints"]["lost_by_restore"]] {
        let numbers = ["first", "last", "restore", "journal_line"].map(|member| said[member].as_i64());
        assert_eq!(numbers, [Some(first), Some(last), Some(2), Some(1)], "{said}");
    }
    let known = verify(&machine, &lost.note, &["--known-restore", "2"]).ok();
    assert!(known.contains(&format!("the events {first} to {last} are lost")), "{known}");

    // The audit goes on under another origin, in the same file.
    let next = machine.run(&["audit", "head"]).ok();
    let own = checkpoints(&machine.data());
    assert!(own.starts_with(&checkpoints(lost.copies.path())) && own.trim_end().ends_with(next.trim_end()), "{own}");
    verify(&machine, &machine.data().join("audit/checkpoints"), &[]).ok();

    // Somebody takes the line of the restore away.
    machine
        .database()
        .execute_batch("drop trigger journal_is_never_deleted; delete from journal; delete from journal_check;")
        .unwrap();
    std::fs::remove_file(machine.data().join("tombstones.jsonl")).unwrap();
    let told: Value = serde_json::from_str(&verify(&machine, &lost.note, &["--json"]).stdout).unwrap();
    assert_eq!(told["code"], "restore_not_confirmed", "{told}");
    let told = verify(&machine, &lost.note, &[]);
    assert_eq!(told.status, 3, "{told:?}");
    assert!(told.stderr.contains("the journal does not confirm it"), "{told:?}");
}

#[test]
fn newer_checkpoints_beside_a_backup_tell_at_the_restore_what_is_lost_and_a_torn_or_foreign_file_stops_nothing() {
    let lost = Lost::new();
    let copied = lost.copies.path().join("audit/checkpoints");
    let all = checkpoints(&lost.site.data());
    let told = |machine: &Appliance, options: &[&str]| super::restore(machine, &lost.backup(), options).ok();

    // A job copied them later than the snapshot, in the moment in which a further one was written.
    std::fs::write(&copied, format!("{all}{}", &all[..50])).unwrap();
    let machine = lost.bare_machine();
    let said = told(&machine, &[]);
    let (first, last) = (lost.kept + 1, lost.proven());
    assert!(said.contains(&format!("the events {first} to {last} are lost")), "{said}");
    assert_eq!(checkpoints(&machine.data()), all);
    verify(&machine, &copied, &["--known-restore", "2"]).ok();

    // Over this data, from a backup without the file: what the data folder has stays.
    std::fs::remove_file(&copied).unwrap();
    machine.run(&["audit", "head"]).ok();
    let own = checkpoints(&machine.data());
    let said = told(&machine, &["--replace"]);
    assert!(said.contains("A checkpoint proves"), "{said}");
    assert_eq!(checkpoints(&machine.data()), own);

    // Over another appliance: its checkpoints are not ours.
    let other = Appliance::initialized();
    other.account("zoe-z");
    other.run(&["audit", "head"]).ok();
    std::fs::copy(lost.site.keyring(), other.keyring()).unwrap();
    let theirs = checkpoints(&other.data());
    std::fs::write(&copied, &all).unwrap();
    let said = told(&other, &["--replace"]);
    assert!(said.contains("were not used: it is not signed by this appliance"), "{said}");
    assert_eq!(checkpoints(&other.data()), all);
    let kept = std::fs::read_dir(other.data()).unwrap().flatten();
    let kept = kept.map(|entry| entry.path()).find(|path| path.join("checkpoints").exists()).unwrap();
    assert_eq!(std::fs::read_to_string(kept.join("checkpoints")).unwrap(), theirs);
}

/// A snapshot may be older than the journal and the checkpoints beside it, which know of a later restore.
#[test]
fn two_restores_on_bare_machines_never_have_the_same_number() {
    let lost = Lost::new();
    let first = lost.bare_machine();
    assert_eq!(restored(&first, &lost.backup(), &[])["epoch"], 2);
    first.run(&["audit", "head"]).ok();

    let journal = lost.copies.path().join("tombstones.jsonl");
    let (before, after) =
        (std::fs::read(&journal).unwrap(), std::fs::read(first.data().join("tombstones.jsonl")).unwrap());
    let copied = lost.copies.path().join("audit/checkpoints");
    let (old, new) = (std::fs::read_to_string(&copied).unwrap(), checkpoints(&first.data()));
    assert!(before != after && old != new);
    for (journal_text, note, expected) in [(&after, &old, 3), (&before, &new, 3), (&after, &new, 3), (&before, &old, 2)]
    {
        std::fs::write(&journal, journal_text).unwrap();
        std::fs::write(&copied, note).unwrap();
        let machine = lost.bare_machine();
        assert_eq!(restored(&machine, &lost.backup(), &[])["epoch"], expected);
        machine.run(&["audit", "verify"]).ok();
    }
}
