//! Where a snapshot is restored: on a bare machine, over a stopped appliance, and from the data folder itself.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::{Backup, accepts, replaced, restore, restored};
use crate::support::{Appliance, PASSWORD, rounds};

#[test]
fn a_bare_machine_serves_after_a_restore_and_the_erased_stay_erased() {
    let mut site = Appliance::running();
    for person in ["ada-l", "grace-h"] {
        site.account(person);
    }
    let (ada, grace) = (site.api_key("ada-l", &["models:read"]), site.api_key("grace-h", &["models:read"]));
    let mut browser = site.browser();
    browser.sign_in("ada-l");
    let backup = Backup::of(&site);
    // Grace is erased after the snapshot, and the journal is newer than it.
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    std::fs::copy(site.data().join("tombstones.jsonl"), backup.journal()).unwrap();
    site.stop();
    let mut machine = backup.bare_machine();

    let result = restored(&machine, &backup.file(), &[]);

    assert_eq!(result["journal_lines_applied"], 1, "{result}");
    assert_eq!(result["accounts_erased_again"], 1, "{result}");
    assert_eq!(result["sessions_ended"], 1, "{result}");
    assert_eq!(result["epoch"], 2, "{result}");
    assert_eq!((&result["replaced"], &result["lost_events"]), (&json!(null), &json!(null)), "{result}");
    machine.start();
    assert!(!accepts(&machine, &grace), "an erased person's key works again");
    assert!(accepts(&machine, &ada));
    assert_ne!(machine.call("GET", "/settings").header("cookie", &browser.cookie_header()).send().status, 200);
    assert_eq!(machine.browser().sign_in("ada-l").status, 303);
    machine.run(&["ledger", "check"]).ok();
    machine.run(&["audit", "verify"]).ok();
    machine.run(&["snapshot", "now"]).ok();
    machine.run(&["verify", machine.data().join("domicile.sqlite").to_str().unwrap()]).ok();
    let journal = std::fs::read_to_string(machine.data().join("tombstones.jsonl")).unwrap();
    assert!(journal.starts_with(&std::fs::read_to_string(backup.journal()).unwrap()), "{journal}");
    assert!(journal.lines().count() == 2 && journal.contains("site.backup_restored"), "{journal}");
    // The chain of the journal goes on.
    machine.run(&["account", "delete", "ada-l", "--yes"]).ok();
    let journal = std::fs::read_to_string(machine.data().join("tombstones.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 3);
    assert!(replaced(&machine).is_empty());
}

#[test]
fn a_restore_over_a_stopped_appliance_keeps_what_it_replaces() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let backup = Backup::of(&site);
    site.account("grace-h");
    site.stop();
    let refused = restore(&site, &backup.file(), &[]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stderr.contains("--replace"), "{refused:?}");

    let result = restored(&site, &backup.file(), &["--replace"]);

    let lost = &result["lost_events"];
    assert!(lost["last"].as_i64() > lost["first"].as_i64(), "{result}");
    let kept = replaced(&site);
    assert_eq!(kept.len(), 1);
    assert_eq!(result["replaced"]["path"], kept[0].to_str().unwrap());
    for name in ["domicile.sqlite", "domicile.sqlite.json", "tombstones.jsonl", "live/live.sqlite"] {
        assert!(kept[0].join(name).exists(), "{name} was not kept");
    }
    site.start();
    let verified = site.run(&["audit", "verify"]).ok();
    let range = format!("The audit events {} to {} are lost", lost["first"], lost["last"]);
    assert!(verified.contains(&range), "{verified}");
    site.run(&["account", "show", "ada-l"]).ok();
    assert_eq!(site.run(&["account", "show", "grace-h"]).status, 1);
    // The first snapshot of the epoch replaces the published one, although it does not continue it.
    site.run(&["snapshot", "now"]).ok();
    // And the other way: the replaced data can be restored too.
    site.stop();
    let again = restored(&site, &kept[0].join("domicile.sqlite"), &["--replace"]);
    assert_eq!(again["epoch"], 3, "the epoch of the replaced data has the number 2: {again}");
    site.start();
    site.run(&["account", "show", "grace-h"]).ok();
    site.run(&["snapshot", "now"]).ok();
}

#[test]
fn files_put_back_without_a_live_database_name_the_one_command() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let backup = Backup::of(&site);
    site.stop();
    let mut machine = backup.bare_machine();
    std::fs::create_dir(machine.data()).unwrap();
    for name in ["domicile.sqlite", "tombstones.jsonl"] {
        std::fs::copy(backup.folder.path().join(name), machine.data().join(name)).unwrap();
    }
    let file = machine.data().join("domicile.sqlite");
    let command = format!("domicile restore {}", file.display());

    for (arguments, status) in [(&["serve"][..], 2), (&["check"], 2), (&["init"], 2), (&["account", "list"], 2)] {
        let output = crate::cli::refused(&machine, arguments, status, &[]);
        assert!(output.stderr.trim_end().ends_with(&command), "{arguments:?}: {}", output.stderr);
    }
    restored(&machine, &file, &[]);
    machine.start();
    assert_eq!(machine.browser().sign_in("ada-l").status, 303);
    machine.run(&["snapshot", "now"]).ok();
    assert_eq!(machine.run_with_input(&["account", "show", "ada-l"], PASSWORD).status, 0);
}

