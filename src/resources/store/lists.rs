//! Lists of resources that are in use.

use rusqlite::named_params;

use super::super::model::{ItemFilter, LargeItem, ParentName, Resource};
use super::rows::{self, ROW};
use crate::base::{ResourceId, ServiceId, WorkspaceId};
use crate::db::{Error, View, by_name, field, only, sql};

/// What stands above a resource `r`.
pub(super) const PARENT: &str =
    "p.id as above_id, p.kind as above_kind, p.name as above_name, p.slug as above_slug, p.state as above_state";
const LIST_OF_SERVICE: &str = sql!(
    "select ",
    ROW,
    " from resource r where r.service_id = :service_id and r.id > :after order by r.id limit :limit"
);
const LIST_OF_WORKSPACE: &str = sql!(
    "select ",
    ROW,
    "
    from resource r
    where r.workspace_id = :workspace_id and r.service_id = :service_id and r.id > :after
    order by r.id
    limit :limit"
);
const LIST_OF_KIND: &str = sql!(
    "select ",
    ROW,
    "
    from resource r
    where r.workspace_id = :workspace_id and r.service_id = :service_id and r.kind = :kind and r.id > :after
    order by r.id
    limit :limit"
);
const LIST_LARGEST: &str = sql!(
    "select ",
    ROW,
    ", ",
    PARENT,
    "
    from resource r left join resource p on p.id = r.parent_id
    where r.workspace_id = :workspace_id and r.state in ('active', 'trashed')
    order by r.size_bytes desc
    limit :limit"
);
/// The same index as for the largest, so that no page is sorted.
const LIST_ITEMS: &str = sql!(
    "select ",
    ROW,
    ", ",
    PARENT,
    "
    from resource r left join resource p on p.id = r.parent_id
    where r.workspace_id = :workspace_id and r.state in ('active', 'trashed') and r.state = 'active'
      and (:kinds = '' or instr(:kinds, ' ' || r.kind || ' ') > 0)
      and (:search = '' or instr(lower(r.name), :search) > 0)
    order by r.size_bytes desc, r.rowid desc
    limit :limit offset :offset"
);
const COUNT_ACTIVE: &str = "
    select count(*) as items, coalesce(sum(size_bytes), 0) as size_bytes from resource
    where service_id = :service_id and workspace_id = :workspace_id and state = 'active'";
const COUNT_ACTIVE_OF: &str = "select count(*) from resource where service_id = :service_id and state = 'active'";
const LIST_ACTIVE_KEYS: &str = "
    select distinct count_key from resource
    where service_id = :service_id and workspace_id = :workspace_id and state = 'active'";
// What stands below another one moves with it.
const LIST_ACTIVE_ROOTS: &str = "
    select r.id from resource r left join resource p on p.id = r.parent_id
    where r.service_id = :service_id and r.workspace_id = :workspace_id and r.state = 'active'
      and (p.id is null or p.state not in ('active', 'trashed'))
    limit :limit";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_OF_SERVICE,
    LIST_OF_WORKSPACE,
    LIST_OF_KIND,
    LIST_LARGEST,
    LIST_ITEMS,
    COUNT_ACTIVE,
    COUNT_ACTIVE_OF,
    LIST_ACTIVE_KEYS,
    LIST_ACTIVE_ROOTS,
];

/// Which resources of a service a list shows.
pub(in crate::resources) struct ServiceFilter<'f> {
    pub workspace: Option<WorkspaceId>,
    /// Only with a workspace.
    pub kind: Option<&'f str>,
    /// Only those with a greater id.
    pub after: Option<ResourceId>,
    pub limit: u32,
}

