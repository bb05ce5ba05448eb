//! Checks of what is stored: database, journal, snapshot, drills, copies of the keyring, erasures, clock.

use std::sync::Arc;

use super::Check;
use crate::base::Clock;
use crate::db::{self, FileCopy, Layout};
use crate::journal::{Extent, JournalFile};
use crate::maintenance::{self, Escrow};
use crate::{inbox, privacy, snapshots};

pub(super) fn all(layout: &Layout, database: &FileCopy) -> Vec<Check> {
    vec![
        Check::ok("database", layout.live().display().to_string()),
        journal(layout, database),
        snapshot(layout, database),
        drill(database),
        escrow(database),
        erasures(database),
        commands(database),
        clock_steps(database),
    ]
}

fn unreadable(name: &'static str, error: &db::Error) -> Check {
    Check::failed(name, error.to_string(), "Run: domicile check")
}

fn journal(layout: &Layout, database: &FileCopy) -> Check {
    match journal_fault(layout, database) {
        None => Check::ok("journal", layout.tombstones().display().to_string()),
        Some((cause, cure)) => Check::failed("journal", cause, cure),
    }
}

/// What is wrong with the file of the journal, and the cure.
pub(in crate::cli) fn journal_fault(layout: &Layout, database: &FileCopy) -> Option<(String, String)> {
    let path = layout.tombstones();
    if !path.exists() {
        let cause = format!("{} is missing: a restored backup would bring back access that has ended", path.display());
        let cure =
            "Restart the server, which writes it again: systemctl restart domicile. Then look why it was deleted.";
        return Some((cause, cure.to_owned()));
    }
    let verified = JournalFile::new(layout, &Arc::default()).verify(&database.view(), Extent::Whole);
    verified.err().map(|error| (error.to_string(), error.cure()))
}

fn snapshot(layout: &Layout, database: &FileCopy) -> Check {
    let path = layout.snapshot();
    let now = Clock::system().now();
    let Some(published) = snapshots::read_published(&path, database.site(), now) else {
        let cause = match path.exists() {
            true => format!("{} cannot be read as a snapshot of this appliance", path.display()),
            false => format!("there is no {}, so there is nothing to back up", path.display()),
        };
        return Check::failed("snapshot", cause, "Run: domicile snapshot now");
    };
    let age = now.since(published.stamp.made_at);
    let text = format!("it was made {} minutes ago", age.as_secs() / 60);
    let oldest = snapshots::age_max(&database.site().config);
    // An appliance without changes publishes nothing.
    match snapshots::continues(&database.view(), &published.head) {
        Ok(true) => {}
        Ok(false) => {
            return Check::failed(
                "snapshot",
                "the published snapshot has what the database lacks".to_owned(),
                format!("Run: {}", layout.restore_command()),
            );
        }
        Err(error) => return unreadable("snapshot", &error),
    }
    let has_changed =
        snapshots::head(&database.view()).is_ok_and(|head| head.is_some_and(|head| head != published.head));
    if has_changed && age > oldest {
        Check::failed(
            "snapshot",
            format!("{text}, although there are changes"),
            "Run: domicile snapshot now. If the server runs, see its log.",
        )
    } else {
        Check::ok("snapshot", text)
    }
}

fn drill(database: &FileCopy) -> Check {
    let state = match maintenance::drill_state(&database.view()) {
        Ok(state) => state,
        Err(error) => return unreadable("drill", &error),
    };
    match (state.fault(Clock::system().now()), &state.last) {
        (Some(fault), _) => Check::failed("drill", fault, "When the cause is mended, run: domicile drill"),
        (None, Some(last)) => Check::ok("drill", format!("{}: {}", last.finished_at.day_and_time(), last.result)),
        (None, None) => Check::ok("drill", "none yet; the server makes the first one a day after the installation"),
    }
}

fn escrow(database: &FileCopy) -> Check {
    match maintenance::escrow(&database.view()) {
        Ok(Escrow::Exported(at)) => Check::ok("escrow", format!("the keyring was exported on {}", at.day())),
        Ok(Escrow::Waived(at, reason)) => {
            Check::ok("escrow", format!("not exported, as decided on {}: {reason}", at.day()))
        }
        Ok(Escrow::Due) => Check::warning(
            "escrow",
            "the keyring has not been exported since it was created or last changed, and without it no backup can be read",
            "Run: domicile keyring export --to age1…",
        ),
        Err(error) => unreadable("escrow", &error),
    }
}

fn erasures(database: &FileCopy) -> Check {
    let now = Clock::system().now();
    match privacy::pending_erasures(&database.view()) {
        Ok(pending) => match pending.iter().find(|one| one.is_late(now)) {
            None => Check::ok("erasures", format!("{} are not final yet", pending.len())),
            Some(late) => Check::failed(
                "erasures",
                format!("the erasure {} is not final: a file may still contain the person", late.receipt),
                "Start the server, which does the rest, and see its log: journalctl --unit domicile",
            ),
        },
        Err(error) => unreadable("erasures", &error),
    }
}

/// What services were asked to do, and have not done.
fn commands(database: &FileCopy) -> Check {
    const NAME: &str = "commands";
    match inbox::overdue(&database.view()) {
        Ok(state) => match state.notice() {
            None => Check::ok(NAME, format!("{} are open, and none is overdue or failed", state.open)),
            Some(mut sentences) => {
                let cure = sentences.pop().unwrap_or_default();
                Check::failed(NAME, sentences.join(" "), cure)
            }
        },
        Err(error) => unreadable(NAME, &error),
    }
}

/// What the appliance itself noticed: a step, or a clock that is before its last change.
fn clock_steps(database: &FileCopy) -> Check {
    let cure = "Set the clock right (timedatectl). If it is right, run: domicile clock confirm";
    let now = Clock::system().now();
    match db::find_clock(&database.view()) {
        Ok(record) if record.is_ahead_of(now) => Check::failed(
            "clock-steps",
            format!(
                "the clock says {}, but the last change was at {}",
                now.day_and_time(),
                record.seen_at.day_and_time()
            ),
            cure,
        ),
        Ok(record) if record.step.is_some() || record.ahead.is_some() => {
            Check::warning("clock-steps", "the clock was set while the server ran, and nobody has confirmed it", cure)
        }
        Ok(_) => Check::ok("clock-steps", "the clock was not set since it was last confirmed"),
        Err(error) => unreadable("clock-steps", &error),
    }
}
