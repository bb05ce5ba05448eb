//! Jobs, queues and outcomes.

use std::time::Duration;

use serde_json::Value;

use crate::base::{AccountId, JobId};

/// A job to be queued.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The name of the handler. It never changes once it is released.
    pub name: &'static str,
    /// Plain ids, no secrets.
    pub payload: Value,
    /// The account that the payload refers to, so that an erasure finds the job. `None`: it refers to no account.
    pub subject: Option<AccountId>,
    /// While a job with the same key waits or runs, this one is not queued. `None`: it is always queued.
    pub unique_key: Option<String>,
}

impl NewJob {
    /// A job without payload that is in the queue at most once.
    pub fn once(name: &'static str) -> Self {
        Self { name, payload: Value::Null, subject: None, unique_key: Some(name.to_owned()) }
    }
}

/// A job that a runner has claimed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ClaimedJob {
    pub id: JobId,
    pub name: String,
    pub payload: Value,
    /// How often it was tried before: 0 the first time.
    pub attempts: u32,
}

/// A partition of the jobs, whose jobs run one after the other: those with some names, or all others.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// A JSON array.
    pub names: String,
    /// Whether the queue has all jobs except those in `names`.
    pub all_but: bool,
}

impl Queue {
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
    /// It succeeded.
    Done,
    /// It failed and is tried again later. The reason goes to the log and is stored with the job.
    Again(String),
    /// It failed permanently. The reason goes to the log and is stored with the job.
    GiveUp(String),
}

/// The number of attempts before a job fails permanently. With the backoff they take about half a day.
pub(super) const ATTEMPTS_MAX: u32 = 20;
/// The time before the second attempt. It doubles with each attempt, up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: Duration = Duration::from_secs(5);
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

/// How long to wait after `attempts` failed attempts.
pub(super) fn backoff(attempts: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(1u32 << attempts.saturating_sub(1).min(20)).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_grows_up_to_a_maximum() {
        assert_eq!(backoff(1).as_secs(), 5);
        assert_eq!(backoff(3).as_secs(), 20);
        assert_eq!(backoff(4_000_000), BACKOFF_MAX);
    }
}
