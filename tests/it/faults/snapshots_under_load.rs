use super::{Appliance, Reporter, while_working};
use crate::support::wait_for;

/// Copies that are made while the file may be replaced, in a quick and in a deep run.
const COPIES: (usize, usize) = (8, 25);

#[test]
fn every_copy_of_the_published_snapshot_verifies() {
    let copies_count = crate::support::rounds(COPIES.0, COPIES.1);
    let site = Appliance::running();
    let reporter = Reporter::new(&site);
    site.run(&["snapshot", "now"]).ok();
    let published = site.data().join("domicile.sqlite");
    let copies = site.folder().join("copies");
    std::fs::create_dir(&copies).unwrap();

    // One thread publishes and two write, without any coordination with the copies below.
    let work = |number: usize, stop: &std::sync::atomic::AtomicBool| {
        let mut rounds = 0;
        while !stop.load(std::sync::atomic::Ordering::SeqCst) {
            rounds += 1;
            if number == 0 {
                site.run(&["snapshot", "now"]).ok();
            } else {
                let ids: Vec<String> = (0..20).map(|event| format!("{number}-{rounds}-{event}")).collect();
                reporter.report(&site, &ids).unwrap();
            }
        }
        vec![(number, rounds)]
    };
    let (worked, ()) = while_working(3, work, || {
        for number in 0..copies_count {
            let copy = copies.join(format!("{number}.sqlite"));
            // `dd` opens the file once and copies it. `cp` calls stat before it opens the file, and fails if the file
            // was replaced in between; its exit status tells the backup job to try again.
            let (from, to) = (format!("if={}", published.display()), format!("of={}", copy.display()));
            let status = std::process::Command::new("dd").args([&from, &to]).args(["bs=1M", "status=none"]).status();
            assert!(status.unwrap().success());
        }
    });

    let published_rounds = worked.iter().find(|(number, _)| *number == 0).unwrap().1;
    assert!(published_rounds > 0, "nothing was published during the copies");
    for number in 0..copies_count {
        site.run(&["verify", &copies.join(format!("{number}.sqlite")).display().to_string()]).ok();
    }
    assert_eq!(std::fs::read_dir(&copies).unwrap().count(), copies_count, "verifying left another file in the folder");
}

#[test]
fn a_stop_publishes_unpublished_changes() {
    let mut site = Appliance::running();
    site.account("ada-l");

    assert!(site.stop().success());

    let manifest = std::fs::read_to_string(site.data().join("domicile.sqlite.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["rows"]["account"], 1, "{manifest}");
    site.run(&["verify", &site.data().join("domicile.sqlite").display().to_string()]).ok();
}

/// SQLite's locks of a process on a file end when the process closes any descriptor of it. If a publication closed the
/// live file, the next command that ends would take itself for the last user of the database and delete the log, and
/// the server would go on writing into the deleted file.
#[test]
fn a_publication_by_the_server_keeps_the_locks_of_the_database() {
    let mut site = Appliance::running();
    let reporter = Reporter::new(&site);
    site.account("gone-l");
    let published = || std::fs::read_to_string(site.data().join("domicile.sqlite.json")).ok();
    let before = published();
    // The server publishes after a deletion.
    site.run(&["account", "delete", "gone-l", "--yes"]).ok();
    wait_for("a snapshot", || (published() != before).then_some(()));

    site.account("bob-l");
    assert_eq!(reporter.report(&site, &["after".into()]).unwrap().status, 200);
    site.kill();
    site.start();

    let again = reporter.report(&site, &["after".into()]).unwrap().json();
    assert_eq!(again["duplicates"], 1, "an acknowledged write is gone");
    site.run(&["account", "show", "bob-l"]).ok();
    site.run(&["ledger", "check"]).ok();
    site.run(&["audit", "verify"]).ok();
}

/// A server that always ends early still publishes, and a stop does not wait for a snapshot that takes long.
#[test]
fn a_start_publishes_and_a_stop_does_not_wait_for_a_slow_snapshot() {
    let mut site = Appliance::running();
    let published = site.data().join("domicile.sqlite");
    wait_for("the snapshot after the start", || published.exists().then_some(()));
    site.account("ada-l");
    site.kill();
    let before = std::fs::read(&published).unwrap();
    site.start();
    wait_for("the snapshot after a crash", || (std::fs::read(&published).unwrap() != before).then_some(()));
    site.account("bob-l");
    // As if another process published all the time.
    let before = std::fs::read(&published).unwrap();
    let lock = domicile::db::lock_file(&site.data().join("live/snapshot.lock")).unwrap();

    assert!(site.stop().success());

    assert_eq!(std::fs::read(&published).unwrap(), before);
    drop(lock);
    site.start();
    wait_for("the snapshot after the start", || (std::fs::read(&published).unwrap() != before).then_some(()));
    site.run(&["verify", &published.display().to_string()]).ok();
}

#[test]
fn check_shows_an_erasure_that_is_not_final_and_the_next_start_makes_it_final() {
    let mut site = Appliance::initialized();
    // Without a verified address, so that no mail to the person has to be sent first.
    site.run(&["account", "create", "--email", "gone@example.org", "--username", "gone-l"]).ok();
    let pending = |site: &Appliance| {
        let shown: serde_json::Value = serde_json::from_str(&site.run(&["check", "--json"]).ok()).unwrap();
        shown["pending_erasures"].as_array().unwrap().clone()
    };
    assert!(pending(&site).is_empty());

    // Locked as by a server, which would publish by itself, so the command leaves it to the server.
    let lock = std::fs::File::create(site.live().with_file_name("server.lock")).unwrap();
    lock.lock().unwrap();
    let receipt = site.run(&["account", "delete", "gone-l", "--yes"]).ok();
    drop(lock);

    let shown = pending(&site);
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["receipt"], receipt.trim());
    site.start();
    wait_for("the end of the erasure", || pending(&site).is_empty().then_some(()));
}
