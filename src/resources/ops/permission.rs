//! Who may do what with the resources of a workspace.

use super::super::error::ResourceError;
use super::super::model::{Resource, State};
use super::super::store;
use super::service_side;
use crate::base::{Actor, ResourceId, Role, WorkspaceId};
use crate::db::{Error, View};
use crate::workspaces;

/// What somebody wants to do with the resources of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// See them: every member.
    See,
    /// Move them to the trash, restore them, delete them for good: from editor on.
    Change,
}

/// Fails unless the actor may do this in the workspace: a member with the role for it, also by a key of theirs, the operator,
/// or the system. To others, the workspace does not exist. A service acts on its own resources only, by other operations.
pub(super) fn require(view: &View<'_>, actor: &Actor, workspace: WorkspaceId, wish: Wish) -> Result<(), ResourceError> {
    if matches!(actor, Actor::Operator | Actor::System) {
        return Ok(());
    }
    // The only workspace that a key can access.
    if matches!(actor, Actor::KeyHolder { workspace: own, .. } if *own != workspace) {
        return Err(ResourceError::NotFound);
    }
    let Some(account) = actor.account() else { return Err(ResourceError::NotFound) };
    match workspaces::role_of(view, workspace, account)? {
        None => Err(ResourceError::NotFound),
        Some(role) if wish == Wish::Change && role < Role::Editor => Err(ResourceError::NotAllowed),
        Some(_) => Ok(()),
    }
}

/// Fails unless a key has the right to change everything that is counted under these: what is below a resource goes with it, and may
/// be of another type. A type that counts for no limit has no right of its own, so it needs the right to write all.
pub(super) fn require_rights(
    view: &View<'_>,
    actor: &Actor,
    count_keys: impl FnOnce(&View<'_>) -> Result<Vec<String>, Error>,
) -> Result<(), ResourceError> {
    // Only a key has less rights than its owner.
    let Actor::KeyHolder { scopes, .. } = actor else { return Ok(()) };
    let table = &view.site().config.scopes;
    let has = |scope: &str| table.parse(scope).is_some_and(|rights| scopes.contains(rights));
    let may_change = |key: &String| has(&format!("{key}:write")) || has("write");
    if count_keys(view)?.iter().all(may_change) { Ok(()) } else { Err(ResourceError::NotAllowed) }
}

/// The resource in this workspace that the actor wants to move to the trash, restore or delete for good: one of the
/// workspaces of a person, or one of a service's own.
pub(super) fn resource_to_change(
    view: &View<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    id: ResourceId,
) -> Result<Resource, ResourceError> {
    if let Actor::Service { service, .. } = actor {
        let own = store::find(view, id)?.filter(|found| found.service == *service && found.workspace == workspace);
        let own = own.ok_or(ResourceError::NotFound)?;
        return match service_side::may_touch(view, *service, workspace)? {
            true => there(own),
            false => Err(ResourceError::NotFound),
        };
    }
    require(view, actor, workspace, Wish::Change)?;
    there(store::find(view, id)?.filter(|found| found.workspace == workspace).ok_or(ResourceError::NotFound)?)
}

fn there(resource: Resource) -> Result<Resource, ResourceError> {
    match resource.state {
        State::Active | State::Trashed => Ok(resource),
        State::Purging | State::Purged => Err(ResourceError::Deleted),
    }
}