#[test]
fn a_snapshot_that_a_purge_left_finds_its_journal_by_its_name() {
    let mut site = Appliance::running();
    site.account("grace-h");
    let backup = Backup::of(&site);
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    let renamed = backup.file().with_file_name("domicile-final-20260503.sqlite");
    std::fs::rename(backup.file(), &renamed).unwrap();
    let newer = renamed.with_file_name("domicile-final-20260503.tombstones.jsonl");
    std::fs::copy(site.data().join("tombstones.jsonl"), newer).unwrap();
    site.stop();

    let result = restored(&backup.bare_machine(), &renamed, &[]);

    assert_eq!(result["accounts_erased_again"], 1, "the other journal lacks the erasure: {result}");
}

#[test]
fn snapshots_of_earlier_schemas_are_restored() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    let mut entries: Vec<_> = std::fs::read_dir(fixtures).unwrap().flatten().collect();
    entries.retain(|entry| entry.path().is_dir());
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.path()));
    // The newest one always.
    for entry in entries.iter().step_by(rounds(4, 1)) {
        eprintln!("{}", entry.path().display());
        let mut machine = Appliance::configured("");
        std::fs::copy(entry.path().join("keyring"), machine.keyring()).unwrap();
        std::fs::set_permissions(machine.keyring(), std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut journal = entry.path().join("tombstones.jsonl");
        if !journal.exists() {
            journal = machine.folder().join("empty.jsonl");
            std::fs::write(&journal, "").unwrap();
        }

        let output =
            restore(&machine, &entry.path().join("domicile.sqlite"), &["--journal", journal.to_str().unwrap()]);
        assert_eq!(output.status, 0, "{output:?}");
        let name = entry.file_name().into_string().unwrap();
        let schema = name.strip_prefix("schema-").unwrap();
        let upgrading = format!("Upgrading it from schema {schema} to schema {}.", domicile::db::MIGRATIONS_COUNT);
        assert_eq!(
            output.stderr.contains(&upgrading),
            !upgrading.contains(&format!("to schema {schema}.")),
            "{output:?}"
        );

        machine.start();
        machine.run(&["account", "show", "ada-l"]).ok();
        machine.run(&["audit", "verify"]).ok();
        machine.run(&["ledger", "check"]).ok();
        machine.run(&["snapshot", "now"]).ok();
    }
}

#[test]
fn a_restore_says_on_stderr_what_it_does_and_how_much() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let backup = Backup::of(&site);
    for action in ["suspend", "reactivate"] {
        site.run(&["account", action, "ada-l"]).ok();
    }
    std::fs::copy(site.data().join("tombstones.jsonl"), backup.journal()).unwrap();
    site.stop();
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len() as f64 / f64::from(1 << 20);
    let (bytes, lines) = (size(&backup.file()), size(&backup.journal()));

    let output = restore(&backup.bare_machine(), &backup.file(), &[]);

    let expected = format!(
        "Copying the snapshot: {bytes:.1} MiB.\nVerifying pages, structure, audit and ledger of {bytes:.1} MiB.\n\
         Verifying the journal: {lines:.1} MiB.\nApplying 2 newer lines of the journal, and ending all sessions.\n\
         Putting the restored data in place.\nNext: systemctl start domicile\n"
    );
    assert_eq!((output.status, output.stderr), (0, expected));
}
