//! All SQL of the job queue.

use rusqlite::named_params;

use super::model::{ClaimedJob, NewJob, Queue};
use super::tables::JOB;
use crate::base::{AccountId, JobId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const INSERT: &str = sql!(
    insert!(JOB),
    "
    on conflict (unique_key) where unique_key is not null and state in ('queued', 'running') do nothing"
);
// Two subqueries, because each state has its own index. A condition on both states would read every job of the last
// week.
const COUNT_DUE: &str = "
    select exists (
        select 1 from job
        where state = 'queued' and run_at <= :now
          and (name in (select value from json_each(:names))) <> :all_but)
      or exists (
        select 1 from job
        where state = 'running' and run_at <= :now
          and (name in (select value from json_each(:names))) <> :all_but)";
const CLAIM: &str = "
    update job set state = 'running', attempts = attempts + 1, run_at = :lease_until
    where id = (
      select id from job
      where state = 'queued' and run_at <= :now and (name in (select value from json_each(:names))) <> :all_but
      order by run_at
      limit 1)
    returning id, name, payload_json, attempts - 1 as failures";
const FINISH: &str = "
    update job set state = :state, payload_json = 'null', finished_at = :now, last_error = :last_error where id = :id";
const RETRY: &str = "update job set state = 'queued', run_at = :run_at, last_error = :last_error where id = :id";
const RELEASE_EXPIRED: &str = "update job set state = 'queued' where state = 'running' and run_at <= :now";
const DELETE_OF_SUBJECT: &str = "delete from job where subject_id = :subject_id";
const DELETE_FINISHED: &str = "
    delete from job where id in (
      select id from job where state in ('done', 'failed') and finished_at < :before limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[INSERT, COUNT_DUE, CLAIM, FINISH, RETRY, RELEASE_EXPIRED, DELETE_OF_SUBJECT, DELETE_FINISHED];

pub(super) fn insert(tx: &mut Tx<'_>, id: JobId, new: &NewJob) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(JOB => {
            id: id,
            name: new.name,
            payload_json: new.payload.to_string(),
            subject_id: new.subject,
            unique_key: new.unique_key,
            state: "queued",
            run_at: now,
            created_at: now,
        }),
    )?;
    Ok(())
}

pub(super) fn is_due(view: &View<'_>, queue: &Queue) -> Result<bool, Error> {
    let now = view.now();
    let params = named_params! {":now": now, ":names": queue.names, ":all_but": queue.all_but};
    view.one(COUNT_DUE, params, only)
}

/// Claims the job of the queue that has been due longest. No other runner claims it until `lease_until`.
pub(super) fn claim(tx: &mut Tx<'_>, queue: &Queue, lease_until: Timestamp) -> Result<Option<ClaimedJob>, Error> {
    let now = tx.now();
    let params =
        named_params! {":now": now, ":lease_until": lease_until, ":names": queue.names, ":all_but": queue.all_but};
    tx.find(CLAIM, params, |row| {
        by_name!(row, CLAIM => id, name, payload_json, failures);
        let payload: String = payload_json.get()?;
        Ok(ClaimedJob {
            id: id.get()?,
            name: name.get()?,
            payload: serde_json::from_str(&payload).unwrap_or_default(),
            attempts: failures.get()?,
        })
    })
}

pub(super) fn update_finished(tx: &mut Tx<'_>, id: JobId, failure: Option<&str>) -> Result<(), Error> {
    let now = tx.now();
    let state = if failure.is_none() { "done" } else { "failed" };
    tx.execute(FINISH, named_params! {":id": id, ":state": state, ":now": now, ":last_error": failure})?;
    Ok(())
}

pub(super) fn update_retry(tx: &mut Tx<'_>, id: JobId, run_at: Timestamp, reason: &str) -> Result<(), Error> {
    tx.execute(RETRY, named_params! {":id": id, ":run_at": run_at, ":last_error": reason})?;
    Ok(())
}

/// Requeues the jobs of a process that stopped while it ran them.
pub(super) fn update_expired_leases(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(RELEASE_EXPIRED, named_params! {":now": now})
}

/// Deletes every job about `account`. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn delete_of_subject(tx: &mut Tx<'_>, subject: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_OF_SUBJECT, named_params! {":subject_id": subject})
}

pub(super) fn delete_finished(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_FINISHED, named_params! {":before": before, ":limit": limit})
}
