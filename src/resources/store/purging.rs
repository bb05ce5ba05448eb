//! What is to be deleted, and what follows what is above it.

use rusqlite::named_params;

use super::super::model::{Follower, Resource};
use super::rows::{self, ROW};
use crate::base::{ResourceId, ServiceId, WorkspaceId};
use crate::db::{Error, View, by_name, only, sql};

const LIST_DUE: &str = "
    select id from resource
    where state = 'trashed' and purge_after <= :now
    order by purge_after
    limit :limit";
/// What has something below it that does not follow yet is deleted after that.
const IS_LAST: &str = "
      not exists (
        select 1 from resource c
        where c.parent_id = r.id
          and (c.state = 'active' or (c.state = 'trashed' and c.cascade_root is not null)))";
const LIST_TO_PURGE: &str = sql!(
    "select ",
    ROW,
    " from resource r where r.state = 'purging' and r.purge_command is null and",
    IS_LAST,
    " order by r.state_at limit :limit"
);
const LIST_FOLLOWERS: &str = "
    select c.id, coalesce(p.cascade_root, p.id) as root, 'trashed' as step
    from resource p cross join resource c on c.parent_id = p.id and c.state = 'active'
    where p.state = 'trashed'
    union all
    select c.id, c.cascade_root as root, 'active' as step
    from resource c cross join resource r on r.id = c.cascade_root
    where c.cascade_root is not null and c.state = 'trashed' and r.state = 'active'
    union all
    select c.id, p.id as root, 'purging' as step
    from resource p cross join resource c on c.parent_id = p.id
    where p.state = 'purging' and (c.state = 'active' or (c.state = 'trashed' and c.cascade_root is not null))
    limit :limit";
const LIST_PURGING_SERVICES: &str = "select distinct service_id from resource where state = 'purging'";
const LIST_PURGING_SERVICES_OF: &str = "
    select distinct service_id from resource where workspace_id = :workspace_id and state = 'purging'";
const LIST_PURGING_OF: &str = sql!(
    "select ",
    ROW,
    "
    from resource r
    where r.workspace_id = :workspace_id and r.service_id = :service_id and r.state = 'purging'
    limit :limit"
);
const LIST_PURGING: &str = sql!(
    "select ",
    ROW,
    " from resource r where r.state = 'purging' and r.service_id = :service_id and",
    IS_LAST,
    " limit :limit"
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_DUE,
    LIST_TO_PURGE,
    LIST_FOLLOWERS,
    LIST_PURGING_SERVICES,
    LIST_PURGING_SERVICES_OF,
    LIST_PURGING_OF,
    LIST_PURGING,
];

/// What has been in the trash for long enough.
pub(in crate::resources) fn list_due(view: &View<'_>, limit: u32) -> Result<Vec<ResourceId>, Error> {
    let now = view.now();
    view.list(LIST_DUE, named_params! {":now": now, ":limit": limit}, only)
}

/// What its service was not yet asked to delete.
pub(in crate::resources) fn list_to_purge(view: &View<'_>, limit: u32) -> Result<Vec<Resource>, Error> {
    view.list(LIST_TO_PURGE, named_params! {":limit": limit}, rows::read)
}

/// What has to follow what is above it: into the trash, out of it, or to its deletion.
///
/// # Errors
/// [`Error`].
pub fn list_followers(view: &View<'_>, limit: u32) -> Result<Vec<Follower>, Error> {
    view.list(LIST_FOLLOWERS, named_params! {":limit": limit}, |row| {
        by_name!(row, LIST_FOLLOWERS => id, root, step);
        Ok(Follower { id: id.get()?, root: root.get()?, to: step.get()? })
    })
}

/// The services that were asked to delete something, or are to be asked.
pub(in crate::resources) fn list_purging_services(view: &View<'_>) -> Result<Vec<ServiceId>, Error> {
    view.list(LIST_PURGING_SERVICES, [], only)
}

/// What a service was asked to delete, or is to be asked.
pub(in crate::resources) fn list_purging(
    view: &View<'_>,
    service: ServiceId,
    limit: u32,
) -> Result<Vec<Resource>, Error> {
    view.list(LIST_PURGING, named_params! {":service_id": service, ":limit": limit}, rows::read)
}

/// The services that are to delete something of an erased workspace.
pub(in crate::resources) fn list_purging_services_of(
    view: &View<'_>,
    workspace: WorkspaceId,
) -> Result<Vec<ServiceId>, Error> {
    view.list(LIST_PURGING_SERVICES_OF, named_params! {":workspace_id": workspace}, only)
}

/// What a service is to delete of an erased workspace.
pub(in crate::resources) fn list_purging_of(
    view: &View<'_>,
    service: ServiceId,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<Resource>, Error> {
    let params = named_params! {":service_id": service, ":workspace_id": workspace, ":limit": limit};
    view.list(LIST_PURGING_OF, params, rows::read)
}
