//! What a workspace has, as its members see it.

use std::collections::BTreeMap;

use super::super::error::ResourceError;
use super::super::model::{Item, ItemFilter, ItemPage};
use super::super::store;
use super::permission::{Wish, require};
use super::service_side;
use crate::base::{Actor, WorkspaceId};
use crate::db::View;

/// Items of a page at most.
const PAGE_MAX: u32 = 200;

/// A page of what a workspace has, without the trash, the largest first.
///
/// # Errors
/// [`ResourceError::NotFound`]: the actor is no member. [`ResourceError::Db`].
pub fn list_items(
    view: &View<'_>,
    actor: &Actor,
    workspace: WorkspaceId,
    filter: &ItemFilter,
) -> Result<ItemPage, ResourceError> {
    require(view, actor, workspace, Wish::See)?;
    let limit = filter.limit.clamp(1, PAGE_MAX);
    // One more than is shown says whether there is another page.
    let mut found = store::list_items(view, workspace, &ItemFilter { limit: limit + 1, ..filter.clone() })?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let mut services = BTreeMap::new();
    let mut items = Vec::with_capacity(found.len());
    for (resource, parent) in found {
        let service = match services.get(&resource.service) {
            Some(name) => String::clone(name),
            None => {
                let name = service_side::name_of(view, resource.service)?;
                services.insert(resource.service, name.clone());
                name
            }
        };
        items.push(Item { resource, parent, service });
    }
    Ok(ItemPage { items, has_more })
}
