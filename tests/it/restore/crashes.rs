//! A restore that is killed, or whose machine loses power, at any step leaves the old data or the new data, and the next
//! command says which. strace stops it at a step: a system call that changes files.

use std::path::Path;
use std::process::{Command, Stdio};

use domicile::base::Rng;
use serde_json::Value;

use super::Backup;
use crate::faults::Disk;
use crate::support::{Appliance, CommandOutput, finish, rounds, tool, wait_for};

/// The system calls that change what is on the disk.
const STEPS: &str = "write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir";
/// Kills of a quick and of a deep run.
const KILLS: (usize, usize) = (6, 30);
/// Power cuts of a quick and of a deep run.
const CUTS: (usize, usize) = (3, 20);

/// The seed of this run, printed, so that a failure can be repeated: `SEED=7`.
pub fn seeded() -> Rng {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(u32::from_le_bytes(Rng::system().bytes::<4>())));
    eprintln!("SEED={seed}");
    Rng::seeded(seed)
}

/// A restore under strace, with this option for the steps.
fn traced(site: &Appliance, file: &Path, option: &str) -> Command {
    let restore = site.command(&["restore", file.to_str().unwrap(), "--replace"]);
    let mut command = Command::new(tool("strace"));
    let _ = std::fs::remove_file(site.folder().join("trace"));
    command.args(["-f", "-qq", "-o"]).arg(site.folder().join("trace"));
    command.args(["-e", &format!("trace={STEPS}"), "-e", option]);
    command.arg(restore.get_program()).args(restore.get_args()).current_dir(site.folder());
    command.env_clear().env("DOMICILE_CONFIG", site.config());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A step: the name of a system call, and the how manieth call of it.
type Step = (String, usize);

/// The steps of a restore of the file, which this runs.
fn steps(site: &Appliance, file: &Path) -> Vec<Step> {
    finish(&mut traced(site, file, "signal=none"), "").ok();
    let mut names: Vec<String> = Vec::new();
    for line in std::fs::read_to_string(site.folder().join("trace")).unwrap().lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        names.push(name.rsplit(' ').next().unwrap().to_owned());
    }
    assert!(names.iter().any(|name| name == "renameat2"), "the restore exchanged no folders: {names:?}");
    let number = |index: usize| names[..=index].iter().filter(|name| **name == names[index]).count();
    (0..names.len()).map(|index| (names[index].clone(), number(index))).collect()
}

/// Any step, or in half of the cases one of the last, which put the new data in place.
fn any_step<'s>(steps: &'s [Step], rng: &mut Rng) -> &'s Step {
    let last = if rng.below(2) == 0 { steps.len() } else { steps.len().min(40) };
    &steps[steps.len() - 1 - rng.below(u32::try_from(last).unwrap()) as usize]
}

/// The epoch of the audit, and what the command said first.
#[track_caller]
fn epoch(site: &Appliance) -> (i64, String) {
    let output: CommandOutput = site.run(&["audit", "verify", "--json"]);
    assert_eq!(output.status, 0, "{output:?}");
    let verified: Value = serde_json::from_str(&output.stdout).unwrap();
    let last = verified["restores"].as_array().unwrap().last().map_or(1, |epoch| epoch["epoch"].as_i64().unwrap());
    (last, output.stderr)
}

/// Checks that the old or the new data is whole, and that the next command says which after an interruption.
fn check_one_of_both(site: &Appliance, before: i64, place: &str) -> i64 {
    let had_note = site.data().join("restore.unfinished").exists();
    let (now, said) = epoch(site);
    assert!(now == before || now == before + 1, "{place}: epoch {now} after {before}");
    if had_note {
        let word = if now == before { "The data is as it was before" } else { "It is complete now" };
        assert!(said.contains(word), "{place}: {said}");
    }
    for entry in std::fs::read_dir(site.data()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".restore-") && name != "restore.unfinished", "{place}: {name} was left");
    }
    site.run(&["ledger", "check"]).ok();
    site.run(&["snapshot", "now"]).ok();
    site.run(&["account", "show", "ada-l"]).ok();
    now
}

fn site_with_backup(site: &Appliance) -> Backup {
    site.run(&["init"]).ok();
    site.account("ada-l");
    site.account("grace-h");
    site.run(&["account", "delete", "grace-h", "--yes"]).ok();
    let backup = Backup::of(site);
    site.account("joan-c");
    backup
}

#[test]
fn a_kill_at_any_step_of_a_restore_leaves_the_old_or_the_new_data() {
    let site = Appliance::configured("");
    let backup = site_with_backup(&site);
    let mut rng = seeded();
    let steps = steps(&site, &backup.file());
    let mut now = epoch(&site).0;
    let mut finished = (0, 0);

    for _ in 0..rounds(KILLS.0, KILLS.1) {
        let (name, number) = any_step(&steps, &mut rng);
        let mut command = traced(&site, &backup.file(), &format!("inject={name}:signal=SIGKILL:when={number}"));
        let output = finish(&mut command, "");
        let place = format!("{name} {number}: {output:?}");
        let before = now;
        now = check_one_of_both(&site, before, &place);
        finished = if now == before { (finished.0 + 1, finished.1) } else { (finished.0, finished.1 + 1) };
    }
    eprintln!("{} kills left the old data, {} the new data", finished.0, finished.1);
}

#[test]
fn a_power_cut_at_any_step_of_a_restore_leaves_the_old_or_the_new_data() {
    let site = Appliance::configured("");
    let image = site.folder().join("disk.img");
    let mut disk = Disk::ext4(site.folder(), &site.data(), 128);
    let backup = site_with_backup(&site);
    let mut rng = seeded();
    let steps = steps(&site, &backup.file());
    let mut now = epoch(&site).0;

    for _ in 0..rounds(CUTS.0, CUTS.1) {
        let (name, number) = any_step(&steps, &mut rng);
        let mut command = traced(&site, &backup.file(), &format!("inject={name}:signal=SIGSTOP:when={number}"));
        let mut child = command.spawn().unwrap();
        let trace = site.folder().join("trace");
        let has_stopped = || std::fs::read_to_string(&trace).is_ok_and(|text| text.contains("stopped by SIGSTOP"));
        // Either the restore stands at the step, or it has ended because it had fewer steps this time.
        let pid = wait_for("the step", || {
            if child.try_wait().unwrap().is_some() { Some(None) } else { has_stopped().then(|| child_of(child.id())) }
        });
        crate::faults::run(Command::new(tool("xfs_io")).args(["-x", "-c", "shutdown"]).arg(site.data()));
        if let Some(pid) = pid {
            let pid = nix::unistd::Pid::from_raw(pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
            child.wait().unwrap();
        }
        drop(disk);
        disk = Disk::mount(&image, &site.data());
        now = check_one_of_both(&site, now, &format!("{name} {number}"));
    }
    drop(disk);
}

/// The process id of the restore under this strace.
fn child_of(strace: u32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}
