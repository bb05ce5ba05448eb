//! The trash: moving there, restoring, deleting for good.

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{Follower, Part, Resource, State, TRASH_KEPT, TrashFilter, TrashKind, TrashPage};
use super::super::store;
use super::permission::{Wish, require, require_rights, resource_to_change};
use super::purge;
use super::register::event_about;
use super::service_side::{self, Order, resource_type};
use super::stored::stored;
use crate::audit::{self, Event};
use crate::base::{Actor, ResourceId, WorkspaceId};
use crate::db::{Error, Tx, View};

/// Items of a page of the trash at most.
const PAGE_MAX: u32 = 200;
/// Items that one call of [`empty_trash`] deletes.
const EMPTY_BATCH_MAX: u32 = 200;

/// Moves a resource of the workspace, and everything below it, to the trash. What is there already stays as it is. A key needs the
/// right for every type that is changed, here and in the operations below. Returns how many went with it.
///
/// # Errors
/// [`ResourceError::NotFound`], [`ResourceError::NotAllowed`], [`ResourceError::Deleted`], [`ResourceError::Db`].
pub fn trash(tx: &mut Tx<'_>, actor: &Actor, workspace: WorkspaceId, id: ResourceId) -> Result<usize, ResourceError> {
    let resource = resource_to_change(tx, actor, workspace, id)?;
    if resource.state == State::Trashed {
        return Ok(0);
    }
    require_rights(tx, actor, |view| store::list_tree_keys(view, id, false))?;
    let purge_after = tx.now().plus(TRASH_KEPT);
    let moved = store::update_trashed(tx, id, purge_after)?;
    let cascaded = moved.saturating_sub(1);
    tell(tx, actor, Order::Trash, &resource)?;
    record(tx, actor, ResourceEvent::Trashed, &resource, cascaded)?;
    Ok(cascaded)
}

/// Restores a resource, and what went to the trash together with it. Returns how many came back with it.
///
/// # Errors
/// [`ResourceError::ParentTrashed`] while its parent is in the trash; [`ResourceError::NotInTrash`]; the others as for [`trash`].
pub fn restore(tx: &mut Tx<'_>, actor: &Actor, workspace: WorkspaceId, id: ResourceId) -> Result<usize, ResourceError> {
    let resource = resource_to_change(tx, actor, workspace, id)?;
    if resource.state != State::Trashed {
        return Err(ResourceError::NotInTrash);
    }
    if let Some(parent) = resource.parent {
        let parent = stored(tx, parent)?;
        match parent.state {
            State::Active => {}
            State::Trashed => {
                let label = |kind: &str| resource_type(tx, resource.service, kind).map(|found| label_of(found, kind));
                let (kind, parent) = (label(&resource.kind)?, label(&parent.kind)?);
                return Err(ResourceError::ParentTrashed { kind, parent });
            }
            State::Purging | State::Purged => return Err(ResourceError::Deleted),
        }
    }
    require_rights(tx, actor, |view| store::list_cascade_keys(view, id))?;
    let cascaded = store::update_restored(tx, id)?.saturating_sub(1);
    tell(tx, actor, Order::Restore, &resource)?;
    record(tx, actor, ResourceEvent::Restored, &resource, cascaded)?;
    Ok(cascaded)
}

fn label_of(kind: Option<super::super::model::ResourceType>, name: &str) -> String {
    kind.map_or_else(|| name.to_owned(), |kind| kind.label.to_lowercase())
}

/// Asks the service to delete a resource in the trash for good, with everything below it. It counts until the service
/// confirms. Returns how many are deleted, with the resource.
///
/// # Errors
/// [`ResourceError::NotInTrash`]; the others as for [`trash`].
pub fn delete_for_good(
    tx: &mut Tx<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    id: ResourceId,
) -> Result<usize, ResourceError> {
    let resource = resource_to_change(tx, actor, workspace, id)?;
    if resource.state != State::Trashed {
        return Err(ResourceError::NotInTrash);
    }
    require_rights(tx, actor, |view| store::list_tree_keys(view, id, true))?;
    let deleted = store::update_purging(tx, id)?;
    record(tx, actor, ResourceEvent::DeletionStarted, &resource, deleted.saturating_sub(1))?;
    purge::send_first(tx)?;
    Ok(deleted)
}

