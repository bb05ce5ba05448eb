//! The clock of the machine is set while the server runs and while it is stopped. libfaketime sets it for the real program.

use crate::support::{Appliance, CommandOutput, finish, is_deep, wait_for};

const YEAR: i64 = 365 * 86_400;
/// The steps of the fault catalogue, in seconds.
const STEPS: [i64; 4] = [90, 600, YEAR, 10 * YEAR];
/// More than half a minute, so that the work of each half minute is due, and less than a step.
const SKIPPED: i64 = 59;

/// A command with the clock of the server.
fn run(site: &Appliance, arguments: &[&str]) -> CommandOutput {
    let mut command = site.command(arguments);
    site.share_clock(&mut command);
    finish(&mut command, "")
}

/// Waits until the server has recorded this many steps.
fn wait_for_steps(site: &Appliance, count: i64) {
    let sql = "select count(*) from audit_event where event = 'time.clock_stepped'";
    wait_for(&format!("step {count} in the audit"), || {
        let found: i64 = site.database().query_row(sql, [], |row| row.get(0)).unwrap();
        (found == count).then_some(())
    });
}

/// Invites an address, and waits for the mail.
fn invite(site: &Appliance, name: &str) {
    let address = format!("{name}@example.org");
    run(site, &["account", "invite", "--email", &address]).ok();
    site.mailbox().wait_for(&address, "");
}

/// Lets most of a minute pass after the offset `now`, and waits for the work of each half minute: it marks new rows of the
/// feed of revocations. Returns the offset from then on. It does not go back: the server might see this and the next step
/// as one.
fn wait_for_schedule(site: &Appliance, now: i64) -> i64 {
    let database = site.database();
    database.execute("insert into revocation (kind, subject_id) values ('key', 'key_1')", []).unwrap();
    site.set_clock(now + SKIPPED);
    wait_for("periodic work", || {
        let sql = "select count(*) from revocation where seen_at is null";
        let waiting: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        (waiting == 0).then_some(())
    });
    now + SKIPPED
}

#[test]
fn row_23_steps_while_serving_delay_no_mail_and_no_periodic_work() {
    let site = Appliance::running_with_clock("");
    invite(&site, "first");
    let (mut recorded, mut right) = (0, 0);
    let steps = STEPS.into_iter().filter(|step| is_deep() || [600, YEAR].contains(step));
    for step in steps {
        for offset in [-step, 0, step, 0] {
            site.set_clock(right + offset);
            recorded += 1;
            wait_for_steps(&site, recorded);
            invite(&site, &format!("person-{recorded}"));
            if offset == 0 {
                // After the step forward to the right time, deletions wait for a day, because nobody can know that it is right.
                run(&site, &["clock", "confirm"]).ok();
                right = wait_for_schedule(&site, right);
            }
        }
    }
    run(&site, &["audit", "verify"]).ok();
}

#[test]
fn row_23_a_start_a_year_ahead_is_reported_and_corrected_by_the_next_start() {
    let mut site = Appliance::initialized_with_clock();
    site.set_clock(YEAR);
    site.start();
    invite(&site, "ahead");
    site.stop();
    site.set_clock(0);
    site.start();

    invite(&site, "right");
    wait_for_steps(&site, 1);
    wait_for_schedule(&site, 0);
    let health = run(&site, &["healthcheck"]);
    assert_eq!(health.status, 1);
    assert!(health.stderr.contains("The clock was set back by 36"), "{health:?}");
    assert!(health.stderr.contains("run \"domicile clock confirm\"."), "{health:?}");
    run(&site, &["clock", "confirm"]).ok();
    wait_for("readiness", || (run(&site, &["healthcheck"]).status == 0).then_some(()));
}
