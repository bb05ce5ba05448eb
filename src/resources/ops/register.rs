//! Services register their resources, one at a time or many.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{
    BATCH_MAX, BatchResult, Change, CountKey, DEPTH_MAX, ExternalId, NewResource, Rejected, Reservable, Resource,
    ResourceType, State,
};
use super::super::store::{self, Placement, ServiceFilter};
use super::limits::{require_countable, require_place, require_size, workspace_of};
use super::service_side::{may_touch, resource_type, service_of};
use super::stored::{by_external, stored};
use super::{purge, sync};
use crate::audit::{self, Event, Part};
use crate::base::{Actor, Page, ResourceId, ServiceId, WorkspaceId};
use crate::db::{Tx, View};
use crate::workspaces::{self, Workspace};

/// Registers a resource, or a newer version of it. The same version with the same values changes nothing.
///
/// # Errors
/// [`ResourceError`].
pub fn put(tx: &mut Tx<'_>, actor: &Actor, new: &NewResource) -> Result<(Resource, Change), ResourceError> {
    let service = service_of(actor)?;
    let (resource, change) = register(tx, service, new, None, None)?;
    if change == Change::Created {
        audit::record(tx, actor, event_about(tx, ResourceEvent::Registered, &resource)?)?;
    }
    Ok((resource, change))
}

/// Registers up to 1,000 resources, in their order: a parent comes before what is below it. One that is refused does not
/// affect the others. `generation`: they are part of this full sync.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::StaleGeneration`], [`ResourceError::Db`]; [`ResourceError::Bad`] for more
/// than 1,000. Nothing was registered then.
pub fn put_batch(
    tx: &mut Tx<'_>,
    actor: &Actor,
    resources: Vec<Result<NewResource, ResourceError>>,
    generation: Option<i64>,
) -> Result<BatchResult<ResourceError>, ResourceError> {
    let service = service_of(actor)?;
    if resources.len() > BATCH_MAX {
        let rule = "a list of 0 to 1000 resources";
        return Err(ResourceError::Bad { member: "resources", code: "bad_batch", rule });
    }
    sync::require_open(tx, service, generation)?;
    let mut result = BatchResult { created: 0, updated: 0, unchanged: 0, rejected: Vec::new() };
    for (index, new) in resources.into_iter().enumerate() {
        match new.and_then(|new| register(tx, service, &new, generation, None)) {
            Ok((_, Change::Created)) => result.created += 1,
            Ok((_, Change::Updated)) => result.updated += 1,
            Ok((_, Change::Unchanged)) => result.unchanged += 1,
            Err(ResourceError::Db(error)) => return Err(error.into()),
            Err(error) => result.rejected.push(Rejected { index, error }),
        }
    }
    if result.created + result.updated > 0 {
        let data = json!({
            "created": result.created,
            "updated": result.updated,
            "unchanged": result.unchanged,
            "rejected": result.rejected.len(),
        });
        audit::record(tx, actor, Event::new(ResourceEvent::BatchRegistered).target(service).data(data))?;
    }
    Ok(result)
}

/// Registers one resource. `leased`: its place was reserved, with so many bytes.
pub(super) fn register(
    tx: &mut Tx<'_>,
    service: ServiceId,
    new: &NewResource,
    generation: Option<i64>,
    leased: Option<i64>,
) -> Result<(Resource, Change), ResourceError> {
    let workspace = workspace_of(tx, service, new.workspace)?;
    let kind = resource_type(tx, service, &new.kind)?.ok_or(ResourceError::UnknownType)?;
    match by_external(tx, service, &new.external_id)? {
        Some(known) => change(tx, &workspace, &known, new, &kind, generation),
        None => create(tx, service, &workspace, new, kind, generation, leased),
    }
}