/// Deletes everything in the trash of a workspace for good, a part at a time; the caller repeats it until nothing is moved.
///
/// # Errors
/// [`ResourceError::NotFound`], [`ResourceError::NotAllowed`], [`ResourceError::Db`].
pub fn empty_trash(tx: &mut Tx<'_>, actor: &Actor, workspace: WorkspaceId) -> Result<Part, ResourceError> {
    require(tx, actor, workspace, Wish::Change)?;
    // Of everything, before the first part is deleted.
    require_rights(tx, actor, |view| {
        Ok(store::list_trash_sums(view, workspace)?.into_iter().map(|sum| sum.key).collect())
    })?;
    let mut part = Part::default();
    for id in store::list_trash_ids(tx, workspace, EMPTY_BATCH_MAX)? {
        part.add(id, store::update_purging(tx, id)?);
        if part.is_full() {
            break;
        }
    }
    if part.moved > 0 {
        let data = json!({"deleted": part.moved});
        let event = Event::new(ResourceEvent::TrashEmptied).workspace(workspace).data(data);
        audit::record(tx, actor, event)?;
        purge::send_first(tx)?;
    }
    Ok(part)
}

/// Moves what has to follow what is above it. [`trash`], [`restore`] and [`delete_for_good`] move a part at once; the caller reads
/// what is left with [`list_followers`](store::list_followers), outside of the writer, and repeats it until nothing is. Returns how many.
///
/// # Errors
/// [`Error`].
// No permission: the operation that began it asked. No event: it has one.
pub fn move_followers(tx: &mut Tx<'_>, followers: &[Follower]) -> Result<usize, Error> {
    let mut moved = 0;
    for follower in followers {
        moved += usize::from(store::update_following(tx, follower)?);
    }
    Ok(moved)
}

fn record(
    tx: &mut Tx<'_>,
    actor: &Actor,
    kind: ResourceEvent,
    resource: &Resource,
    cascaded: usize,
) -> Result<(), ResourceError> {
    let event = event_about(tx, kind, resource)?.data(json!({"type": resource.kind, "cascaded": cascaded}));
    Ok(audit::record(tx, actor, event)?)
}

/// Tells the service what somebody else did with its resource.
fn tell(tx: &mut Tx<'_>, actor: &Actor, order: Order, resource: &Resource) -> Result<(), Error> {
    if actor.service() == Some(resource.service) {
        return Ok(());
    }
    service_side::send(tx, order, resource)?;
    Ok(())
}

/// A page of the trash of a workspace. What went there together with another resource is counted there, not listed.
///
/// # Errors
/// [`Error`].
pub fn list_trash(view: &View<'_>, workspace: WorkspaceId, filter: &TrashFilter) -> Result<TrashPage, Error> {
    let filter = TrashFilter { limit: filter.limit.clamp(1, PAGE_MAX), ..filter.clone() };
    let (items, counted) = store::list_trash(view, workspace, &filter)?;
    let total = match (counted, filter.kinds.first()) {
        (Some(total), _) => total,
        (None, Some(kind)) => store::count_trash(view, workspace, kind)?,
        (None, None) => store::list_trash_sums(view, workspace)?.iter().map(|sum| sum.listed).sum(),
    };
    Ok(TrashPage { items, total })
}

/// The types of what is listed in the trash of a workspace, with the labels that the manifests give them.
///
/// # Errors
/// [`Error`].
pub fn list_trash_kinds(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<TrashKind>, Error> {
    let found = store::list_trash_kinds(view, workspace)?.into_iter();
    let kinds = found.map(|(name, service)| {
        let label = resource_type(view, service, &name)?.map_or_else(|| name.clone(), |found| found.label);
        Ok(TrashKind { name, label })
    });
    kinds.collect()
}

/// A resource in the trash of this workspace. `None`: there is none with this id.
///
/// # Errors
/// [`Error`].
pub fn find_in_trash(view: &View<'_>, workspace: WorkspaceId, id: ResourceId) -> Result<Option<Resource>, Error> {
    let is_there = |found: &Resource| found.workspace == workspace && found.state == State::Trashed;
    Ok(store::find(view, id)?.filter(is_there))
}
