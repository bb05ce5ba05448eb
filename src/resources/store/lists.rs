//! Lists of resources.

use rusqlite::{Row, named_params};

use super::super::model::{ItemFilter, LargeItem, ParentName, Resource, TrashFilter, TrashItem};
use super::rows::{self, ROW};
use crate::base::{ResourceId, ServiceId, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, field, only, sql};

/// What stands above a resource `r`.
const PARENT: &str =
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
/// The page of the ids comes first, so that only its rows are joined and counted.
const TRASH: &str = sql!(
    "select ",
    ROW,
    ", ",
    PARENT,
    ",
           (select count(*) from resource c where c.cascade_root = r.id) as cascaded,
           r.size_bytes + (select coalesce(sum(c.size_bytes), 0) from resource c where c.cascade_root = r.id) as all_bytes
    from listed join resource r on r.id = listed.id left join resource p on p.id = r.parent_id
    order by r.state_at desc, r.id desc"
);
const LIST_TRASH: &str = sql!(
    "
    with listed (id) as materialized (
      select id from resource
      where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
      order by state_at desc, id desc
      limit :limit offset :offset
    )
    ",
    TRASH
);
const LIST_TRASH_OF_KIND: &str = sql!(
    "
    with listed (id) as materialized (
      select id from resource
      where workspace_id = :workspace_id and kind = :kind and state = 'trashed' and cascade_root is null
      order by state_at desc, id desc
      limit :limit offset :offset
    )
    ",
    TRASH
);
const SEARCH_TRASH: &str = sql!(
    "
    with listed (id) as materialized (
      select id from resource
      where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
        and (:kinds = '' or instr(:kinds, ' ' || kind || ' ') > 0)
        and (:search = '' or instr(lower(name), :search) > 0)
      order by state_at desc, id desc
      limit :limit offset :offset
    )
    ",
    TRASH
);
const COUNT_TRASH_OF_KIND: &str = "
    select count(*) from resource
    where workspace_id = :workspace_id and kind = :kind and state = 'trashed' and cascade_root is null";
const COUNT_SEARCH: &str = "
    select count(*) from resource
    where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
      and (:kinds = '' or instr(:kinds, ' ' || kind || ' ') > 0) and instr(lower(name), :search) > 0";
// One step in the index for each type, however much of it is in the trash.
const LIST_TRASH_KINDS: &str = "
    with recursive kinds (kind) as (
      select min(kind) from resource
      where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
      union all
      select (
        select min(kind) from resource
        where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null and kind > kinds.kind
      ) from kinds where kinds.kind is not null
    )
    select kind, (
      select service_id from resource r
      where r.workspace_id = :workspace_id and r.kind = kinds.kind and r.state = 'trashed' and r.cascade_root is null
      limit 1
    ) as service_id
    from kinds where kind is not null";
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
const LIST_CASCADED: &str =
    sql!("select ", ROW, " from resource r where r.cascade_root = :id order by r.size_bytes desc limit :limit");
const LIST_TRASH_IDS: &str = "
    select id from resource
    where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
    limit :limit";
const LIST_DUE: &str = "
    select id from resource
    where state = 'trashed' and purge_after <= :now
    order by purge_after
    limit :limit";
const LIST_TO_PURGE: &str = sql!(
    "select ",
    ROW,
    " from resource r where r.state = 'purging' and r.purge_command is null order by r.state_at limit :limit"
);
const LIST_PURGING_SERVICES: &str = "select distinct service_id from resource where state = 'purging'";
const LIST_PURGING: &str =
    sql!("select ", ROW, " from resource r where r.state = 'purging' and r.service_id = :service_id limit :limit");
const UPDATE_MISSING: &str = "
    update resource set missing_at = :now
    where id in (
      select id from resource
      where service_id = :service_id and missing_at is null and state in ('active', 'trashed')
        and (generation is null or generation < :generation)
      limit :limit
    )";
const FIND_SYNC: &str = "select generation from resource_sync where service_id = :service_id";
const REPLACE_SYNC: &str = "
    insert into resource_sync (service_id, generation, ended_at) values (:service_id, :generation, :now)
    on conflict do update set generation = excluded.generation, ended_at = excluded.ended_at";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_OF_SERVICE,
    LIST_OF_WORKSPACE,
    LIST_OF_KIND,
    LIST_TRASH,
    LIST_TRASH_OF_KIND,
    SEARCH_TRASH,
    COUNT_TRASH_OF_KIND,
    LIST_TRASH_KINDS,
    COUNT_SEARCH,
    LIST_LARGEST,
    LIST_ITEMS,
    LIST_CASCADED,
    LIST_TRASH_IDS,
    LIST_DUE,
    LIST_TO_PURGE,
    LIST_PURGING_SERVICES,
    LIST_PURGING,
    UPDATE_MISSING,
    FIND_SYNC,
    REPLACE_SYNC,
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

