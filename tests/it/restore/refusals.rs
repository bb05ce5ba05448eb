//! What cannot be restored is refused by name, with the one next command, and changes nothing.

use std::path::Path;

use super::{Backup, restore, restored};
use crate::support::{Appliance, CommandOutput, is_deep};

/// Restores on a bare machine, which must be refused and leave nothing.
#[track_caller]
fn refused(backup: &Backup, options: &[&str], status: i32, words: &[&str]) -> CommandOutput {
    let machine = backup.bare_machine();
    refused_on(&machine, &backup.file(), options, status, words)
}

#[track_caller]
fn refused_on(machine: &Appliance, file: &Path, options: &[&str], status: i32, words: &[&str]) -> CommandOutput {
    let output = restore(machine, file, options);
    assert_eq!(output.status, status, "{output:?}");
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is not in: {}", output.stderr);
    }
    let left: Vec<_> = std::fs::read_dir(machine.data()).into_iter().flatten().flatten().collect();
    assert!(machine.data().join("live").exists() || left.is_empty(), "the refusal left {left:?}");
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".restore-")), "{left:?}");
    output
}

fn backup() -> Backup {
    let mut site = Appliance::running();
    site.account("ada-l");
    site.account("grace-h");
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    let backup = Backup::of(&site);
    site.stop();
    backup
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn files_that_are_no_snapshot_are_told_apart() {
    let good = backup();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(good.folder.path()).unwrap().flatten() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let changed = Backup { folder };
        edit(&changed.file(), |bytes| change(bytes));
        changed
    };

    refused(&with(&|bytes| bytes.truncate(bytes.len() - 4096)), &[], 3, &["truncated", "domicile verify"]);
    refused(&with(&|bytes| bytes.truncate(bytes.len() - 100)), &[], 3, &["truncated"]);
    refused(&with(&|bytes| bytes[3 * 4096 + 17] ^= 1), &[], 3, &["1 of its pages are damaged", "bytes 12288 to 16383"]);
    refused(&with(&Vec::clear), &[], 3, &["it is empty"]);
    refused(&with(&|bytes| *bytes = vec![7; 8192]), &[], 2, &["another keyring, or is not a database"]);
    let plain = rusqlite::Connection::open(good.folder.path().join("plain.sqlite")).unwrap();
    plain.execute_batch("create table t (a)").unwrap();
    drop(plain);
    let plain = std::fs::read(good.folder.path().join("plain.sqlite")).unwrap();
    refused(&with(&|bytes| bytes.clone_from(&plain)), &[], 1, &["unencrypted"]);

    let other = good.bare_machine();
    std::fs::copy(Appliance::initialized().keyring(), other.keyring()).unwrap();
    refused_on(&other, &good.file(), &[], 2, &["the keyring", "Put the keyring of its appliance in place"]);
    let elsewhere = good.bare_machine();
    elsewhere.reconfigure("\"eu\"", "\"us\"");
    refused_on(&elsewhere, &good.file(), &[], 2, &["belongs to region \"eu\"", "Set region = \"eu\""]);
    let without = Appliance::configured("");
    refused_on(&without, &good.file(), &[], 2, &["there is no keyring at", "mode 0600"]);
    let unset = good.bare_machine();
    std::fs::remove_file(unset.config()).unwrap();
    refused_on(&unset, &good.file(), &[], 2, &["there are no settings at", "region and public_url"]);
    let missing = good.bare_machine();
    refused_on(&missing, Path::new("/nowhere.sqlite"), &[], 1, &["there is no file /nowhere.sqlite"]);
    restored(&good.bare_machine(), &good.file(), &[]);
}

#[test]
fn journals_that_cannot_be_applied_are_told_apart() {
    let good = backup();
    let journal = good.journal();
    let text = std::fs::read_to_string(&journal).unwrap();
    let flag = "--accept-missing-journal";

    std::fs::remove_file(&journal).unwrap();
    refused(&good, &[], 1, &["there is no journal at", "--journal FILE", flag]);
    let explicit = ["--journal", "/nowhere.jsonl"];
    refused(&good, &explicit, 1, &["there is no file /nowhere.jsonl"]);
    std::fs::write(&journal, "").unwrap();
    refused(&good, &[], 1, &["has 0 lines, but the database knows 1", flag]);
    std::fs::write(&journal, text.replace("acc_", "acd_")).unwrap();
    refused(&good, &[], 3, &["line 1 of the journal", flag]);
    let other = backup();
    std::fs::copy(other.journal(), &journal).unwrap();
    refused(&good, &[], 3, &["line 1 of the journal", "not signed by this appliance"]);

    let accepted = restored(&good.bare_machine(), &good.file(), &[flag]);
    assert_eq!(accepted["journal_missing_accepted"], true, "{accepted}");
    std::fs::write(&journal, text).unwrap();
    let complete = restored(&good.bare_machine(), &good.file(), &[flag]);
    assert_eq!(complete["journal_missing_accepted"], false, "nothing was missing: {complete}");
}

