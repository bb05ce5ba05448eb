//! What is read from the database and the disk.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::exposition::Exposition;
use super::{Family, families as f};
use crate::app::App;
use crate::base::{Stopwatch, Timestamp, seconds};
use crate::db::{self, View};
use crate::inbox::Overdue;
use crate::maintenance::{self, DrillState};
use crate::{accounts, api_keys, inbox, mail, sessions, threads};

/// Rows are not counted more often than this.
const COUNT_EVERY: Duration = seconds(30);
/// Of so much time, one part is spent with counting. A count reads every row: 1.3 seconds for a million accounts, sessions and
/// keys each, which would be 4 % of a core at [`COUNT_EVERY`].
const COUNT_PART: u32 = 100;

/// What is counted row by row.
#[derive(Clone, Copy)]
struct Counts {
    accounts: i64,
    sessions: i64,
    keys: i64,
}

impl Counts {
    fn read(view: &View<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            accounts: accounts::count(view)?,
            sessions: sessions::count_live(view)?,
            keys: api_keys::count_all_live(view)?,
        })
    }
}

/// What was counted last. A scrape never waits for a count, except the first one.
#[derive(Default)]
pub(super) struct Stored {
    last: Mutex<Option<Counted>>,
    /// Held by the thread that counts.
    counting: Mutex<()>,
}

#[derive(Clone, Copy)]
struct Counted {
    counts: Counts,
    /// How long counting took.
    took: Duration,
    /// Since it was counted.
    watch: Stopwatch,
}

impl Stored {
    /// The last counts. Counts again in the background if it is time. `None`: the database cannot be read.
    fn counts(self: &Arc<Self>, app: &Arc<App>) -> Option<Counts> {
        // After a panic the value is the one before it.
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = last else { return self.count(app) };
        if is_due(last.watch.elapsed(), last.took) {
            let (stored, app) = (self.clone(), app.clone());
            let count = move || {
                threads::lower_priority(threads::LOWEST);
                if let Ok(_only_one) = stored.counting.try_lock() {
                    stored.count(&app);
                }
            };
            // Otherwise the next scrape tries it again.
            let _ = std::thread::Builder::new().name("count".into()).spawn(count);
        }
        Some(last.counts)
    }

    fn count(&self, app: &App) -> Option<Counts> {
        let watch = Stopwatch::start();
        let counts = app.store().read_blocking(Counts::read).ok()?;
        let counted = Counted { counts, took: watch.elapsed(), watch: Stopwatch::start() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
        Some(counts)
    }
}

/// Whether to count again, if a count of this age took so long.
fn is_due(age: Duration, took: Duration) -> bool {
    age >= COUNT_EVERY.max(took.saturating_mul(COUNT_PART))
}

/// What a few rows say, read for every scrape. `None`: the database cannot be read.
fn read_few(app: &App) -> Option<(mail::Backlog, DrillState, Overdue)> {
    let read = |view: &View<'_>| {
        Ok::<_, db::Error>((mail::backlog(view)?, maintenance::drill_state(view)?, inbox::overdue(view)?))
    };
    app.store().read_blocking(read).ok()
}

/// A moment in the unit of Prometheus.
pub(super) fn in_seconds(at: Timestamp) -> String {
    format!("{}.{:03}", at.millis() / 1000, at.millis() % 1000)
}

/// Adds what is in the data folder. What cannot be read is left out.
pub(super) fn add_stored(text: &mut Exposition, app: &Arc<App>, stored: &Arc<Stored>) {
    let (counts, few) = (stored.counts(app), read_few(app));
    let (mails, drills) = (few.as_ref().map(|few| &few.0), few.as_ref().map(|few| &few.1));
    let commands = few.as_ref().map(|few| &few.2);
    let layout = app.store().layout();
    let published = std::fs::metadata(layout.snapshot()).ok();
    let made_at = published.as_ref().and_then(|file| file.modified().ok()).map(Timestamp::from_system_time);
    let mut add = |family, value: Option<String>| add_value(text, family, value);
    let count = |read: fn(Counts) -> i64| counts.map(|counts| read(counts).to_string());
    let last_drill = drills.and_then(|drills| drills.last.as_ref());
    add(&f::SNAPSHOT_TIME, made_at.map(in_seconds));
    add(&f::SNAPSHOT_BYTES, published.map(|file| file.len().to_string()));
    add(&f::DRILL_TIME, last_drill.map(|drill| in_seconds(drill.finished_at)));
    add(&f::DRILL_GOOD, last_drill.map(|drill| u8::from(drill.is_good).to_string()));
    add(&f::DRILL_LAST_GOOD, drills.and_then(|drills| drills.last_good).map(in_seconds));
    add(&f::MAILS, mails.map(|mails| mails.waiting.to_string()));
    let waited = mails.map(|mails| mails.oldest.map_or(0, |oldest| app.now().since(oldest).as_secs()));
    add(&f::MAIL_OLDEST, waited.map(|waited| waited.to_string()));
    add(&f::COMMANDS, commands.map(|commands| commands.open.to_string()));
    add(&f::COMMANDS_OVERDUE, commands.map(|commands| commands.overdue.to_string()));
    add(&f::COMMANDS_FAILED, commands.map(|commands| commands.failed.to_string()));
    add_webhooks(text, app);
    let mut add = |family, value: Option<String>| add_value(text, family, value);
    add(&f::ACCOUNTS, count(|counts| counts.accounts));
    add(&f::SESSIONS, count(|counts| counts.sessions));
    add(&f::KEYS, count(|counts| counts.keys));
    add(&f::DATABASE_BYTES, Some(db::database_bytes(layout).to_string()));
    add(&f::DISK_FREE, db::free_bytes(layout.root()).ok().map(|free| free.to_string()));
}

fn add_value(text: &mut Exposition, family: &Family, value: Option<String>) {
    text.family(family);
    if let Some(value) = value {
        text.value(family.name, &[], value);
    }
}

fn add_webhooks(text: &mut Exposition, app: &App) {
    let [taken, failed] = &app.metrics().webhooks;
    text.family(&f::WEBHOOKS);
    for (result, count) in [("taken", taken), ("failed", failed)] {
        text.value(f::WEBHOOKS.name, &[("result", result)], count.load(Ordering::Relaxed));
    }
}

/// Adds what the readiness probe says.
pub(super) fn add_readiness(text: &mut Exposition, app: &App) {
    let faults = app.readiness().faults();
    text.family(&f::READY);
    text.value(f::READY.name, &[], u8::from(faults.is_empty()));
    text.family(&f::FAULTS);
    for (name, _) in faults {
        text.value(f::FAULTS.name, &[("fault", name)], 1);
    }
}

/// Adds the versions.
pub(super) fn add_build(text: &mut Exposition) {
    let (major, minor, patch) = db::engine_version();
    let sqlite = format!("{major}.{minor}.{patch}");
    text.family(&f::BUILD);
    text.value(f::BUILD.name, &[("version", env!("CARGO_PKG_VERSION")), ("sqlite", &sqlite)], 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_takes_one_part_in_a_hundred_of_the_time() {
        assert_eq!([29, 30].map(|age| is_due(seconds(age), Duration::ZERO)), [false, true]);
        assert_eq!([129, 130].map(|age| is_due(seconds(age), Duration::from_millis(1_300))), [false, true]);
    }
}
