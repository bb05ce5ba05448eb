//! What a workspace uses.

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{Category, CategoryUse, Storage};
use super::super::store;
use super::limits::standing;
use super::permission::{Wish, require};
use crate::audit::{self, Event};
use crate::base::{Actor, WorkspaceId};
use crate::config::LimitKey;
use crate::db::{Error, Tx, View};
use crate::workspaces;

/// Items that a list of the largest has.
const LARGEST: u32 = 10;

/// What is counted by number and limited.
const COUNTED: [LimitKey; 5] =
    [LimitKey::Projects, LimitKey::Datasets, LimitKey::Models, LimitKey::Deployments, LimitKey::ConcurrentTrainings];

/// What a workspace uses, against the limits of its plan.
///
/// # Errors
/// [`ResourceError::NotFound`] if there is no such workspace; [`ResourceError::Db`].
pub fn storage(view: &View<'_>, workspace: WorkspaceId) -> Result<Storage, ResourceError> {
    let found = workspaces::find(view, workspace)?.ok_or(ResourceError::NotFound)?;
    let plan = view.site().config.plan(&found.plan);
    let stored = store::list_storage(view, workspace)?;
    let empty = |category| CategoryUse { category, size_bytes: 0, items: 0, reserved_bytes: 0 };
    let of = |category| stored.iter().find(|stored| stored.category == category).copied();
    let categories = Category::ALL.map(|category| of(category).unwrap_or_else(|| empty(category))).to_vec();
    let counts = COUNTED.into_iter().map(|limit| standing(view, workspace, plan, limit));
    Ok(Storage {
        used_bytes: categories.iter().map(|category| category.size_bytes).sum(),
        reserved_bytes: categories.iter().map(|category| category.reserved_bytes).sum(),
        limit_bytes: plan.limits.get(LimitKey::StorageBytes),
        counts: counts.collect::<Result<_, _>>()?,
        largest: store::list_largest(view, workspace, LARGEST)?,
        categories,
    })
}

/// Bytes that a workspace uses, those of the trash among them.
///
/// # Errors
/// [`Error`].
pub fn used_bytes(view: &View<'_>, workspace: WorkspaceId) -> Result<u64, Error> {
    let used: i64 = store::list_storage(view, workspace)?.iter().map(|category| category.size_bytes).sum();
    Ok(u64::try_from(used).unwrap_or_default())
}

/// How much services keep for a workspace: its resources that are not deleted for good, the trash included.
///
/// # Errors
/// [`Error`].
pub fn used_items(view: &View<'_>, workspace: WorkspaceId) -> Result<u64, Error> {
    let used: i64 = store::list_storage(view, workspace)?.iter().map(|category| category.items).sum();
    Ok(u64::try_from(used).unwrap_or_default())
}

/// How many a workspace has of what this limit counts.
///
/// # Errors
/// [`Error`].
pub fn count(view: &View<'_>, workspace: WorkspaceId, limit: LimitKey) -> Result<u64, Error> {
    let (used, _) = store::find_count(view, workspace, limit.as_str())?;
    Ok(u64::try_from(used).unwrap_or_default())
}

/// Whether the stored counts of a workspace are what its rows come to.
///
/// # Errors
/// As for [`recalculate`].
pub fn is_counted_right(view: &View<'_>, actor: &Actor, workspace: WorkspaceId) -> Result<bool, ResourceError> {
    require(view, actor, workspace, Wish::See)?;
    Ok(store::stored_counts(view, workspace)? == store::counted(view, workspace)?)
}

/// Counts the rows of a workspace again. Answers whether the stored counts were wrong; then they are right now.
///
/// # Errors
/// [`ResourceError::NotFound`] unless the actor is a member of the workspace; [`ResourceError::Db`].
pub fn recalculate(tx: &mut Tx<'_>, actor: &Actor, workspace: WorkspaceId) -> Result<bool, ResourceError> {
    require(tx, actor, workspace, Wish::See)?;
    let counted = store::counted(tx, workspace)?;
    if store::stored_counts(tx, workspace)? == counted {
        return Ok(false);
    }
    store::replace_counts(tx, workspace, &counted)?;
    audit::record(tx, actor, Event::new(ResourceEvent::Recounted).target(workspace).data(json!({})))?;
    Ok(true)
}
