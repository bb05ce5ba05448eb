//! Full syncs: a service names everything that it has, in as many batches as it needs, and then ends the sync.

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
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
        (Some(generation), Some(finished)) if generation <= finished => {
            Err(ResourceError::StaleGeneration { finished })
        }
        _ => Ok(()),
    }
}

/// Ends a full sync: what it did not name is marked as missing, and nothing is deleted. Marks a part at a time, and returns how
/// many it marked; the caller repeats it until that is 0. Then the generation is finished.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::StaleGeneration`], [`ResourceError::Db`].
pub fn end_sync(tx: &mut Tx<'_>, actor: &Actor, generation: i64) -> Result<usize, ResourceError> {
    let service = service_of(actor)?;
    require_open(tx, service, Some(generation))?;
    let marked = store::update_missing(tx, service, generation, MARKED_AT_ONCE)?;
    if marked == 0 {
        store::replace_sync(tx, service, generation)?;
        return Ok(0);
    }
    let data = json!({"generation": generation, "missing": marked});
    audit::record(tx, actor, Event::new(ResourceEvent::Missing).target(service).data(data))?;
    Ok(marked)
}
