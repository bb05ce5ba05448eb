//! A live database that is damaged is found and named, with the way to the last good snapshot: before the server listens if
//! it cannot be read, otherwise soon after the start, where a request meets it, and at night.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rusqlite::named_params;

use super::{Appliance, Reporter};
use crate::support::wait_for;

const PAGE: u64 = 4096;

fn edit(site: &Appliance, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(site.live()).unwrap();
    change(&mut bytes);
    // In place, as a disk would.
    std::fs::write(site.live(), bytes).unwrap();
}

fn flip(site: &Appliance, at: u64) {
    let file = std::fs::File::options().read(true).write(true).open(site.live()).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// The first page of a table or an index.
fn root_page(site: &Appliance, name: &str) -> u64 {
    let sql = "select rootpage from sqlite_schema where name = :name";
    let page = site.database().query_row(sql, named_params! {":name": name}, |row| row.get::<_, i64>(0)).unwrap();
    u64::try_from(page).unwrap()
}

/// A stopped appliance with a published snapshot of everything.
fn stopped() -> Appliance {
    let mut site = Appliance::running();
    for person in ["ada-l", "grace-h"] {
        site.account(person);
    }
    site.run(&["snapshot", "now"]).ok();
    site.stop();
    site
}

fn snapshot(site: &Appliance) -> PathBuf {
    site.data().join("domicile.sqlite")
}

/// The sentence of the readiness probe once there is one.
fn not_ready(site: &Appliance) -> String {
    wait_for("a fault in the readiness", || {
        let answer = site.call("GET", "/readyz").send();
        (answer.status == 503).then(|| answer.json()["detail"].as_str().unwrap().to_owned())
    })
}

/// Every command refuses with this, and the command that it names helps.
#[track_caller]
fn is_refused_and_restored(site: &mut Appliance, words: &[&str]) {
    let command = format!("domicile restore {} --replace", snapshot(site).display());
    for arguments in [&["check"][..], &["account", "list"], &["serve"]] {
        let output = crate::cli::refused(site, arguments, 3, words);
        assert!(output.stderr.trim_end().ends_with(&command), "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains("live.sqlite is damaged: "), "{}", output.stderr);
    }
    let file = snapshot(site).display().to_string();
    site.run(&["restore", &file, "--replace"]).ok();
    site.start();
    site.run(&["account", "show", "grace-h"]).ok();
    site.run(&["audit", "verify"]).ok();
    site.stop();
}

#[test]
fn f10_a_flipped_bit_in_a_table_is_named_before_the_server_listens() {
    let mut site = stopped();
    let page = root_page(&site, "account");
    flip(&site, (page - 1) * PAGE + 500);

    let bytes = format!("1 of its pages are damaged, the first at bytes {} to {}", (page - 1) * PAGE, page * PAGE - 1);
    is_refused_and_restored(&mut site, &[&bytes]);
}

#[test]
fn f10_a_flipped_bit_in_the_first_page_is_not_taken_for_another_keyring() {
    // In the salt, and in what the first page has.
    for at in [3, 700] {
        let mut site = stopped();
        flip(&site, at);

        is_refused_and_restored(&mut site, &["1 of its pages are damaged, the first at bytes 0 to 4095"]);
    }
}

/// How many bytes are left of so many.
type Truncation = fn(usize) -> usize;

#[test]
fn f10_a_file_that_was_cut_is_named() {
    let cuts: [(&str, Truncation); 4] = [
        ("it is truncated after", |bytes| bytes - 4096),
        ("it is truncated after", |bytes| bytes - 100),
        ("it is truncated after", |bytes| bytes / 4096 / 2 * 4096),
        ("it is empty", |_| 0),
    ];
    for (words, cut) in cuts {
        let mut site = stopped();
        edit(&site, |bytes| bytes.truncate(cut(bytes.len())));

        is_refused_and_restored(&mut site, &[words]);
    }
}

#[test]
fn f10_damage_that_a_start_does_not_meet_is_reported_soon_after_it() {
    let mut site = stopped();
    let page = root_page(&site, "statement_line_by_event");
    flip(&site, (page - 1) * PAGE + 500);

    site.start();

    let sentence = not_ready(&site);
    let command = format!("domicile restore {} --replace", snapshot(&site).display());
    assert!(sentence.contains("is damaged: 1 of its pages are damaged") && sentence.contains(&command), "{sentence}");
    // The log follows.
    wait_for("the line in the log", || site.log().contains(&command).then_some(()));
    // What is not damaged is served.
    assert_eq!(site.call("GET", "/signin").send().status, 200);
    assert_eq!(site.call("GET", "/healthz").send().status, 200);
}

#[test]
fn f10_a_request_that_meets_damage_is_refused_and_the_others_are_answered() {
    let mut site = stopped();
    let page = root_page(&site, "statement_line_by_event");
    site.start();
    let mut browser = site.browser();
    assert_eq!(browser.sign_in("ada-l").status, 303);
    // After the snapshot of the start has read it.
    wait_for("the snapshot after the start", || site.log().contains("A snapshot was published").then_some(()));
    flip(&site, (page - 1) * PAGE + 500);

    for _ in 0..8 {
        assert_eq!(browser.get("/settings/billing").status, 500);
        // On this connection of the pool, and on others.
        assert_eq!(browser.get("/activity").status, 200);
        assert_eq!(browser.get("/settings/profile").status, 200);
    }

    let sentence = not_ready(&site);
    assert!(sentence.contains("The database is damaged") && sentence.contains("domicile restore"), "{sentence}");
    assert!(site.log().contains("a page of it cannot be read"), "{}", site.log());
}

#[test]
fn f10_a_write_that_meets_damage_stops_the_server_with_3() {
    let mut site = stopped();
    let page = root_page(&site, "usage_event");
    site.start();
    let reporter = Reporter { service: site.service("training"), workspace: site.workspace("ada-l") };
    flip(&site, (page - 1) * PAGE + 500);

    let answer = reporter.report(&site, &["first".into()]);

    assert!(answer.is_none_or(|answer| answer.status >= 500));
    assert_eq!(site.wait_for_end().code(), Some(3), "{}", site.log());
    let sentence = format!("1 of its pages are damaged, the first at bytes {}", (page - 1) * PAGE);
    let command = format!("Run: domicile restore {} --replace", snapshot(&site).display());
    assert!(site.log().contains(&sentence) && site.log().trim_end().ends_with(&command), "{}", site.log());
    is_refused_and_restored(&mut site, &[&sentence]);
}

/// A copy of the live file has no stamp, and a write over the file keeps its inode. The log has only the pages that changed
/// last, so the two together are a mixture.
#[test]
fn f10_an_older_copy_beside_a_newer_log_is_refused_or_reported_soon() {
    for has_index in [true, false] {
        let mut site = stopped();
        let older = std::fs::read(site.live()).unwrap();
        site.start();
        for person in ["alan-t", "edsger-d", "donald-k"] {
            site.account(person);
        }
        site.database().query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).unwrap();
        site.account("barbara-l");
        site.kill();
        std::fs::write(site.live(), older).unwrap();
        if !has_index {
            std::fs::remove_file(site.live().with_extension("sqlite-shm")).unwrap();
        }

        let checked = site.run(&["check"]);
        let sentence = if checked.status == 0 {
            site.start();
            not_ready(&site)
        } else {
            checked.stderr
        };

        let command = format!("domicile restore {} --replace", snapshot(&site).display());
        assert!(sentence.contains(&command), "{sentence}");
    }
}
