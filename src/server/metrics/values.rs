//! What is read from the database and the disk.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::exposition::Exposition;
use super::families as f;
use crate::app::App;
use crate::base::{Timestamp, seconds};
use crate::db::{self, View};
use crate::maintenance::{self, DrillState};
use crate::{accounts, api_keys, mail, sessions};

/// Counting reads whole tables, so it is not done for every scrape.
const COUNT_EVERY: Duration = seconds(30);

/// What was counted last, and when.
#[derive(Default)]
pub(super) struct Stored(Mutex<Option<(Timestamp, Counts)>>);

#[derive(Clone)]
struct Counts {
    accounts: i64,
    sessions: i64,
    keys: i64,
    mails: i64,
    oldest_mail: Option<Timestamp>,
    drills: DrillState,
}

impl Counts {
    fn read(view: &View<'_>) -> Result<Self, db::Error> {
        let mail::Backlog { waiting, oldest: oldest_mail, .. } = mail::backlog(view)?;
        Ok(Self {
            accounts: accounts::count(view)?,
            sessions: sessions::count_live(view)?,
            keys: api_keys::count_all_live(view)?,
            mails: i64::from(waiting),
            oldest_mail,
            drills: maintenance::drill_state(view)?,
        })
    }
}

impl Stored {
    /// The counts of at most [`COUNT_EVERY`] ago. `None`: the database cannot be read.
    fn counts(&self, app: &App) -> Option<Counts> {
        let now = app.now();
        // After a panic the value is the one before it.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((at, counts)) if now.since(*at) < COUNT_EVERY => Some(counts.clone()),
            _ => {
                let counts = app.store().read_blocking(Counts::read).ok();
                *last = counts.clone().map(|counts| (now, counts));
                counts
            }
        }
    }
}

/// A moment in the unit of Prometheus.
pub(super) fn in_seconds(at: Timestamp) -> String {
    format!("{}.{:03}", at.millis() / 1000, at.millis() % 1000)
}

/// Adds what is in the data folder. What cannot be read is left out.
pub(super) fn add_stored(text: &mut Exposition, app: &App, stored: &Stored) {
    let counts = stored.counts(app);
    let counts = counts.as_ref();
    let layout = app.store().layout();
    let published = std::fs::metadata(layout.snapshot()).ok();
    let made_at = published.as_ref().and_then(|file| file.modified().ok()).map(Timestamp::from_system_time);
    let mut add = |family, value: Option<String>| {
        text.family(family);
        if let Some(value) = value {
            text.value(family.name, &[], value);
        }
    };
    let count = |read: fn(&Counts) -> i64| counts.map(|counts| read(counts).to_string());
    let drills = counts.map(|counts| &counts.drills);
    let last_drill = drills.and_then(|drills| drills.last.as_ref());
    add(&f::SNAPSHOT_TIME, made_at.map(in_seconds));
    add(&f::SNAPSHOT_BYTES, published.map(|file| file.len().to_string()));
    add(&f::DRILL_TIME, last_drill.map(|drill| in_seconds(drill.finished_at)));
    add(&f::DRILL_GOOD, last_drill.map(|drill| u8::from(drill.is_good).to_string()));
    add(&f::DRILL_LAST_GOOD, drills.and_then(|drills| drills.last_good).map(in_seconds));
    add(&f::MAILS, count(|counts| counts.mails));
    let waited = counts.map(|counts| counts.oldest_mail.map_or(0, |oldest| app.now().since(oldest).as_secs()));
    add(&f::MAIL_OLDEST, waited.map(|waited| waited.to_string()));
    add(&f::ACCOUNTS, count(|counts| counts.accounts));
    add(&f::SESSIONS, count(|counts| counts.sessions));
    add(&f::KEYS, count(|counts| counts.keys));
    add(&f::DATABASE_BYTES, Some(db::database_bytes(layout).to_string()));
    add(&f::DISK_FREE, db::free_bytes(layout.root()).ok().map(|free| free.to_string()));
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
