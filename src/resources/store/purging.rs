//! What is to be deleted, and what follows what is above it.

use rusqlite::named_params;

use super::super::model::{Follower, Resource, State};
use super::rows::{self, GOES_WITH_DELETION, ROW};
use crate::base::{ResourceId, ServiceId, WorkspaceId};
use crate::db::{Error, View, by_name, only, sql};

const LIST_DUE: &str = "
    select id from resource
    where state = 'trashed' and purge_after <= :now and cascade_root is null
    order by purge_after
    limit :limit";
/// What has something below it that does not follow yet is deleted after that.
const IS_LAST: &str =
    sql!(" not exists (select 1 from resource below where below.parent_id = r.id and", GOES_WITH_DELETION, ")");
const FIND_LAST: &str = sql!("select 1 from resource r where r.id = :id and", IS_LAST);
const LIST_TO_PURGE: &str = sql!(
    "select ",
    ROW,
    " from resource r where r.state = 'purging' and r.purge_command is null and",
    IS_LAST,
    " order by r.state_at limit :limit"
);
const LIST_FOLLOWERS: &str = sql!(
    "
    select c.id, coalesce(p.cascade_root, p.id) as root, 'trashed' as step
    from resource p cross join resource c on c.parent_id = p.id and c.state = 'active'
    where p.state = 'trashed' and (select state from resource where id = coalesce(p.cascade_root, p.id)) = 'trashed'
    union all
    select c.id, c.cascade_root as root, 'active' as step
    from resource c cross join resource r on r.id = c.cascade_root cross join resource p on p.id = c.parent_id
    where c.cascade_root is not null and c.state = 'trashed' and r.state = 'active' and p.state = 'active'
    union all
    select below.id, p.id as root, 'purging' as step
    from resource p cross join resource below on below.parent_id = p.id
    where p.state = 'purging' and",
    GOES_WITH_DELETION,
    " limit :limit"
);
// The same for what is below one resource. Not empty only while a step was not enough for it.
const LIST_BELOW_TO_TRASH: &str =
    "select id from resource where parent_id = :parent_id and state = 'active' limit :limit";
const LIST_BELOW_TO_RESTORE: &str = "
    select id from resource where parent_id = :parent_id and state = 'trashed' and cascade_root = :root limit :limit";
const LIST_BELOW_TO_DELETE: &str =
    sql!("select id from resource below where below.parent_id = :parent_id and", GOES_WITH_DELETION, " limit :limit");
const LIST_BELOW_IN_STATE: &str =
    "select id from resource where parent_id = :parent_id and state = :state limit :limit";
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
    FIND_LAST,
    LIST_FOLLOWERS,
    LIST_BELOW_TO_TRASH,
    LIST_BELOW_TO_RESTORE,
    LIST_BELOW_TO_DELETE,
    LIST_BELOW_IN_STATE,
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

/// What is below a resource that was moved and has to follow it. `root` and `to` are as for [`Follower`].
pub(in crate::resources) fn list_below(
    view: &View<'_>,
    parent: ResourceId,
    (root, to): (ResourceId, State),
    limit: u32,
) -> Result<Vec<Follower>, Error> {
    let ids = match to {
        State::Trashed => view.list(LIST_BELOW_TO_TRASH, named_params! {":parent_id": parent, ":limit": limit}, only),
        State::Active => {
            let params = named_params! {":parent_id": parent, ":root": root, ":limit": limit};
            view.list(LIST_BELOW_TO_RESTORE, params, only)
        }
        State::Purging | State::Purged => {
            view.list(LIST_BELOW_TO_DELETE, named_params! {":parent_id": parent, ":limit": limit}, only)
        }
    };
    // What is deleted follows what is directly above it.
    let root = if to == State::Purging { parent } else { root };
    Ok(ids?.into_iter().map(|id| Follower { id, root, to }).collect())
}

/// Some of what is below a resource and in this state.
pub(in crate::resources) fn list_below_in_state(
    view: &View<'_>,
    parent: ResourceId,
    state: State,
    limit: u32,
) -> Result<Vec<ResourceId>, Error> {
    view.list(LIST_BELOW_IN_STATE, named_params! {":parent_id": parent, ":state": state, ":limit": limit}, only)
}

/// Whether nothing below a resource has yet to follow it to its deletion.
pub(in crate::resources) fn is_last(view: &View<'_>, id: ResourceId) -> Result<bool, Error> {
    Ok(view.find(FIND_LAST, named_params! {":id": id}, only::<i64>)?.is_some())
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