fn read_trash(row: &Row<'_>) -> rusqlite::Result<TrashItem> {
    Ok(TrashItem {
        resource: rows::read(row)?,
        parent: read_parent!(row, TRASH),
        cascaded: field!(row, TRASH, cascaded).get::<i64>().map(|count| u64::try_from(count).unwrap_or_default())?,
        size_bytes: field!(row, TRASH, all_bytes).get()?,
    })
}

/// A page of the trash, without what went there together with another resource.
pub(in crate::resources) fn list_trash(
    view: &View<'_>,
    workspace: WorkspaceId,
    filter: &TrashFilter,
) -> Result<Vec<TrashItem>, Error> {
    let TrashFilter { offset, limit, .. } = *filter;
    let search = filter.search.to_lowercase();
    match (filter.kinds.as_slice(), search.is_empty()) {
        ([], true) => {
            let params = named_params! {":workspace_id": workspace, ":limit": limit, ":offset": offset};
            view.list(LIST_TRASH, params, read_trash)
        }
        ([kind], true) => {
            let params = named_params! {":workspace_id": workspace, ":kind": kind, ":limit": limit, ":offset": offset};
            view.list(LIST_TRASH_OF_KIND, params, read_trash)
        }
        (kinds, _) => {
            let params = named_params! {
                ":workspace_id": workspace, ":kinds": in_words(kinds), ":search": search, ":limit": limit,
                ":offset": offset,
            };
            view.list(SEARCH_TRASH, params, read_trash)
        }
    }
}

/// Types as one text, in which each stands between spaces. Their names have none. Empty: none.
fn in_words(kinds: &[String]) -> String {
    if kinds.is_empty() { String::new() } else { format!(" {} ", kinds.join(" ")) }
}

/// The types of what is listed in the trash of a workspace, each with a service that has it.
pub(in crate::resources) fn list_trash_kinds(
    view: &View<'_>,
    workspace: WorkspaceId,
) -> Result<Vec<(String, ServiceId)>, Error> {
    view.list(LIST_TRASH_KINDS, named_params! {":workspace_id": workspace}, |row| {
        by_name!(row, LIST_TRASH_KINDS => kind, service_id);
        Ok((kind.get()?, service_id.get()?))
    })
}

/// How many items of the trash have one of these types and a name with this text. Without a text, at least one type.
pub(in crate::resources) fn count_trash(
    view: &View<'_>,
    workspace: WorkspaceId,
    kinds: &[String],
    search: &str,
) -> Result<u64, Error> {
    if search.is_empty() {
        let of = |kind: &String| {
            rows::count(view, COUNT_TRASH_OF_KIND, named_params! {":workspace_id": workspace, ":kind": kind})
        };
        return kinds.iter().map(of).sum();
    }
    let search = search.to_lowercase();
    let params = named_params! {":workspace_id": workspace, ":kinds": in_words(kinds), ":search": search};
    rows::count(view, COUNT_SEARCH, params)
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

/// What went into the trash together with this resource.
pub(in crate::resources) fn list_cascaded(view: &View<'_>, id: ResourceId, limit: u32) -> Result<Vec<Resource>, Error> {
    view.list(LIST_CASCADED, named_params! {":id": id, ":limit": limit}, rows::read)
}

/// Some of the items that the trash of a workspace lists.
pub(in crate::resources) fn list_trash_ids(
    view: &View<'_>,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<ResourceId>, Error> {
    view.list(LIST_TRASH_IDS, named_params! {":workspace_id": workspace, ":limit": limit}, only)
}

/// What has been in the trash for long enough.
pub(in crate::resources) fn list_due(view: &View<'_>, limit: u32) -> Result<Vec<ResourceId>, Error> {
    let now = view.now();
    view.list(LIST_DUE, named_params! {":now": now, ":limit": limit}, only)
}

/// What its service was not yet asked to delete.
pub(in crate::resources) fn list_to_purge(view: &View<'_>, limit: u32) -> Result<Vec<Resource>, Error> {
    view.list(LIST_TO_PURGE, named_params! {":limit": limit}, rows::read)
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

/// Marks what the full sync did not name, some at a time. Returns how many.
pub(in crate::resources) fn update_missing(
    tx: &mut Tx<'_>,
    service: ServiceId,
    generation: i64,
    limit: u32,
) -> Result<usize, Error> {
    let now = tx.now();
    let params = named_params! {":service_id": service, ":generation": generation, ":now": now, ":limit": limit};
    tx.execute(UPDATE_MISSING, params)
}

/// The newest full sync of the service that is finished.
pub(in crate::resources) fn find_sync(view: &View<'_>, service: ServiceId) -> Result<Option<i64>, Error> {
    view.find(FIND_SYNC, named_params! {":service_id": service}, only)
}

pub(in crate::resources) fn replace_sync(tx: &mut Tx<'_>, service: ServiceId, generation: i64) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(REPLACE_SYNC, named_params! {":service_id": service, ":generation": generation, ":now": now})?;
    Ok(())
}
