//! `domicile backup`, and the backup jobs that people have: what they took is restored and serves.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Backup, accepts, restored};
use crate::support::{Appliance, tool, tool_script};

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}. Run: ./dev tools"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A backup program: it takes the files of the first folder, and puts them into the second one again, with or without their
/// folder.
type Job = fn(&Path, &Path);

const FILES: [&str; 3] = ["domicile.sqlite", "tombstones.jsonl", "audit/checkpoints"];

const JOBS: [(&str, Job); 6] = [
    ("cp", |from, to| {
        for file in FILES {
            run(Command::new(tool("cp")).arg(from.join(file)).arg(to));
        }
    }),
    ("dd", |from, to| {
        for file in FILES {
            let (from, to) = (from.join(file), to.join(Path::new(file).file_name().unwrap()));
            run(Command::new(tool("dd"))
                .arg(format!("if={}", from.display()))
                .arg(format!("of={}", to.display()))
                .args(["bs=64k", "status=none"]));
        }
    }),
    ("rsync", |from, to| {
        run(Command::new(tool("rsync")).arg("-a").args(FILES.map(|file| from.join(file))).arg(to));
    }),
    ("tar", |from, to| {
        let archive = to.with_extension("tar");
        run(Command::new(tool("tar")).arg("-cf").arg(&archive).arg("-C").arg(from).args(FILES));
        run(Command::new(tool("tar")).arg("-xf").arg(&archive).arg("-C").arg(to));
    }),
    ("restic", |from, to| {
        let repository = to.with_extension("restic");
        let restic = || {
            let mut command = Command::new(tool("restic"));
            command.env("RESTIC_PASSWORD", "a test").env("RESTIC_CACHE_DIR", to.with_extension("cache"));
            command.arg("-r").arg(&repository);
            command
        };
        run(restic().arg("init"));
        run(restic().arg("backup").args(FILES).current_dir(from));
        run(restic().args(["restore", "latest", "--target"]).arg(to));
    }),
    ("borg", |from, to| {
        let repository = to.with_extension("borg");
        let borg = || {
            let mut command = Command::new(tool("borg"));
            command.env("BORG_BASE_DIR", to.with_extension("home"));
            command.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
            command
        };
        run(borg().args(["init", "-e", "none"]).arg(&repository));
        run(borg().arg("create").arg(format!("{}::one", repository.display())).args(FILES).current_dir(from));
        run(borg().arg("extract").arg(format!("{}::one", repository.display())).current_dir(to));
    }),
];

#[test]
fn what_every_kind_of_backup_job_took_is_restored_and_serves() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let key = site.api_key("ada-l", &["models:read"]);
    site.account("grace-h");
    let erased = site.api_key("grace-h", &["models:read"]);
    site.run(&["snapshot", "now"]).ok();
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    let head = site.run(&["audit", "head"]).ok();
    let copies = tempfile::tempdir().unwrap();

    for (name, job) in JOBS {
        eprintln!("{name}");
        let copy = copies.path().join(name);
        std::fs::create_dir(&copy).unwrap();
        // The server is running.
        job(&site.data(), &copy);
        let mut machine = Appliance::configured("");
        std::fs::copy(site.keyring(), machine.keyring()).unwrap();

        restored(&machine, &copy.join("domicile.sqlite"), &[]);

        let checkpoints = std::fs::read_to_string(machine.data().join("audit/checkpoints")).unwrap();
        assert!(checkpoints.contains(head.trim_end()), "{name}: {checkpoints}");
        machine.start();
        assert!(accepts(&machine, &key) && !accepts(&machine, &erased), "{name}");
        machine.run(&["snapshot", "now"]).ok();
    }
    site.stop();
}

#[test]
fn an_independent_reader_opens_the_restored_database() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let backup = Backup::of(&site);
    site.stop();
    let machine = backup.bare_machine();
    restored(&machine, &backup.file(), &[]);
    let key = machine.run(&["keyring", "show-database-key"]).ok();

    let output = Command::new(tool("python3"))
        .arg(tool_script("it/restore/read.py"))
        .arg(machine.data().join("live/live.sqlite"))
        .arg(key)
        .output()
        .unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.trim(), "cipher 0, integrity ok, accounts 1, stamps 0, sessions 0, epochs 1");
}

#[test]
fn backup_takes_a_snapshot_of_this_moment_whether_the_server_runs_or_not() {
    let mut site = Appliance::running();
    let copies = tempfile::tempdir().unwrap();
    let folder = copies.path().join("new/");
    let folder = folder.to_str().unwrap();
    site.account("ada-l");
    site.run(&["audit", "head"]).ok();

    let printed = site.run(&["backup", folder]).ok();

    assert_eq!(printed.lines().count(), 3, "{printed}");
    let manifest = std::fs::read_to_string(copies.path().join("new/domicile.sqlite.json")).unwrap();
    assert!(manifest.contains("\"account\": 1"), "{manifest}");
    site.run(&["verify", copies.path().join("new/domicile.sqlite").to_str().unwrap()]).ok();
    site.account("grace-h");
    site.stop();
    let file = copies.path().join("one.sqlite");
    let json = site.run(&["backup", file.to_str().unwrap(), "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["journal"].is_null() && json["checkpoints"].is_null(), "{json}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut machine = Appliance::configured("");
    std::fs::copy(site.keyring(), machine.keyring()).unwrap();
    restored(&machine, &file, &["--journal", copies.path().join("new/tombstones.jsonl").to_str().unwrap()]);
    machine.start();
    machine.run(&["account", "show", "grace-h"]).ok();

    let nowhere = site.run(&["backup", "/nowhere/file.sqlite"]);
    assert_eq!(nowhere.status, 1, "{nowhere:?}");
    let own = site.run(&["backup", site.data().to_str().unwrap()]);
    assert!(own.status == 1 && own.stderr.contains("inside the data folder"), "{own:?}");
    let left: Vec<_> = std::fs::read_dir(copies.path().join("new")).unwrap().flatten().collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn an_appliance_that_has_never_served_is_backed_up_and_restored() {
    let site = Appliance::initialized();
    site.account("ada-l");
    let copies = tempfile::tempdir().unwrap();
    site.run(&["backup", copies.path().to_str().unwrap()]).ok();

    let machine = Appliance::configured("");
    std::fs::copy(site.keyring(), machine.keyring()).unwrap();
    restored(&machine, &copies.path().join("domicile.sqlite"), &[]);
    machine.run(&["account", "show", "ada-l"]).ok();
}

#[test]
fn a_snapshot_is_not_replaced_by_one_that_does_not_continue_it() {
    let mut site = Appliance::running();
    site.account("ada-l");
    let older = site.data().join("older");
    site.stop();
    std::fs::copy(site.data().join("live/live.sqlite"), &older).unwrap();
    site.start();
    site.account("grace-h");
    site.run(&["snapshot", "now"]).ok();
    let published = std::fs::read(site.data().join("domicile.sqlite")).unwrap();
    site.stop();
    let published_by_the_stop = std::fs::read(site.data().join("domicile.sqlite")).unwrap();
    assert_eq!(published.len(), published_by_the_stop.len());
    // The tail is cut: an older live database under the same inode.
    std::fs::copy(&older, site.data().join("live/live.sqlite")).unwrap();

    crate::cli::refused(&site, &["snapshot", "now"], 2, &["older than the snapshot beside it", "domicile restore"]);
    crate::cli::refused(&site, &["serve"], 2, &["older than the snapshot beside it", "domicile restore"]);
    assert!(std::fs::read(site.data().join("domicile.sqlite")).unwrap() == published_by_the_stop);
}
