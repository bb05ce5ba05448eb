//! What a snapshot says of its moment, and what backup programs send for a second one.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use domicile::audit::{self, SiteEvent};
use domicile::base::{Actor, Credits, seconds};
use domicile::billing::{self, BillingError};

use super::copies::in_the_log;
use super::{PAGE, TestApp, populated_site};
use crate::support::{Owner, Seed, fill, tool};

/// The bytes that rsync sends to turn `kept` into `new`, besides the sums with which it finds them.
fn sent_by_rsync(new: &Path, kept: &Path, options: &[&str]) -> usize {
    let mut rsync = Command::new(tool("rsync"));
    // Without these options, rsync copies a whole file on the same machine, and skips one of the same time and size.
    rsync.args(["--no-whole-file", "--ignore-times", "--stats"]).args(options).arg(new).arg(kept);
    let output = rsync.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(new).unwrap(), std::fs::read(kept).unwrap());
    let stats = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = stats.lines().find_map(|line| line.strip_prefix("Literal data: ")).expect("rsync's statistics");
    line.trim_end_matches(" bytes").replace(',', "").parse().unwrap()
}

/// Grants credit 1,000 times, to these people in turn. In one transaction, so that the log has every changed page.
fn grant_a_thousand_times(site: &TestApp, people: &[Owner]) {
    let workspaces: Vec<_> = people.iter().map(|person| person.workspace).cycle().take(1000).collect();
    site.write(move |tx| {
        for workspace in workspaces {
            billing::grant_by_operator(tx, &Actor::Operator, workspace, Credits::whole(1), "More")?;
        }
        Ok::<_, BillingError>(())
    })
    .unwrap();
}

#[test]
fn rsync_sends_at_most_three_times_what_changed() {
    let site = TestApp::new();
    let seed = Seed { accounts: 100, events: 500, audit: 3_000 };
    let people = fill(&site.app, seed, "$argon2id$not-a-real-one", |_, _| ()).unwrap();

    for (who, people) in [("one person", &people[..1]), ("everybody", &people[..])] {
        site.publish();
        let (kept, also_kept) = (site.copied("kept"), site.copied("also kept"));
        assert!(site.app.store().empty_log(10).unwrap());
        grant_a_thousand_times(&site, people);
        let changed = in_the_log(&site).len() * PAGE;
        site.publish();

        let sent = sent_by_rsync(&site.published(), &kept, &[]);
        assert!(sent <= 3 * changed, "{who}: {changed} bytes changed, {sent} were sent");
        // As README.Debian says: the page of the stamp and the first page change too.
        let sent = sent_by_rsync(&site.published(), &also_kept, &["--block-size=4096"]);
        assert!(sent <= changed + 2 * PAGE, "{who}: {changed} bytes changed, {sent} were sent in pages");
    }
}

#[test]
fn what_was_recorded_before_the_moment_of_a_snapshot_is_in_it() {
    let site = populated_site();
    let may_end = AtomicBool::new(false);
    let moments: Vec<(i64, i64)> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !may_end.load(Ordering::SeqCst) {
                site.clock.advance(seconds(1));
                site.write(|tx| audit::record(tx, &Actor::System, audit::Event::new(SiteEvent::KeyringRotated)))
                    .unwrap();
            }
        });
        let publish = |_| {
            let stamp = site.publish().report.stamp;
            (stamp.audit_seq, stamp.made_at.millis())
        };
        let moments = (0..5).map(publish).collect();
        may_end.store(true, Ordering::SeqCst);
        moments
    });

    for (last, made_at) in moments {
        let lost = format!("select count(*) from audit_event where seq > {last} and at < {made_at}");
        let lost = site.read(|view| view.one(&lost, [], |row| row.get::<_, i64>(0)).unwrap());
        assert_eq!(lost, 0, "events that were recorded before {made_at} are not in the snapshot");
    }
}
