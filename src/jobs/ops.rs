//! Queue, take, finish, forget.

use super::model::{Claimed, Lane, NewJob, Outcome, pause_after};
use super::store;
use crate::base::{AccountId, JobId, days, minutes};
use crate::db::{Error, Tx};

/// Tries before a job is given up; with the pauses about half a day.
const ATTEMPTS_MAX: u32 = 20;
/// Rows one tidying deletes at most; the rest waits for the next one.
const PURGE_BATCH_MAX: u32 = 1000;

/// Queues a job in the caller's transaction. While one with the same unique key waits or runs, nothing is queued.
///
/// # Errors
/// [`Error`].
pub fn enqueue(tx: &mut Tx<'_>, new: NewJob) -> Result<(), Error> {
    let now = tx.now();
    let id = JobId::new(now, tx.rng());
    store::insert(tx, id, &new)
}

/// Takes the lane's next due job for ten minutes, after putting back what nobody finished in time.
pub(super) fn claim(tx: &mut Tx<'_>, lane: &Lane) -> Result<Option<Claimed>, Error> {
    store::update_expired_leases(tx)?;
    let lease = tx.now().plus(minutes(10));
    store::claim(tx, lane, lease)
}

/// Notes how a job ended.
pub(super) fn finish(tx: &mut Tx<'_>, job: JobId, attempts: u32, outcome: &Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Done => store::update_finished(tx, job, None),
        Outcome::GiveUp(why) => store::update_finished(tx, job, Some(why)),
        Outcome::Again(why) if attempts + 1 >= ATTEMPTS_MAX => store::update_finished(tx, job, Some(why)),
        Outcome::Again(why) => {
            let run_at = tx.now().plus(pause_after(attempts + 1));
            store::update_retry(tx, job, run_at, why)
        }
    }
}

/// Drops every job about `account`. Answers how many.
///
/// # Errors
/// [`Error`].
pub fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    store::delete_of_subject(tx, account)
}

/// Deletes jobs that ended more than a week ago.
///
/// # Errors
/// [`Error`].
pub fn purge_finished(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(days(7));
    store::delete_finished(tx, before, PURGE_BATCH_MAX)
}
