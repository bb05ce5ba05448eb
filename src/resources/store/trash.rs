//! Lists of the trash.

use rusqlite::{Row, named_params};

use super::super::model::{ParentName, Resource, TrashFilter, TrashItem};
use super::lists::{PARENT, in_words, read_parent};
use super::rows::{self, ROW};
use crate::base::{ResourceId, ServiceId, WorkspaceId};
use crate::db::{Error, View, by_name, field, only, sql};

const TRASH_ITEM: &str = sql!(
    ROW,
    ", ",
    PARENT,
    ",
           (select count(*) from resource c where c.cascade_root = r.id) as cascaded,
           r.size_bytes + (select coalesce(sum(c.size_bytes), 0) from resource c where c.cascade_root = r.id) as all_bytes"
);
const OF_LISTED: &str = "
    from listed join resource r on r.id = listed.id left join resource p on p.id = r.parent_id
    order by r.state_at desc, r.id desc";
/// The page of the ids comes first, so that only its rows are joined and counted.
const TRASH: &str = sql!("select ", TRASH_ITEM, OF_LISTED);
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
/// What matches is read once, from the index, for the page and for how many there are.
const MATCHED: &str = "
    with matched (id, at) as materialized (
      select id, state_at from resource
      where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
        and (:kinds = '' or instr(:kinds, ' ' || kind || ' ') > 0)
        and (:pattern = '' or name like :pattern escape '\\')
    )";
const SEARCH_TRASH: &str = sql!(
    MATCHED,
    ", listed (id) as materialized (
      select id from matched order by at desc, id desc limit :limit offset :offset
    )
    select ",
    TRASH_ITEM,
    ", (select count(*) from matched) as total",
    OF_LISTED
);
const COUNT_SEARCH: &str = sql!(MATCHED, " select count(*) from matched");
const COUNT_TRASH_OF_KIND: &str = "
    select count(*) from resource
    where workspace_id = :workspace_id and kind = :kind and state = 'trashed' and cascade_root is null";
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
const LIST_CASCADED: &str =
    sql!("select ", ROW, " from resource r where r.cascade_root = :id order by r.size_bytes desc limit :limit");
const COUNT_CASCADED: &str = "select count(*) from resource where cascade_root = :id";
const LIST_TRASH_IDS: &str = "
    select id from resource
    where workspace_id = :workspace_id and state = 'trashed' and cascade_root is null
    limit :limit";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_TRASH,
    LIST_TRASH_OF_KIND,
    SEARCH_TRASH,
    COUNT_SEARCH,
    COUNT_TRASH_OF_KIND,
    LIST_TRASH_KINDS,
    LIST_CASCADED,
    COUNT_CASCADED,
    LIST_TRASH_IDS,
];

fn read_trash(row: &Row<'_>) -> rusqlite::Result<TrashItem> {
    Ok(TrashItem {
        resource: rows::read(row)?,
        parent: read_parent!(row, TRASH),
        cascaded: field!(row, TRASH, cascaded).get::<i64>().map(|count| u64::try_from(count).unwrap_or_default())?,
        size_bytes: field!(row, TRASH, all_bytes).get()?,
    })
}

/// A page of the trash, without what went there together with another resource, and how many items all pages have. `None`: the filter
/// has no text and at most one type, so that they are counted in another way.
pub(in crate::resources) fn list_trash(
    view: &View<'_>,
    workspace: WorkspaceId,
    filter: &TrashFilter,
) -> Result<(Vec<TrashItem>, Option<u64>), Error> {
    let TrashFilter { offset, limit, .. } = *filter;
    match (filter.kinds.as_slice(), filter.search.is_empty()) {
        ([], true) => {
            let params = named_params! {":workspace_id": workspace, ":limit": limit, ":offset": offset};
            Ok((view.list(LIST_TRASH, params, read_trash)?, None))
        }
        ([kind], true) => {
            let params = named_params! {":workspace_id": workspace, ":kind": kind, ":limit": limit, ":offset": offset};
            Ok((view.list(LIST_TRASH_OF_KIND, params, read_trash)?, None))
        }
        (kinds, _) => {
            let (kinds, pattern) = (in_words(kinds), rows::pattern_of(&filter.search));
            let params = named_params! {
                ":workspace_id": workspace, ":kinds": kinds, ":pattern": pattern, ":limit": limit, ":offset": offset,
            };
            let read = |row: &Row<'_>| {
                let total: i64 = field!(row, SEARCH_TRASH, total).get()?;
                Ok((read_trash(row)?, total))
            };
            let (items, totals): (Vec<_>, Vec<i64>) = view.list(SEARCH_TRASH, params, read)?.into_iter().unzip();
            if let Some(total) = totals.first() {
                return Ok((items, Some(total.unsigned_abs())));
            }
            // A page after the last one does not have the number.
            let params = named_params! {":workspace_id": workspace, ":kinds": kinds, ":pattern": pattern};
            Ok((items, Some(rows::count(view, COUNT_SEARCH, params)?)))
        }
    }
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

/// How many items of the trash have this type.
pub(in crate::resources) fn count_trash(view: &View<'_>, workspace: WorkspaceId, kind: &str) -> Result<u64, Error> {
    rows::count(view, COUNT_TRASH_OF_KIND, named_params! {":workspace_id": workspace, ":kind": kind})
}

/// What went into the trash together with this resource.
pub(in crate::resources) fn list_cascaded(view: &View<'_>, id: ResourceId, limit: u32) -> Result<Vec<Resource>, Error> {
    view.list(LIST_CASCADED, named_params! {":id": id, ":limit": limit}, rows::read)
}

/// How many went into the trash together with this resource.
pub(in crate::resources) fn count_cascaded(view: &View<'_>, id: ResourceId) -> Result<u64, Error> {
    rows::count(view, COUNT_CASCADED, named_params! {":id": id})
}

/// Some of the items that the trash of a workspace lists.
pub(in crate::resources) fn list_trash_ids(
    view: &View<'_>,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<ResourceId>, Error> {
    view.list(LIST_TRASH_IDS, named_params! {":workspace_id": workspace, ":limit": limit}, only)
}