fn create(
    tx: &mut Tx<'_>,
    service: ServiceId,
    workspace: &Workspace,
    new: &NewResource,
    kind: ResourceType,
    generation: Option<i64>,
    leased: Option<i64>,
) -> Result<(Resource, Change), ResourceError> {
    let parent = match &new.parent {
        Some(parent) => Some(new_parent(tx, service, new, &kind, parent, None)?),
        None => None,
    };
    require_size(tx, workspace, &kind, new.size_bytes)?;
    let thing = Reservable::Resource(kind);
    store::expire_of_workspace(tx, workspace.id)?;
    // The lease has ended in this transaction, so it reserves nothing any more: what fits into it needs no place, and what is
    // larger needs one for all of its bytes.
    let (more, more_bytes) = match leased {
        None => (1, new.size_bytes),
        Some(bytes) => (0, if new.size_bytes <= bytes { 0 } else { new.size_bytes }),
    };
    require_place(tx, workspace, &thing, more, more_bytes)?;
    let now = tx.now();
    let id = ResourceId::new(now, tx.rng());
    let count_key = thing.count_key().unwrap_or_else(|| CountKey::Type(new.kind.clone()));
    store::insert(tx, id, new, &Placement { service, parent, category: thing.category(), count_key, generation })?;
    Ok((stored(tx, id)?, Change::Created))
}

fn change(
    tx: &mut Tx<'_>,
    workspace: &Workspace,
    known: &Resource,
    new: &NewResource,
    kind: &ResourceType,
    generation: Option<i64>,
) -> Result<(Resource, Change), ResourceError> {
    if !known.state.is_there() {
        return Err(ResourceError::Deleted);
    }
    if known.workspace != new.workspace {
        return Err(ResourceError::OtherWorkspace);
    }
    if known.kind != new.kind {
        return Err(ResourceError::OtherType);
    }
    if new.version < known.version {
        return Err(ResourceError::StaleVersion { stored: known.version });
    }
    let has_same_parent = has_parent(tx, known, new.parent.as_ref())?;
    if new.version == known.version {
        let is_same = has_same_parent
            && known.name == new.name.as_str()
            && known.slug == new.slug.as_ref().map_or("", |slug| slug.as_str())
            && known.size_bytes == new.size_bytes;
        if !is_same {
            return Err(ResourceError::StaleVersion { stored: known.version });
        }
        if generation.is_some() || known.missing_at.is_some() {
            store::update_seen(tx, known.id, generation)?;
        }
        return Ok((stored(tx, known.id)?, Change::Unchanged));
    }
    // What moved to the trash together with something is restored and deleted together with it.
    if known.state == State::Trashed && !has_same_parent {
        return Err(ResourceError::MovedInTrash);
    }
    let parent = match &new.parent {
        Some(_) if has_same_parent => known.parent,
        Some(parent) => Some(new_parent(tx, known.service, new, kind, parent, Some(known.id))?),
        None => None,
    };
    // A larger size is refused only if it could not be counted: it says what is there. Plans limit what is created.
    require_countable(tx, workspace, new.size_bytes - known.size_bytes)?;
    store::update(tx, known.id, new, parent, generation)?;
    Ok((stored(tx, known.id)?, Change::Updated))
}

/// Whether this is what stands above the resource. What was deleted for good is known by its digest.
fn has_parent(view: &View<'_>, known: &Resource, parent: Option<&ExternalId>) -> Result<bool, ResourceError> {
    let (Some(above), Some(parent)) = (known.parent, parent) else {
        return Ok(known.parent.is_none() && parent.is_none());
    };
    let found = match store::find_external(view, known.service, parent.as_str())? {
        Some(found) => Some(found.id),
        None => store::find_purged(view, known.service, parent.as_str())?,
    };
    Ok(found == Some(above))
}

/// The parent that a resource gets. `own`: the resource itself, if it exists.
fn new_parent(
    view: &View<'_>,
    service: ServiceId,
    new: &NewResource,
    kind: &ResourceType,
    parent: &ExternalId,
    own: Option<ResourceId>,
) -> Result<ResourceId, ResourceError> {
    if *parent == new.external_id {
        return Err(ResourceError::ParentLoop);
    }
    let parent = store::find_external(view, service, parent.as_str())?
        .filter(|parent| parent.workspace == new.workspace && parent.state.is_there())
        .ok_or(ResourceError::UnknownParent)?;
    if let Some(wanted) = kind.parent.as_ref().filter(|wanted| **wanted != parent.kind) {
        return Err(ResourceError::WrongParent(wanted.clone()));
    }
    if parent.state == State::Trashed {
        return Err(ResourceError::ParentInTrash);
    }
    let (id, mut above, mut levels) = (parent.id, parent.parent, 1);
    while let Some(next) = above {
        levels += 1;
        if own == Some(next) || levels >= DEPTH_MAX {
            return Err(ResourceError::ParentLoop);
        }
        above = stored(view, next)?.parent;
    }
    Ok(id)
}

