use std::path::{Path, PathBuf};
use std::process::Command;

use domicile::base::Actor;
use domicile::journal::Extent;
use domicile::signin;

use serde_json::Value;

use super::{Appliance, Reporter};
use crate::support::{Browser, TestApp, tool};

/// A mounted file system inside a file. Unmounted when it is dropped.
pub struct Disk {
    mounted_at: std::path::PathBuf,
}

impl Disk {
    /// Creates an ext4 file system of `mebibytes` and mounts it at `at`.
    pub fn ext4(folder: &Path, at: &Path, mebibytes: u64) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test mounts a file system: run it as root");
        let image = folder.join("disk.img");
        std::fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        run(Command::new(tool("mkfs.ext4")).args(["-q", "-F"]).arg(&image));
        std::fs::create_dir_all(at).unwrap();
        Self::mount(&image, at)
    }

    /// Creates an xfs file system whose files can share their blocks, of the smallest size that xfs has, and mounts it at
    /// `at`.
    pub fn xfs(folder: &Path, at: &Path) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test mounts a file system: run it as root");
        let image = folder.join("disk.img");
        std::fs::File::create(&image).unwrap().set_len(320 << 20).unwrap();
        run(Command::new(tool("mkfs.xfs")).args(["-q", "-m", "reflink=1"]).arg(&image));
        std::fs::create_dir_all(at).unwrap();
        Self::mount(&image, at)
    }

    /// Mounts the file system in the file `image` at `at`.
    pub fn mount(image: &Path, at: &Path) -> Self {
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at));
        Self { mounted_at: at.to_owned() }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mounted_at).status();
    }
}

#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}. Run: ./dev tools"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_disk_that_fails_stops_the_server_with_74_and_loses_nothing_that_was_acknowledged() {
    let mut site = Appliance::configured("");
    let disk = Disk::ext4(site.folder(), &site.data(), 64);
    site.run(&["init"]).ok();
    site.start();
    let reporter = Reporter::new(&site);
    let ids: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for id in &ids {
        assert_eq!(reporter.report(&site, std::slice::from_ref(id)).unwrap().status, 200);
    }

    run(Command::new(tool("xfs_io")).args(["-x", "-c", "shutdown"]).arg(site.data()));
    let answer = reporter.report(&site, &["lost".into()]);

    assert!(answer.is_none_or(|answer| answer.status >= 500), "a write was acknowledged on a failed disk");
    assert_eq!(site.wait_for_end().code(), Some(74), "{}", site.log());
    drop(disk);
    run(Command::new("mount").args(["-o", "loop"]).arg(site.folder().join("disk.img")).arg(site.data()));
    let _disk = Disk { mounted_at: site.data() };
    site.start();
    assert_eq!(reporter.report(&site, &ids).unwrap().json()["duplicates"], 50);
    site.run(&["ledger", "check"]).ok();
    site.run(&["audit", "verify"]).ok();
    site.stop();
}

