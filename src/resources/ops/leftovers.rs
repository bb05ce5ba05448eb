//! What disconnected services keep for a workspace: nobody uses it any more, and it counts until a person deletes it.

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{Leftover, Part, TRASH_KEPT};
use super::super::store;
use super::permission::{Wish, require, require_rights};
use super::service_side;
use crate::audit::{self, Event};
use crate::base::{Actor, ServiceId, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::services;

/// Resources that one call of [`trash_leftovers`] moves, without those below them.
const MOVED_AT_ONCE: u32 = 200;

/// What disconnected services keep for a workspace and is not in the trash.
///
/// # Errors
/// [`Error`].
pub fn leftovers(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<Leftover>, Error> {
    let mut leftovers = Vec::new();
    for service in services::list(view)?.into_iter().filter(|service| service.disconnected_at.is_some()) {
        let (items, size_bytes) = store::count_active(view, service.id, workspace)?;
        if items > 0 {
            leftovers.push(Leftover { service: service.id, name: service.name, items, size_bytes });
        }
    }
    Ok(leftovers)
}

/// Moves what a disconnected service keeps for a workspace to the trash, a part at a time. There it is deleted for good as everything
/// else, and is free at once, because no service can confirm it. The caller repeats it until nothing is
/// moved, and lets what is below follow after each part.
///
/// # Errors
/// [`ResourceError::NotFound`], also for a service that is connected; [`ResourceError::NotAllowed`], [`ResourceError::Db`].
pub fn trash_leftovers(
    tx: &mut Tx<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    service: ServiceId,
) -> Result<Part, ResourceError> {
    require(tx, actor, workspace, Wish::Change)?;
    service_side::require_disconnected(tx, service)?;
    require_rights(tx, actor, |view| store::list_active_keys(view, service, workspace))?;
    let purge_after = tx.now().plus(TRASH_KEPT);
    let mut part = Part::default();
    for id in store::list_active_roots(tx, service, workspace, MOVED_AT_ONCE)? {
        part.add(id, store::update_trashed(tx, id, purge_after)?);
        if part.is_full() {
            break;
        }
    }
    if part.moved > 0 {
        let data = json!({"service": service.to_string(), "items": part.moved});
        let event = Event::new(ResourceEvent::LeftoversTrashed).workspace(workspace).target(service).data(data);
        audit::record(tx, actor, event)?;
    }
    Ok(part)
}
