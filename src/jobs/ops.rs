//! Queues, claims, finishes and deletes jobs.

use super::model::{ATTEMPTS_MAX, ClaimedJob, NewJob, Outcome, Queue, backoff};
use super::store;
use crate::base::{JobId, days, minutes};
use crate::db::{Error, Tx};

/// The maximum number of rows that one purge deletes. The next purge deletes the rest.
const PURGE_BATCH_MAX: u32 = 1000;

/// Queues a job in the transaction of the caller. Does nothing while a job with the same unique key waits or runs.
///
/// # Errors
/// [`Error`].
pub fn enqueue(tx: &mut Tx<'_>, new: NewJob) -> Result<(), Error> {
    let now = tx.now();
    let id = JobId::new(now, tx.rng());
    store::insert(tx, id, &new)
}

/// Claims the next due job of the queue for ten minutes. Before that, requeues jobs whose claim has expired.
pub(super) fn claim(tx: &mut Tx<'_>, queue: &Queue) -> Result<Option<ClaimedJob>, Error> {
    store::update_expired_leases(tx)?;
    let lease = tx.now().plus(minutes(10));
    store::claim(tx, queue, lease)
}

/// Stores how a job ended.
pub(super) fn finish(tx: &mut Tx<'_>, job: JobId, attempts: u32, outcome: &Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Done => store::update_finished(tx, job, None),
        Outcome::GiveUp(why) => store::update_finished(tx, job, Some(why)),
        Outcome::Again(why) if attempts + 1 >= ATTEMPTS_MAX => store::update_finished(tx, job, Some(why)),
        Outcome::Again(why) => {
            let run_at = tx.now().plus(backoff(attempts + 1));
            store::update_retry(tx, job, run_at, why)
        }
    }
}

/// Deletes jobs that ended more than a week ago.
///
/// # Errors
/// [`Error`].
pub fn purge_finished(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(days(7));
    store::delete_finished(tx, before, PURGE_BATCH_MAX)
}