#[test]
fn a_full_disk_refuses_writes_and_works_again_when_there_is_space() {
    let mut site = Appliance::configured("");
    let _disk = Disk::ext4(site.folder(), &site.data(), 24);
    site.run(&["init"]).ok();
    site.start();
    let reporter = Reporter::new(&site);
    assert_eq!(reporter.report(&site, &["before".into()]).unwrap().status, 200);
    site.run(&["snapshot", "now"]).ok();
    let snapshot = std::fs::read(site.data().join("domicile.sqlite")).unwrap();
    let ballast = site.data().join("ballast");
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", ballast.display())).output();

    let mut refused = None;
    for round in 0..2000 {
        let ids: Vec<String> = (0..50).map(|number| format!("{round}-{number}")).collect();
        let answer = reporter.report(&site, &ids).unwrap();
        if answer.status != 200 {
            refused = Some((ids, answer));
            break;
        }
    }
    let (ids, answer) = refused.expect("the disk never filled");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("disk_full")), "{}", answer.text());
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(site.call("GET", "/healthz").send().status, 200);
    let ran = site.run(&["snapshot", "now"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert_eq!(std::fs::read(site.data().join("domicile.sqlite")).unwrap(), snapshot, "the old snapshot must stay");

    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(reporter.report(&site, &ids).unwrap().json()["accepted"], 50, "the refused batch was not stored before");
    site.run(&["ledger", "check"]).ok();
    site.run(&["snapshot", "now"]).ok();
    site.stop();
}

#[test]
fn a_line_of_the_journal_that_does_not_fit_on_the_disk_is_written_when_there_is_space() {
    let site = TestApp::new();
    let small = site.folder().join("small");
    let _disk = Disk::ext4(site.folder(), &small, 2);
    std::os::unix::fs::symlink(small.join("journal"), site.layout().tombstones()).unwrap();
    let person = site.person("ada-ada").account.id;
    let rounds = std::cell::Cell::new(0);
    let switch = || {
        let is_suspended = rounds.replace(rounds.get() + 1) % 2 == 1;
        site.write(move |tx| match is_suspended {
            false => signin::suspend(tx, &Actor::Operator, person, ""),
            true => signin::reactivate(tx, &Actor::Operator, person),
        })
    };
    let journal = || std::fs::read_to_string(site.layout().tombstones()).unwrap();
    // The next line crosses the end of a page of memory, so the system writes a part of it.
    while rounds.get() == 0 || journal().len() + journal().lines().last().unwrap().len() < 4096 {
        switch().unwrap();
    }
    let ballast = small.join("ballast");
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=1k"]).arg(format!("of={}", ballast.display())).output();
    let before = journal();

    for _ in 0..10 {
        let refused = switch().unwrap_err();
        assert!(refused.to_string().contains("No space left"), "{refused}");
        assert_eq!(journal(), before, "a part of a line stays in the file");
    }
    assert!(site.app.readiness().faults()[0].1.contains("No space left"), "{:?}", site.app.readiness().faults());

    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(site.app.write_journal().unwrap(), 10);
    assert_eq!(site.app.verify_journal(Extent::Whole).unwrap().head.seq, rounds.get());
    assert!(site.app.readiness().faults().is_empty());
}

/// The number of blocks of the file, and of those that another file has too, as `filefrag` reports them.
fn shared_blocks(file: &Path) -> (u64, u64) {
    let output = Command::new(tool("filefrag")).arg("-v").arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // A line has the numbers of the extent: its blocks in the file, on the disk, their count, and then its flags.
    let extents = text.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    extents.fold((0, 0), |(all, shared), line| {
        let parts: Vec<_> = line.split(':').map(str::trim).collect();
        let count: u64 = parts[3].parse().unwrap_or_else(|_| panic!("{line}"));
        (all + count, shared + if line.contains("shared") { count } else { 0 })
    })
}

#[test]
fn where_files_can_share_blocks_a_snapshot_shares_those_of_the_database_and_is_restored() {
    let mut site = Appliance::configured("");
    let _disk = Disk::xfs(site.folder(), &site.data());
    site.run(&["init"]).ok();
    site.start();
    site.account("ada-l");

    site.run(&["snapshot", "now"]).ok();

    let published = site.data().join("domicile.sqlite");
    let (all, shared) = shared_blocks(&published);
    assert!(shared > all / 2 && all > 0, "{shared} of {all} blocks are shared");
    site.run(&["verify", published.to_str().unwrap()]).ok();
    let backup = tempfile::tempdir().unwrap();
    for name in ["domicile.sqlite", "tombstones.jsonl"] {
        std::fs::copy(site.data().join(name), backup.path().join(name)).unwrap();
    }
    site.account("grace-h");
    site.run(&["verify", published.to_str().unwrap()]).ok();
    site.stop();
    let file = backup.path().join("domicile.sqlite");
    site.run(&["restore", file.to_str().unwrap(), "--replace"]).ok();
    site.start();
    site.run(&["account", "show", "ada-l"]).ok();
    assert_eq!(site.run(&["account", "show", "grace-h"]).status, 1, "the snapshot is older than this account");
    site.run(&["snapshot", "now"]).ok();
    site.stop();
}

/// A server whose journal is on a disk of its own, and a signed-in person with an API key.
struct OwnDisk {
    site: Appliance,
    browser: Browser,
    key: String,
    page: String,
    disk: Option<Disk>,
    mounted_at: PathBuf,
}

impl OwnDisk {
    fn new() -> Self {
        let mut site = Appliance::configured("");
        let mounted_at = site.folder().join("small");
        let disk = Disk::ext4(site.folder(), &mounted_at, 4);
        site.run(&["init"]).ok();
        let (journal, link) = (mounted_at.join("journal"), site.data().join("tombstones.jsonl"));
        std::fs::copy(&link, &journal).unwrap();
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(journal, link).unwrap();
        site.start();
        site.account("ada-l");
        let create = ["--json", "key", "create", "--account", "ada-l", "--name", "ci", "--scope", "models:read"];
        let created: Value = serde_json::from_str(&site.run(&create).ok()).unwrap();
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        let (key, page) = (text("key"), format!("/settings/keys/{}", text("id")));
        let mut browser = site.browser();
        assert_eq!(browser.sign_in("ada-l").status, 303);
        Self { site, browser, key, page, disk: Some(disk), mounted_at }
    }

    fn submit(&mut self, action: &str) -> u16 {
        let target = format!("{}/{action}", self.page);
        // To disable a key has a page of its own, which asks for a confirmation.
        let page = if action == "disable" { &target } else { &self.page };
        self.browser.submit(page, &target, &[]).status
    }

    fn is_accepted(&self) -> bool {
        let answer = self.site.call("GET", "/v1/forward-auth").bearer(&self.key).header("x-forwarded-method", "GET");
        answer.header("x-forwarded-uri", "/models").send().status == 200
    }

    fn readiness(&self) -> (u16, String) {
        let answer = self.site.call("GET", "/readyz").send();
        (answer.status, answer.text())
    }

    fn lines(&self) -> usize {
        std::fs::read_to_string(self.mounted_at.join("journal")).unwrap_or_default().lines().count()
    }
}

/// While the journal cannot be written, callers are told, their changes stay, and the lines are written later.
fn journal_fails_and_recovers(
    mut own: OwnDisk,
    says: &str,
    fail: impl FnOnce(&mut OwnDisk),
    mend: impl FnOnce(&mut OwnDisk),
) {
    assert!(own.is_accepted());
    let before = own.lines();

    fail(&mut own);

    assert_eq!(own.submit("disable"), 503);
    assert!(!own.is_accepted(), "the change stays");
    let (status, text) = own.readiness();
    assert!(status == 503 && text.contains("The journal could not be written") && text.contains(says), "{text}");
    assert_eq!(own.browser.get("/settings/profile").status, 200, "other requests are answered");
    assert!(own.site.log().contains("The journal could not be written"), "{}", own.site.log());

    mend(&mut own);

    // The next change writes both lines; without one, the server does it within a minute.
    assert_eq!(own.submit("enable"), 303);
    assert!(own.is_accepted());
    assert_eq!(own.lines(), before + 2);
    let (status, text) = own.readiness();
    assert_eq!(status, 200, "{text}");
    own.site.run(&["check"]).ok();
    own.site.stop();
}

#[test]
fn a_full_disk_of_the_journal_answers_503_and_the_line_is_written_later() {
    let fill = |own: &mut OwnDisk| {
        let ballast = format!("of={}", own.mounted_at.join("ballast").display());
        let _ = Command::new("dd").args(["if=/dev/zero", "bs=1k"]).arg(ballast).output();
    };
    let empty = |own: &mut OwnDisk| std::fs::remove_file(own.mounted_at.join("ballast")).unwrap();
    let mut own = OwnDisk::new();
    // The next line needs another block of the disk.
    let bytes = |own: &OwnDisk| std::fs::metadata(own.mounted_at.join("journal")).map_or(0, |journal| journal.len());
    while bytes(&own) % 1024 < 700 {
        assert_eq!((own.submit("disable"), own.submit("enable")), (303, 303));
    }
    journal_fails_and_recovers(own, "No space left on device", fill, empty);
}

#[test]
fn a_failed_disk_of_the_journal_answers_503_and_the_line_is_written_later() {
    let fail =
        |own: &mut OwnDisk| run(Command::new(tool("xfs_io")).args(["-x", "-c", "shutdown"]).arg(&own.mounted_at));
    let mend = |own: &mut OwnDisk| {
        drop(own.disk.take());
        own.disk = Some(Disk::mount(&own.site.folder().join("disk.img"), &own.mounted_at));
    };
    let mut own = OwnDisk::new();
    assert_eq!((own.submit("disable"), own.submit("enable")), (303, 303));
    journal_fails_and_recovers(own, "Input/output error", fail, mend);
}
