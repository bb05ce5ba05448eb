//! What a job is.

use std::time::Duration;

use serde_json::Value;

use crate::base::{AccountId, JobId};

/// A job to be queued.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Which handler; the name never changes once released.
    pub name: &'static str,
    /// Plain ids, nothing secret.
    pub payload: Value,
    /// Whose data the payload points at. `None`: nobody's.
    pub subject: Option<AccountId>,
    /// While a job with the same key waits, this one is not queued. `None`: always queued.
    pub unique_key: Option<String>,
}

impl NewJob {
    /// A job without payload that waits at most once.
    pub fn once(name: &'static str) -> Self {
        Self { name, payload: Value::Null, subject: None, unique_key: Some(name.to_owned()) }
    }
}

/// A job in the runner's hands.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its id.
    pub id: JobId,
    /// Which handler.
    pub name: String,
    /// What it was queued with.
    pub payload: Value,
    /// How often it was tried before: 0 the first time.
    pub attempts: u32,
}

/// Jobs that wait for each other: those of some names, or all but those.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// A JSON array.
    pub names: String,
    /// Whether `names` are the ones left out.
    pub all_but: bool,
}

impl Lane {
    pub(super) fn new(names: &[&str]) -> Self {
        Self { names: Value::from(names.to_vec()).to_string(), all_but: false }
    }

    pub(super) fn all_but(names: &[&str]) -> Self {
        Self { all_but: true, ..Self::new(names) }
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Not now; the reason goes to the log and the console.
    Again(String),
    /// Never; the reason stays with the job.
    GiveUp(String),
}

/// First pause before another try; doubles with each, up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// How long to wait after `attempts` tries that failed.
pub(super) fn pause_after(attempts: u32) -> Duration {
    PAUSE_FIRST.saturating_mul(1u32 << attempts.saturating_sub(1).min(20)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        assert_eq!(pause_after(1).as_secs(), 5);
        assert_eq!(pause_after(3).as_secs(), 20);
        assert_eq!(pause_after(4_000_000), PAUSE_MAX);
    }
}
