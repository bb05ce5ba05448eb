//! Full syncs: a service names everything that it has, in as many batches as it needs, and then ends the sync.

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::FinishedSync;
use super::super::store;
use super::service_side::service_of;
use crate::audit::{self, Event};
use crate::base::{Actor, ServiceId};
use crate::db::{Tx, View};

/// Resources that one call of [`end_sync`] marks.
const MARKED_AT_ONCE: u32 = 1000;

/// Fails if this full sync, or a newer one, is finished.
pub(super) fn require_open(view: &View<'_>, service: ServiceId, generation: Option<i64>) -> Result<(), ResourceError> {
    match (generation, store::find_sync(view, service)?) {
        (Some(generation), Some(FinishedSync { generation: finished, .. })) if generation <= finished => {
            Err(ResourceError::StaleGeneration { finished })
        }
        _ => Ok(()),
    }
}

/// The answer to the last batch of a finished full sync, if this is that batch again. `None`: it is not.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::Db`].
pub fn repeated_end(
    view: &View<'_>,
    actor: &Actor,
    generation: i64,
    digest: &[u8; 32],
) -> Result<Option<String>, ResourceError> {
    let finished = store::find_sync(view, service_of(actor)?)?.filter(|sync| sync.generation == generation);
    let last = finished.and_then(|sync| sync.last).filter(|(known, _)| known == digest);
    Ok(last.map(|(_, answer)| answer))
}

/// Ends a full sync: what it did not name is marked as missing, and nothing is deleted. Marks a part at a time, and returns how
/// many it marked; the caller repeats it until that is 0. Then the generation is finished, with [`finish_sync`].
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::StaleGeneration`], [`ResourceError::Db`].
pub fn end_sync(tx: &mut Tx<'_>, actor: &Actor, generation: i64) -> Result<usize, ResourceError> {
    let service = service_of(actor)?;
    require_open(tx, service, Some(generation))?;
    let marked = store::update_missing(tx, service, generation, MARKED_AT_ONCE)?;
    if marked == 0 {
        return Ok(0);
    }
    let data = json!({"generation": generation, "missing": marked});
    audit::record(tx, actor, Event::new(ResourceEvent::Missing).target(service).data(data))?;
    Ok(marked)
}

/// Finishes a full sync: no batch of it, or of an earlier one, is taken any more, except its last one again. `last`: the digest of that
/// batch and its answer.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::StaleGeneration`], [`ResourceError::Db`].
// No event: what was missing has one.
pub fn finish_sync(
    tx: &mut Tx<'_>,
    actor: &Actor,
    generation: i64,
    last: Option<([u8; 32], String)>,
) -> Result<(), ResourceError> {
    let service = service_of(actor)?;
    require_open(tx, service, Some(generation))?;
    Ok(store::replace_sync(tx, service, &FinishedSync { generation, last })?)
}
