//! Full syncs of services.

use rusqlite::named_params;

use super::super::model::FinishedSync;
use super::super::tables::RESOURCE_SYNC;
use crate::base::ServiceId;
use crate::db::{Error, Tx, View, by_name, insert, values};

const UPDATE_MISSING: &str = "
    update resource set missing_at = :now
    where id in (
      select id from resource
      where service_id = :service_id and missing_at is null and state in ('active', 'trashed')
        and (generation is null or generation < :generation)
      limit :limit
    )";
const FIND_SYNC: &str = "select generation, digest, answer from resource_sync where service_id = :service_id";
const REPLACE_SYNC: &str = insert!("insert or replace", RESOURCE_SYNC);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[UPDATE_MISSING, FIND_SYNC, REPLACE_SYNC];

/// Marks what the full sync did not name, some at a time. Returns how many.
pub(in crate::resources) fn update_missing(
    tx: &mut Tx<'_>,
    service: ServiceId,
    generation: i64,
    limit: u32,
) -> Result<usize, Error> {
    let now = tx.now();
    let params = named_params! {":service_id": service, ":generation": generation, ":now": now, ":limit": limit};
    tx.execute(UPDATE_MISSING, params)
}

/// The newest full sync of the service that is finished.
pub(in crate::resources) fn find_sync(view: &View<'_>, service: ServiceId) -> Result<Option<FinishedSync>, Error> {
    view.find(FIND_SYNC, named_params! {":service_id": service}, |row| {
        by_name!(row, FIND_SYNC => generation, digest, answer);
        let (digest, answer): (Option<[u8; 32]>, Option<String>) = (digest.get()?, answer.get()?);
        Ok(FinishedSync { generation: generation.get()?, last: digest.zip(answer) })
    })
}

/// Stores that a full sync is finished.
pub(in crate::resources) fn replace_sync(
    tx: &mut Tx<'_>,
    service: ServiceId,
    finished: &FinishedSync,
) -> Result<(), Error> {
    let now = tx.now();
    let (digest, answer) = finished.last.as_ref().map(|(digest, answer)| (digest, answer)).unzip();
    tx.execute(
        REPLACE_SYNC,
        values!(RESOURCE_SYNC => {
            service_id: service,
            generation: finished.generation,
            ended_at: now,
            digest: digest,
            answer: answer,
        }),
    )?;
    Ok(())
}