#[test]
fn a_complete_journal_that_is_found_after_a_restore_without_it_is_used() {
    let mut site = Appliance::running();
    site.account("ada-l");
    site.account("grace-h");
    let backup = Backup::of(&site);
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    site.stop();
    let complete = std::fs::read(site.data().join("tombstones.jsonl")).unwrap();
    let mut machine = backup.bare_machine();
    restored(&machine, &backup.file(), &[]);
    // The server writes the line of the restore.
    machine.start();
    machine.run(&["account", "show", "grace-h"]).ok();
    machine.stop();

    std::fs::write(backup.journal(), complete).unwrap();
    let again = restored(&machine, &backup.file(), &["--replace"]);

    assert_eq!((&again["accounts_erased_again"], &again["journal_missing_accepted"]), (&1.into(), &false.into()));
    machine.start();
    assert_eq!(machine.run(&["account", "show", "grace-h"]).status, 1);
}

#[test]
fn a_running_server_and_a_newer_journal_of_the_data_folder_are_respected() {
    let mut site = Appliance::running();
    site.account("ada-l");
    site.account("grace-h");
    let backup = Backup::of(&site);
    let output = restore(&site, &backup.file(), &["--replace"]);
    assert_eq!(output.status, 1, "{output:?}");
    assert!(output.stderr.contains("systemctl stop domicile.socket domicile"), "{output:?}");
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    site.stop();

    // The journal beside the snapshot is older than the one of the data folder, which counts.
    let result = restored(&site, &backup.file(), &["--replace"]);

    assert_eq!(result["accounts_erased_again"], 1, "{result}");
    site.start();
    assert_eq!(site.run(&["account", "show", "grace-h"]).status, 1);
}

/// Puts a file in the place of the live database, in one of the ways that people know.
type PutBack = fn(&Path, &Path);

/// The last one is tried by deep runs: it leaves the same as the one before it.
const WAYS: [(&str, PutBack); 3] = [
    ("copied over it", |file, live| assert!(std::fs::copy(file, live).unwrap() > 0)),
    ("renamed over it", |file, live| {
        let beside = live.with_extension("new");
        std::fs::copy(file, &beside).unwrap();
        std::fs::rename(beside, live).unwrap();
    }),
    ("removed and copied", |file, live| {
        std::fs::remove_file(live).unwrap();
        std::fs::copy(file, live).unwrap();
    }),
];

#[test]
fn a_snapshot_in_the_place_of_the_live_database_is_not_served() {
    let mut site = Appliance::running();
    for (number, (way, put_back)) in WAYS.into_iter().take(if is_deep() { 3 } else { 2 }).enumerate() {
        eprintln!("{way}");
        let backup = Backup::of(&site);
        let newest = format!("person-{number}");
        site.account(&newest);
        site.stop();
        put_back(&backup.file(), &site.data().join("live/live.sqlite"));
        let command = format!("domicile restore {} --replace", site.data().join("domicile.sqlite").display());

        for arguments in [&["check"][..], &["serve"], &["account", "list"]] {
            let output = crate::cli::refused(&site, arguments, 2, &["live.sqlite was copied or put there by hand"]);
            assert!(output.stderr.trim_end().ends_with(&command), "{way}: {}", output.stderr);
        }
        restored(&site, &site.data().join("domicile.sqlite"), &["--replace"]);
        site.start();
        site.run(&["account", "show", &newest]).ok();
        site.run(&["snapshot", "now"]).ok();
    }
}

#[test]
fn a_stale_log_beside_a_snapshot_that_was_put_back_is_named() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let backup = Backup::of(&site);
    site.account("grace-h");
    site.kill();
    let live = site.data().join("live/live.sqlite");
    assert!(live.with_extension("sqlite-wal").metadata().unwrap().len() > 0);
    std::fs::copy(backup.file(), &live).unwrap();

    let output = crate::cli::refused(&site, &["serve"], 2, &["put there by hand", "domicile restore"]);
    assert!(!output.stderr.contains("keyring belongs to another"), "{output:?}");

    // The log of another appliance.
    let mut other = Appliance::running();
    other.account("eve-m");
    other.kill();
    for ending in ["wal", "shm"] {
        let name = format!("sqlite-{ending}");
        let from = other.data().join("live/live.sqlite").with_extension(&name);
        std::fs::copy(from, live.with_extension(&name)).unwrap();
    }
    let output = crate::cli::refused(&site, &["serve"], 2, &["put there by hand", "domicile restore"]);
    assert!(!output.stderr.contains("keyring belongs to another"), "{output:?}");
    // Without its index, which some backup jobs leave out.
    std::fs::remove_file(live.with_extension("sqlite-shm")).unwrap();
    let output = crate::cli::refused(&site, &["serve"], 2, &["put there by hand", "domicile restore"]);
    assert!(!output.stderr.contains("keyring belongs to another"), "{output:?}");
    restored(&site, &backup.file(), &["--replace"]);
    site.start();
    site.run(&["account", "show", "ada-l"]).ok();
}

