//! Copies of the keyring, restore drills, and what `status` says about them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Appliance, PermissionsExt, open_live, refused};
use crate::support::{finish, tool, wait_for};

fn status(site: &Appliance) -> Value {
    serde_json::from_str(&site.run(&["status", "--json"]).ok()).unwrap()
}

/// The events of this name in the audit, with their outcomes.
fn outcomes(site: &Appliance, event: &str) -> Vec<String> {
    let connection = site.database();
    let mut rows = connection.prepare("select outcome from audit_event where event = ?1 order by seq").unwrap();
    rows.query_map([event], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// An age key: the file with the private key, and the public key.
fn age_key(site: &Appliance) -> (PathBuf, String) {
    let path = site.folder().join("person.key");
    let made = Command::new(tool("age-keygen")).arg("-o").arg(&path).output().unwrap();
    assert!(made.status.success());
    let text = std::fs::read_to_string(&path).unwrap();
    let public = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    (path, public.to_owned())
}

/// Opens an age file with Debian's program.
fn opened(key: &PathBuf, sealed: &str) -> Vec<u8> {
    let mut age = Command::new(tool("age"));
    age.arg("-d").arg("-i").arg(key).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(&mut age, sealed).ok().into_bytes()
}

#[test]
fn a_copy_of_the_keyring_opens_with_age_and_ends_the_reminder_until_the_next_rotation() {
    let site = Appliance::initialized();
    let (key, public) = age_key(&site);
    let is_reminded = || site.run(&["check"]).stderr.contains("domicile keyring export --to");
    assert!(is_reminded() && status(&site)["keyring"]["exported_at"].is_null());

    let sealed = site.run(&["keyring", "export", "--to", &public]).ok();

    let keyring = std::fs::read(site.keyring()).unwrap();
    assert_eq!(opened(&key, &sealed), keyring.trim_ascii_end());
    assert!(!is_reminded() && status(&site)["keyring"]["exported_at"].is_string());
    assert_eq!(outcomes(&site, "site.keyring_exported"), ["success"]);
    site.run(&["keyring", "rotate"]).ok();
    assert!(is_reminded(), "the copy lacks the new keys");
    site.run(&["keyring", "export", "--waive", "It is in the vault"]).ok();
    assert!(!is_reminded());
    assert_eq!(status(&site)["keyring"]["reason"], "It is in the vault");
    assert_eq!(outcomes(&site, "site.keyring_export_waived"), ["success"]);
}

#[test]
fn a_copy_of_the_keyring_that_was_not_written_is_not_recorded() {
    let site = Appliance::initialized();
    let (key, public) = age_key(&site);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = site.command(&["keyring", "export", "--to", &public]);

    let output = finish(command.stdout(full), "");

    assert_eq!(output.status, 1, "{output:?}");
    assert!(output.stderr.contains("not recorded"), "{output:?}");
    assert!(status(&site)["keyring"]["exported_at"].is_null());
    let private = std::fs::read_to_string(key).unwrap();
    let private = private.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap().to_owned();
    let output = refused(&site, &["keyring", "export", "--to", &private], 1, &["This is a private key"]);
    assert!(!output.stderr.contains(&private), "a private key is not repeated: {output:?}");
    refused(&site, &["keyring", "export"], 2, &["--to"]);
    assert_eq!(site.run(&["keyring", "export", "--waive", " "]).status, 1);
}

#[test]
fn a_bare_machine_is_restored_from_snapshot_journal_and_the_copy_of_the_keyring() {
    let old = Appliance::initialized();
    let mut site = Appliance::configured("");
    let (key, public) = age_key(&site);
    old.account("ada-l");
    let sealed = old.run(&["keyring", "export", "--to", &public]).ok();
    old.run(&["snapshot", "now"]).ok();
    let backup = site.folder().join("backup");
    std::fs::create_dir(&backup).unwrap();
    for name in ["domicile.sqlite", "tombstones.jsonl"] {
        let from = old.data().join(name);
        if from.exists() {
            std::fs::copy(from, backup.join(name)).unwrap();
        }
    }
    drop(old);

    std::fs::write(site.keyring(), opened(&key, &sealed)).unwrap();
    std::fs::set_permissions(site.keyring(), std::fs::Permissions::from_mode(0o600)).unwrap();
    site.run(&["restore", &backup.join("domicile.sqlite").display().to_string()]).ok();
    site.start();

    let mut browser = site.browser();
    browser.sign_in("ada-l");
    assert_eq!(browser.get("/settings/profile").status, 200);
}

#[test]
fn a_drill_restores_the_snapshot_applies_the_journal_and_leaves_nothing() {
    let site = Appliance::initialized();
    refused(&site, &["drill"], 1, &["no snapshot yet", "domicile snapshot now"]);
    site.account("ada-l");
    site.account("grace-h");
    site.run(&["snapshot", "now"]).ok();
    site.run(&["account", "suspend", "grace-h"]).ok();
    // What a killed drill left.
    let folder = site.data().join("drill.unfinished");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let accounts = |site: &Appliance| site.run(&["account", "list"]).ok();
    let before = accounts(&site);

    let made = site.run(&["drill"]);

    assert!(made.stdout.contains("1 newer lines of the journal"), "{made:?}");
    made.ok();
    assert!(!folder.exists());
    assert_eq!(accounts(&site), before, "the account of the drill is in the copy only");
    assert_eq!(outcomes(&site, "site.restore_drill"), ["success"]);
    let drill = &status(&site)["drill"];
    assert!(drill["ok"] == true && drill["last_good_at"].is_string(), "{drill}");
}

#[test]
fn a_damaged_snapshot_fails_the_drill_and_the_server_is_not_ready_until_one_succeeds() {
    let mut site = Appliance::running();
    site.account("ada-l");
    site.run(&["snapshot", "now"]).ok();
    let snapshot = site.data().join("domicile.sqlite");
    let good = std::fs::read(&snapshot).unwrap();
    let mut damaged = good.clone();
    damaged[5 * 4096 + 100] ^= 1;
    std::fs::write(&snapshot, &damaged).unwrap();

    let failed = site.run(&["drill"]);

    assert_eq!(failed.status, 3, "{failed:?}");
    assert!(failed.stderr.contains("pages are damaged"), "{failed:?}");
    assert!(!site.data().join("drill.unfinished").exists());
    assert_eq!(outcomes(&site, "site.restore_drill"), ["failure"]);
    assert_eq!(status(&site)["drill"]["ok"], false);
    // The schedule tells readiness, also at a start.
    std::fs::write(&snapshot, &good).unwrap();
    site.stop();
    site.start();
    let ready = || site.call("GET", "/readyz").send();
    let told = wait_for("readiness", || Some(ready()).filter(|answer| answer.status == 503));
    assert!(told.text().contains("domicile drill"), "{}", told.text());
    assert!(status(&site)["server"]["reason"].as_str().unwrap().contains("restore drill"));

    site.run(&["drill"]).ok();
    site.stop();
    site.start();
    assert_eq!(ready_after_start(&site), 200);
}

/// The answer of the readiness probe after the schedule has run once.
fn ready_after_start(site: &Appliance) -> u16 {
    site.call("GET", "/readyz").send().status
}

#[test]
fn a_drill_of_an_appliance_without_a_journal_succeeds_only_if_nothing_is_missing() {
    let site = Appliance::initialized();
    site.account("ada-l");
    site.run(&["snapshot", "now"]).ok();
    std::fs::remove_file(site.data().join("tombstones.jsonl")).unwrap();
    site.run(&["drill"]).ok();
    // As if the database knew of a line that is not in the file.
    site.run(&["account", "suspend", "ada-l"]).ok();
    std::fs::remove_file(site.data().join("tombstones.jsonl")).unwrap();

    let failed = site.run(&["drill"]);

    assert!(
        failed.status == 3 || failed.stdout.contains("1 newer lines"),
        "the journal is missed or written again: {failed:?}"
    );
}

#[test]
fn two_drills_do_not_run_at_the_same_time() {
    let site = Appliance::initialized();
    site.run(&["snapshot", "now"]).ok();
    let lock = std::fs::File::create(site.data().join("live/drill.lock")).unwrap();
    lock.lock().unwrap();

    refused(&site, &["drill"], 1, &["another restore drill is running"]);
}

#[test]
fn the_disk_of_a_drill_must_have_space_for_a_restore() {
    let site = Appliance::initialized();
    site.run(&["snapshot", "now"]).ok();
    let snapshot = site.data().join("domicile.sqlite");
    // A sparse file is as large as any disk, and takes no space.
    std::fs::File::options().write(true).open(&snapshot).unwrap().set_len(1 << 43).unwrap();

    let failed = site.run(&["drill"]);

    assert_eq!(failed.status, 3, "{failed:?}");
    assert!(failed.stderr.contains("MiB of free space"), "{failed:?}");
}

#[test]
fn status_knows_the_appliance_without_a_server_and_with_one() {
    let mut site = Appliance::initialized();
    let stopped = status(&site);
    assert_eq!(
        (&stopped["server"]["ready"], &stopped["snapshot"], &stopped["drill"]),
        (&Value::from(false), &Value::Null, &Value::Null)
    );
    assert_eq!(stopped["region"], "eu");
    site.start();
    site.run(&["snapshot", "now"]).ok();

    let running = status(&site);

    assert_eq!(running["server"]["ready"], true);
    assert!(running["snapshot"]["age_seconds"].as_u64().unwrap() < 3600);
    assert_eq!(running["schema"]["found"], running["schema"]["needed"]);
    let shown = site.run(&["status"]).ok();
    for name in ["version", "region", "server", "schema", "snapshot", "drill", "keyring", "journal", "copies"] {
        assert!(shown.lines().any(|line| line.starts_with(name)), "{name} is not in:\n{shown}");
    }
    drop(open_live(&site));
}

#[test]
fn status_says_what_is_wrong_with_the_journal() {
    let site = Appliance::initialized();
    let journal = site.data().join("tombstones.jsonl");
    let problem = |site: &Appliance| status(site)["journal"]["problem"].as_str().unwrap_or_default().to_owned();
    assert_eq!(problem(&site), "");

    std::fs::write(&journal, "notes of an admin\n").unwrap();
    assert!(problem(&site).contains("line 1") && problem(&site).contains("mv "), "{}", problem(&site));
    std::fs::remove_file(&journal).unwrap();
    assert!(problem(&site).contains("is missing") && problem(&site).contains("Restart"), "{}", problem(&site));
    assert!(site.run(&["status"]).ok().contains("is missing"));
}