/// An event about a resource, in its workspace, with its name.
pub(super) fn event_about(view: &View<'_>, kind: ResourceEvent, resource: &Resource) -> Result<Event, ResourceError> {
    let event = Event::new(kind).workspace(resource.workspace).target(resource.id).data(json!({"type": resource.kind}));
    // The name belongs to the person who owns the workspace, and is erased with them.
    let owner = workspaces::find(view, resource.workspace)?.map(|workspace| workspace.owner);
    Ok(match owner {
        Some(owner) => event.subject(owner).private(Part::Text, json!({"name": resource.name})),
        None => event,
    })
}

/// A resource of the service that acts.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::NotFound`], [`ResourceError::Deleted`], [`ResourceError::Db`].
pub fn find_of_service(view: &View<'_>, actor: &Actor, id: &ExternalId) -> Result<Resource, ResourceError> {
    let service = service_of(actor)?;
    let known = by_external(view, service, id)?.ok_or(ResourceError::NotFound)?;
    if !may_touch(view, service, known.workspace)? {
        return Err(ResourceError::NotFound);
    }
    if known.state.is_there() { Ok(known) } else { Err(ResourceError::Deleted) }
}

/// The service's own id of what is above a resource. `None`: nothing is.
///
/// # Errors
/// [`ResourceError::Db`].
pub fn parent_of(view: &View<'_>, resource: &Resource) -> Result<Option<String>, ResourceError> {
    let parent = resource.parent.map(|id| stored(view, id)).transpose()?;
    // What was deleted for good has no such id any more.
    Ok(parent.filter(|parent| parent.state != State::Purged).map(|parent| parent.external_id))
}

/// Up to `limit` resources of the service that acts, the oldest first: of one workspace, and of one type of it. Without those
/// that were deleted for good, and those of workspaces that the service may not touch any more. `after`: where the page before
/// ended.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::NoWorkspace`], [`ResourceError::Db`].
pub fn list_of_service(
    view: &View<'_>,
    actor: &Actor,
    workspace: Option<WorkspaceId>,
    kind: Option<&str>,
    after: Option<ResourceId>,
    limit: u32,
) -> Result<Page<Resource, ResourceId>, ResourceError> {
    let service = service_of(actor)?;
    if let Some(workspace) = workspace {
        workspace_of(view, service, workspace)?;
    }
    let filter = ServiceFilter { workspace, kind, after, limit: limit + 1 };
    let mut page = Page::by(store::list_of_service(view, service, &filter)?, limit, |resource| resource.id);
    let mut granted = BTreeMap::new();
    for resource in &page.rows {
        if let Entry::Vacant(unknown) = granted.entry(resource.workspace) {
            unknown.insert(may_touch(view, service, resource.workspace)?);
        }
    }
    page.rows.retain(|resource| resource.state != State::Purged && granted[&resource.workspace]);
    Ok(page)
}

/// The service says that it deleted a resource for good. Its bytes and its place are free. What is below it is deleted too,
/// as far as the service confirms. Twice is the same as once.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::NotFound`], [`ResourceError::Db`].
pub fn delete_by_service(tx: &mut Tx<'_>, actor: &Actor, id: &ExternalId) -> Result<(), ResourceError> {
    let service = service_of(actor)?;
    let known = match by_external(tx, service, id) {
        Err(ResourceError::Deleted) => return Ok(()),
        found => found?.ok_or(ResourceError::NotFound)?,
    };
    match known.state {
        State::Purged => return Ok(()),
        // It was asked to delete it; the workspace may be gone by now.
        State::Purging => {}
        State::Active | State::Trashed => {
            if !may_touch(tx, service, known.workspace)? {
                return Err(ResourceError::NotFound);
            }
        }
    }
    store::update_purging(tx, known.id)?;
    // While something below it has yet to follow, it stays: its service is asked for it after that, and confirms once more.
    if store::is_last(tx, known.id)? {
        let detail = purge::free(tx, &known)?;
        let event =
            Event::new(ResourceEvent::Deleted).target(known.id).detail(detail).data(json!({"type": known.kind}));
        audit::record(tx, actor, event)?;
    }
    purge::send_first(tx)
}