#[test]
fn a_data_folder_that_was_moved_by_copying_names_the_one_command() {
    // Stopped; killed; killed and copied without the index of the log.
    let all = [(false, true), (true, false), (true, true)];
    for (is_killed, has_index) in all.into_iter().take(if is_deep() { 3 } else { 2 }) {
        let mut site = Appliance::running();
        site.account("ada-l");
        site.run(&["snapshot", "now"]).ok();
        if is_killed {
            site.account("grace-h");
            site.kill();
        } else {
            site.stop();
        }
        let moved = site.folder().join("moved");
        let copied = std::process::Command::new("cp").arg("-a").arg(site.data()).arg(&moved).status();
        assert!(copied.unwrap().success());
        if !has_index {
            std::fs::remove_file(moved.join("live/live.sqlite-shm")).unwrap();
        }
        site.reconfigure(&format!("\"{}\"", site.data().display()), &format!("\"{}\"", moved.display()));

        let newer = "audit events that the snapshot lacks";
        for arguments in [&["check"][..], &["serve"], &["account", "list"]] {
            let output = crate::cli::refused(&site, arguments, 2, &["was copied or put there by hand"]);
            let command = format!("Run: domicile restore {} --replace", moved.join("domicile.sqlite").display());
            assert!(output.stderr.trim_end().ends_with(&command), "{}", output.stderr);
            assert_eq!(output.stderr.contains(newer), is_killed, "{}", output.stderr);
        }
        restored(&site, &moved.join("domicile.sqlite"), &["--replace"]);
        site.run(&["account", "show", "ada-l"]).ok();
    }
}

#[test]
fn a_database_older_than_the_journal_and_one_of_another_history_name_the_restore() {
    let mut site = Appliance::running();
    for person in ["ada-l", "grace-h", "alan-t"] {
        site.account(person);
    }
    site.run(&["account", "suspend", "ada-l"]).ok();
    site.stop();
    let journal = site.data().join("tombstones.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let command = format!("run: domicile restore {} --replace", site.data().join("domicile.sqlite").display());
    // The journal of a later moment, as a backup of it can be.
    let mut later = Backup::of(&site).bare_machine();
    restored(&later, &site.data().join("domicile.sqlite"), &["--journal", journal.to_str().unwrap()]);
    later.start();
    later.run(&["account", "suspend", "grace-h"]).ok();
    later.stop();
    std::fs::copy(later.data().join("tombstones.jsonl"), &journal).unwrap();

    let output = crate::cli::refused(&site, &["serve"], 2, &["the database is an older copy"]);
    assert!(output.stderr.trim_end().ends_with(&command), "{}", output.stderr);

    // And one that went another way.
    std::fs::write(&journal, text).unwrap();
    for person in ["alan-t", "grace-h"] {
        site.run(&["account", "suspend", person]).ok();
    }
    std::fs::copy(later.data().join("tombstones.jsonl"), &journal).unwrap();
    let output = crate::cli::refused(&site, &["serve"], 2, &["they belong to different histories"]);
    assert!(output.stderr.trim_end().ends_with(&command), "{}", output.stderr);
}

/// The last changes are in no snapshot and end no access, so only the note beside the database knows them.
#[test]
fn an_older_copy_is_not_served_although_nothing_newer_was_published() {
    let mut site = Appliance::running();
    site.account("ada-l");
    site.stop();
    // Commands on a stopped appliance publish nothing.
    site.account("grace-h");
    let older = std::fs::read(site.live()).unwrap();
    site.account("alan-t");
    std::fs::write(site.live(), older).unwrap();

    for arguments in [&["check"][..], &["serve"], &["account", "list"]] {
        let output = crate::cli::refused(&site, arguments, 2, &["or lacks its latest changes"]);
        let command = format!("Run: domicile restore {} --replace", site.data().join("domicile.sqlite").display());
        assert!(output.stderr.trim_end().ends_with(&command), "{}", output.stderr);
    }
    restored(&site, &site.data().join("domicile.sqlite"), &["--replace"]);
    site.start();
    site.run(&["account", "show", "ada-l"]).ok();
    site.run(&["snapshot", "now"]).ok();
}

#[test]
fn a_database_whose_log_was_removed_after_a_kill_is_not_served() {
    let mut site = Appliance::running();
    site.account("ada-l");
    site.run(&["snapshot", "now"]).ok();
    site.account("grace-h");
    site.kill();
    for ending in ["wal", "shm"] {
        std::fs::remove_file(site.live().with_extension(format!("sqlite-{ending}"))).unwrap();
    }

    crate::cli::refused(&site, &["serve"], 2, &["or lacks its latest changes", "domicile restore"]);
}
