//! Limits of the plan: asked, and applied to what is created.

use super::super::error::ResourceError;
use super::super::model::{CountKey, LimitAnswer, NUMBER_MAX, Reservable, ResourceType, Standing};
use super::super::store;
use super::service_side::{may_touch, resource_type, service_of};
use crate::base::{Actor, ServiceId, WorkspaceId};
use crate::config::{LimitKey, Plan};
use crate::db::View;
use crate::workspaces::{self, Workspace};

/// Whether the service could create so many of these now, with so many bytes together. Nothing is reserved: somebody else can
/// take the place before it is used.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::NoWorkspace`], [`ResourceError::UnknownType`], [`ResourceError::Db`].
pub fn check_limits(
    view: &View<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    kind: &str,
    quantity: i64,
    size_bytes: i64,
) -> Result<LimitAnswer<ResourceError>, ResourceError> {
    let service = service_of(actor)?;
    let workspace = workspace_of(view, service, workspace)?;
    let thing = reservable(view, service, kind)?;
    let plan = view.site().config.plan(&workspace.plan);
    let standings = standings(view, &workspace, plan, &thing)?;
    let refusal = refuse(plan, &thing, &standings, quantity, size_bytes).err();
    Ok(LimitAnswer { plan: plan.code.clone(), standings, refusal })
}

/// The workspace, if the service may use it.
pub(super) fn workspace_of(
    view: &View<'_>,
    service: ServiceId,
    workspace: WorkspaceId,
) -> Result<Workspace, ResourceError> {
    let found = workspaces::find(view, workspace)?.ok_or(ResourceError::NoWorkspace)?;
    if may_touch(view, service, workspace)? { Ok(found) } else { Err(ResourceError::NoWorkspace) }
}

/// What the service calls by this name.
pub(super) fn reservable(view: &View<'_>, service: ServiceId, kind: &str) -> Result<Reservable, ResourceError> {
    if let Some(special) = Reservable::special(kind) {
        return Ok(special);
    }
    let kind = resource_type(view, service, kind)?.ok_or(ResourceError::UnknownType)?;
    Ok(Reservable::Resource(kind))
}

/// Fails if the workspace may not have so many more of these.
pub(super) fn require_place(
    view: &View<'_>,
    workspace: &Workspace,
    thing: &Reservable,
    quantity: i64,
    size_bytes: i64,
) -> Result<(), ResourceError> {
    let plan = view.site().config.plan(&workspace.plan);
    let standings = standings(view, workspace, plan, thing)?;
    refuse(plan, thing, &standings, quantity, size_bytes)
}

/// Fails if one of these with so many bytes is larger than the plan allows.
pub(super) fn require_size(
    view: &View<'_>,
    workspace: &Workspace,
    kind: &ResourceType,
    size_bytes: i64,
) -> Result<(), ResourceError> {
    let plan = view.site().config.plan(&workspace.plan);
    refuse_size(plan, &Reservable::Resource(kind.clone()), size_bytes)
}

fn refuse_size(plan: &Plan, thing: &Reservable, size_bytes: i64) -> Result<(), ResourceError> {
    let Some(limit) = thing.size_limit() else { return Ok(()) };
    match plan.limits.get(limit) {
        Some(max) if size_bytes > max => Err(ResourceError::UploadTooLarge { limit, max }),
        _ => Ok(()),
    }
}

fn refuse(
    plan: &Plan,
    thing: &Reservable,
    standings: &[Standing],
    quantity: i64,
    size_bytes: i64,
) -> Result<(), ResourceError> {
    // Of several together, one may be as large as the average at least.
    refuse_size(plan, thing, size_bytes / quantity.max(1))?;
    require_sum(plan, standings, size_bytes)?;
    for standing in standings {
        let more = if standing.limit == LimitKey::StorageBytes { size_bytes } else { quantity };
        if let (true, Some(max)) = (standing.refuses(more), standing.max) {
            let current = standing.used + standing.reserved;
            let (limit, plan) = (standing.limit, plan.code.clone());
            return Err(ResourceError::LimitReached { limit, max, current, plan });
        }
    }
    Ok(())
}

/// Fails if a workspace would have more bytes than numbers can hold that every JSON parser reads exactly, also where the plan has no
/// limit: sums of sizes would not be exact, and then none could be computed.
fn require_sum(plan: &Plan, standings: &[Standing], size_bytes: i64) -> Result<(), ResourceError> {
    let Some(storage) = standings.iter().find(|standing| standing.limit == LimitKey::StorageBytes) else {
        return Ok(());
    };
    let current = storage.used.saturating_add(storage.reserved);
    if size_bytes > 0 && current.saturating_add(size_bytes) > NUMBER_MAX {
        let (limit, plan) = (LimitKey::StorageBytes, plan.code.clone());
        return Err(ResourceError::LimitReached { limit, max: NUMBER_MAX, current, plan });
    }
    Ok(())
}

/// Fails if a workspace could not count so many more bytes. The plan does not matter: what is there is there.
pub(super) fn require_countable(view: &View<'_>, workspace: &Workspace, more_bytes: i64) -> Result<(), ResourceError> {
    let plan = view.site().config.plan(&workspace.plan);
    require_sum(plan, &[storage_standing(view, workspace.id, plan)?], more_bytes)
}

/// What the workspace has of what this counts for. Leases whose time is over must have been expired before, where it
/// decides; a mere question counts them until the next minute.
fn standings(
    view: &View<'_>,
    workspace: &Workspace,
    plan: &Plan,
    thing: &Reservable,
) -> Result<Vec<Standing>, ResourceError> {
    let mut standings = Vec::with_capacity(2);
    if let Some(CountKey::Limit(limit)) = thing.count_key() {
        standings.push(standing(view, workspace.id, plan, limit)?);
    }
    standings.push(storage_standing(view, workspace.id, plan)?);
    Ok(standings)
}

/// What a workspace has of what this limit counts.
pub(super) fn standing(
    view: &View<'_>,
    workspace: WorkspaceId,
    plan: &Plan,
    limit: LimitKey,
) -> Result<Standing, ResourceError> {
    let (used, reserved) = store::find_count(view, workspace, limit.as_str())?;
    Ok(Standing { limit, max: plan.limits.get(limit), used, reserved })
}

fn storage_standing(view: &View<'_>, workspace: WorkspaceId, plan: &Plan) -> Result<Standing, ResourceError> {
    let storage = store::list_storage(view, workspace)?;
    Ok(Standing {
        limit: LimitKey::StorageBytes,
        max: plan.limits.get(LimitKey::StorageBytes),
        used: storage.iter().map(|category| category.size_bytes).sum(),
        reserved: storage.iter().map(|category| category.reserved_bytes).sum(),
    })
}