/// The resources of a service, the oldest first, in every state.
pub(in crate::resources) fn list_of_service(
    view: &View<'_>,
    service: ServiceId,
    filter: &ServiceFilter<'_>,
) -> Result<Vec<Resource>, Error> {
    let after = filter.after.map(ResourceId::to_text).unwrap_or_default();
    let ServiceFilter { limit, kind, .. } = *filter;
    let Some(workspace) = filter.workspace else {
        let params = named_params! {":service_id": service, ":after": after, ":limit": limit};
        return view.list(LIST_OF_SERVICE, params, rows::read);
    };
    match kind {
        None => {
            let params = named_params! {
                ":workspace_id": workspace, ":service_id": service, ":after": after, ":limit": limit,
            };
            view.list(LIST_OF_WORKSPACE, params, rows::read)
        }
        Some(kind) => {
            let params = named_params! {
                ":workspace_id": workspace, ":service_id": service, ":kind": kind, ":after": after, ":limit": limit,
            };
            view.list(LIST_OF_KIND, params, rows::read)
        }
    }
}

macro_rules! read_parent {
    ($row:expr, $sql:ident) => {{
        let id: Option<ResourceId> = field!($row, $sql, above_id).get()?;
        match id {
            None => None,
            Some(id) => Some(ParentName {
                id,
                kind: field!($row, $sql, above_kind).get()?,
                name: field!($row, $sql, above_name).get()?,
                slug: field!($row, $sql, above_slug).get()?,
                state: field!($row, $sql, above_state).get()?,
            }),
        }
    }};
}
pub(super) use read_parent;

/// Types as one text, in which each stands between spaces. Their names have none. Empty: none.
pub(super) fn in_words(kinds: &[String]) -> String {
    if kinds.is_empty() { String::new() } else { format!(" {} ", kinds.join(" ")) }
}

/// The largest resources of a workspace, the largest first.
pub(in crate::resources) fn list_largest(
    view: &View<'_>,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<LargeItem>, Error> {
    view.list(LIST_LARGEST, named_params! {":workspace_id": workspace, ":limit": limit}, |row| {
        Ok(LargeItem { resource: rows::read(row)?, parent: read_parent!(row, LIST_LARGEST) })
    })
}

/// What a workspace has, without the trash, the largest first.
pub(in crate::resources) fn list_items(
    view: &View<'_>,
    workspace: WorkspaceId,
    filter: &ItemFilter,
) -> Result<Vec<(Resource, Option<ParentName>)>, Error> {
    let search = filter.search.to_lowercase();
    let params = named_params! {
        ":workspace_id": workspace, ":kinds": in_words(&filter.kinds), ":search": search, ":limit": filter.limit,
        ":offset": filter.offset,
    };
    view.list(LIST_ITEMS, params, |row| Ok((rows::read(row)?, read_parent!(row, LIST_ITEMS))))
}

/// How many resources of a service a workspace has in use, and their bytes.
pub(in crate::resources) fn count_active(
    view: &View<'_>,
    service: ServiceId,
    workspace: WorkspaceId,
) -> Result<(u64, i64), Error> {
    view.one(COUNT_ACTIVE, named_params! {":service_id": service, ":workspace_id": workspace}, |row| {
        by_name!(row, COUNT_ACTIVE => items, size_bytes);
        Ok((items.get::<i64>()?.unsigned_abs(), size_bytes.get()?))
    })
}

/// How many resources of a service are in use, in all workspaces.
///
/// # Errors
/// [`Error`].
pub fn count_active_of(view: &View<'_>, service: ServiceId) -> Result<u64, Error> {
    rows::count(view, COUNT_ACTIVE_OF, named_params! {":service_id": service})
}

/// What the resources of a service that a workspace has in use are counted under.
pub(in crate::resources) fn list_active_keys(
    view: &View<'_>,
    service: ServiceId,
    workspace: WorkspaceId,
) -> Result<Vec<String>, Error> {
    view.list(LIST_ACTIVE_KEYS, named_params! {":service_id": service, ":workspace_id": workspace}, only)
}

/// Some of the resources of a service that a workspace has in use, of those that stand below no other one.
pub(in crate::resources) fn list_active_roots(
    view: &View<'_>,
    service: ServiceId,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<ResourceId>, Error> {
    let params = named_params! {":service_id": service, ":workspace_id": workspace, ":limit": limit};
    view.list(LIST_ACTIVE_ROOTS, params, only)
}
