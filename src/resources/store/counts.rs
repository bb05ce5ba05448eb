//! What a workspace uses.

use rusqlite::{Row, named_params};

use super::super::model::{Category, CategoryUse, TrashSum};
use crate::base::{ServiceId, WorkspaceId};
use crate::db::{Error, Tx, View, by_name};

const FIND_COUNT: &str = "
    select used, reserved from workspace_count where workspace_id = :workspace_id and count_key = :count_key";
const LIST_STORAGE: &str = "
    select category, size_bytes, items, reserved_bytes from workspace_storage where workspace_id = :workspace_id";
const LIST_TRASH_SUMS: &str = "
    select count_key, trashed, trashed_roots, trashed_bytes from workspace_count
    where workspace_id = :workspace_id and trashed > 0";
const LIST_WORKSPACES: &str = "
    select distinct workspace_id from workspace_count where workspace_id > :after order by workspace_id limit :limit";
/// The counts as the rows say.
const COUNTED: &str = "
    select count_key, sum(state <> 'purged') as used, sum(state = 'trashed') as trashed,
           sum(state = 'trashed' and cascade_root is null) as trashed_roots,
           sum((state = 'trashed') * size_bytes) as trashed_bytes
    from resource
    where workspace_id = :workspace_id
    group by count_key";
const COUNTED_STORAGE: &str = "
    select category, sum((state <> 'purged') * size_bytes) as size_bytes, sum(state <> 'purged') as items
    from resource
    where workspace_id = :workspace_id
    group by category";
const RESERVED: &str = "
    select count_key, category, sum(quantity) as quantity, sum(size_bytes) as size_bytes
    from resource_lease
    where workspace_id = :workspace_id and state = 'open'
    group by count_key, category";
const LIST_SERVICES_KEEPING: &str = "
    select service_id, max(state <> 'purged') as has_items from resource
    where workspace_id = :workspace_id
    group by service_id";
const COUNT_UNCONFIRMED: &str =
    "select count(*) from resource where workspace_id = :workspace_id and state <> 'purged'";
const LIST_COUNTS: &str = "
    select count_key, used, reserved, trashed, trashed_roots, trashed_bytes from workspace_count
    where workspace_id = :workspace_id
    order by count_key";
const REPLACE_COUNT: &str = "
    insert into workspace_count (workspace_id, count_key, used, reserved, trashed, trashed_roots, trashed_bytes)
    values (:workspace_id, :count_key, :used, :reserved, :trashed, :trashed_roots, :trashed_bytes)";
const REPLACE_STORAGE: &str = "
    insert into workspace_storage (workspace_id, category, size_bytes, items, reserved_bytes)
    values (:workspace_id, :category, :size_bytes, :items, :reserved_bytes)";
const DELETE_COUNTS: &str = "delete from workspace_count where workspace_id = :workspace_id";
const DELETE_STORAGE: &str = "delete from workspace_storage where workspace_id = :workspace_id";

const FIND_NOTICE: &str = "select percent from storage_notice where workspace_id = :workspace_id";
const REPLACE_NOTICE: &str = "
    insert into storage_notice (workspace_id, percent) values (:workspace_id, :percent)
    on conflict do update set percent = excluded.percent";
const DELETE_NOTICE: &str = "delete from storage_notice where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_COUNT,
    LIST_STORAGE,
    LIST_TRASH_SUMS,
    LIST_WORKSPACES,
    COUNTED,
    COUNTED_STORAGE,
    RESERVED,
    LIST_SERVICES_KEEPING,
    COUNT_UNCONFIRMED,
    LIST_COUNTS,
    REPLACE_COUNT,
    REPLACE_STORAGE,
    DELETE_COUNTS,
    DELETE_STORAGE,
    FIND_NOTICE,
    REPLACE_NOTICE,
    DELETE_NOTICE,
];

/// What is used and reserved of this key.
pub(in crate::resources) fn find_count(
    view: &View<'_>,
    workspace: WorkspaceId,
    count_key: &str,
) -> Result<(i64, i64), Error> {
    let params = named_params! {":workspace_id": workspace, ":count_key": count_key};
    let found = view.find(FIND_COUNT, params, |row| {
        by_name!(row, FIND_COUNT => used, reserved);
        Ok((used.get()?, reserved.get()?))
    })?;
    Ok(found.unwrap_or_default())
}

/// The categories of which a workspace has or had something.
pub(in crate::resources) fn list_storage(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<CategoryUse>, Error> {
    view.list(LIST_STORAGE, named_params! {":workspace_id": workspace}, |row| {
        by_name!(row, LIST_STORAGE => category, size_bytes, items, reserved_bytes);
        Ok(CategoryUse {
            category: category.get::<String>().map(|text| Category::parse(&text).unwrap_or(Category::Other))?,
            size_bytes: size_bytes.get()?,
            items: items.get()?,
            reserved_bytes: reserved_bytes.get()?,
        })
    })
}

/// What is in the trash of a workspace, by what it is counted under.
pub(in crate::resources) fn list_trash_sums(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<TrashSum>, Error> {
    view.list(LIST_TRASH_SUMS, named_params! {":workspace_id": workspace}, |row| {
        by_name!(row, LIST_TRASH_SUMS => count_key, trashed, trashed_roots, trashed_bytes);
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(TrashSum {
            key: count_key.get()?,
            items: number(trashed.get()?),
            listed: number(trashed_roots.get()?),
            size_bytes: trashed_bytes.get()?,
        })
    })
}

/// The services that keep or kept something for a workspace, and whether something is left that they have not confirmed as deleted.
///
/// # Errors
/// [`Error`].
pub fn list_services_keeping(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<(ServiceId, bool)>, Error> {
    view.list(LIST_SERVICES_KEEPING, named_params! {":workspace_id": workspace}, |row| {
        by_name!(row, LIST_SERVICES_KEEPING => service_id, has_items);
        Ok((service_id.get()?, has_items.get()?))
    })
}

/// How many things of an erased workspace its services have not confirmed as deleted.
///
/// # Errors
/// [`Error`].
pub fn count_unconfirmed(view: &View<'_>, workspace: WorkspaceId) -> Result<u32, Error> {
    view.one(COUNT_UNCONFIRMED, named_params! {":workspace_id": workspace}, crate::db::only)
}

/// The workspaces that have or had resources, by id.
pub(in crate::resources) fn list_workspaces(
    view: &View<'_>,
    after: &str,
    limit: u32,
) -> Result<Vec<WorkspaceId>, Error> {
    view.list(LIST_WORKSPACES, named_params! {":after": after, ":limit": limit}, crate::db::only)
}

/// The counts of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::resources) struct CountRow {
    pub used: i64,
    pub reserved: i64,
    pub trashed: i64,
    pub trashed_roots: i64,
    pub trashed_bytes: i64,
}

/// Counts by key, and bytes by category. What is nothing is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::resources) struct Counts {
    pub by_key: std::collections::BTreeMap<String, CountRow>,
    pub by_category: std::collections::BTreeMap<&'static str, (i64, i64, i64)>,
}

impl Counts {
    fn without_nothing(mut self) -> Self {
        self.by_key.retain(|_, row| *row != CountRow::default());
        self.by_category.retain(|_, row| *row != (0, 0, 0));
        self
    }
}

fn known(category: &str) -> &'static str {
    Category::parse(category).unwrap_or(Category::Other).as_str()
}

/// What is stored.
pub(in crate::resources) fn stored_counts(view: &View<'_>, workspace: WorkspaceId) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let params = named_params! {":workspace_id": workspace};
    counts.by_key.extend(view.list(LIST_COUNTS, params, |row| {
        by_name!(row, LIST_COUNTS => count_key, used, reserved, trashed, trashed_roots, trashed_bytes);
        let row = CountRow {
            used: used.get()?,
            reserved: reserved.get()?,
            trashed: trashed.get()?,
            trashed_roots: trashed_roots.get()?,
            trashed_bytes: trashed_bytes.get()?,
        };
        Ok((count_key.get::<String>()?, row))
    })?);
    let storage = list_storage(view, workspace)?.into_iter();
    counts
        .by_category
        .extend(storage.map(|used| (used.category.as_str(), (used.size_bytes, used.items, used.reserved_bytes))));
    Ok(counts.without_nothing())
}

/// What the rows of resources and leases come to.
pub(in crate::resources) fn counted(view: &View<'_>, workspace: WorkspaceId) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let params = named_params! {":workspace_id": workspace};
    counts.by_key.extend(view.list(COUNTED, params, |row| {
        by_name!(row, COUNTED => count_key, used, trashed, trashed_roots, trashed_bytes);
        let row = CountRow {
            used: used.get()?,
            reserved: 0,
            trashed: trashed.get()?,
            trashed_roots: trashed_roots.get()?,
            trashed_bytes: trashed_bytes.get()?,
        };
        Ok((count_key.get::<String>()?, row))
    })?);
    counts.by_category.extend(view.list(COUNTED_STORAGE, params, |row| {
        by_name!(row, COUNTED_STORAGE => category, size_bytes, items);
        Ok((known(&category.get::<String>()?), (size_bytes.get()?, items.get()?, 0)))
    })?);
    let reserved = |row: &Row<'_>| {
        by_name!(row, RESERVED => count_key, category, quantity, size_bytes);
        Ok((count_key.get::<String>()?, known(&category.get::<String>()?), quantity.get()?, size_bytes.get()?))
    };
    let reserved: Vec<(String, &'static str, i64, i64)> = view.list(RESERVED, params, reserved)?;
    for (key, category, quantity, size_bytes) in reserved {
        counts.by_key.entry(key).or_default().reserved += quantity;
        counts.by_category.entry(category).or_default().2 += size_bytes;
    }
    Ok(counts.without_nothing())
}

/// Stores these counts instead of what is stored.
pub(in crate::resources) fn replace_counts(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    counts: &Counts,
) -> Result<(), Error> {
    delete_counts(tx, workspace)?;
    for (key, row) in &counts.by_key {
        let params = named_params! {
            ":workspace_id": workspace, ":count_key": key, ":used": row.used, ":reserved": row.reserved,
            ":trashed": row.trashed, ":trashed_roots": row.trashed_roots, ":trashed_bytes": row.trashed_bytes,
        };
        tx.execute(REPLACE_COUNT, params)?;
    }
    for (category, (size_bytes, items, reserved_bytes)) in &counts.by_category {
        let params = named_params! {
            ":workspace_id": workspace, ":category": category, ":size_bytes": size_bytes, ":items": items,
            ":reserved_bytes": reserved_bytes,
        };
        tx.execute(REPLACE_STORAGE, params)?;
    }
    Ok(())
}

/// Deletes what is stored about an erased workspace.
pub(in crate::resources) fn delete_counts(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), Error> {
    tx.execute(DELETE_COUNTS, named_params! {":workspace_id": workspace})?;
    tx.execute(DELETE_STORAGE, named_params! {":workspace_id": workspace})?;
    tx.execute(DELETE_NOTICE, named_params! {":workspace_id": workspace})?;
    Ok(())
}

/// The highest share of the storage, in percent, that the owner was mailed about. 0: none.
pub(in crate::resources) fn find_notice(view: &View<'_>, workspace: WorkspaceId) -> Result<i64, Error> {
    let found = view.find(FIND_NOTICE, named_params! {":workspace_id": workspace}, crate::db::only)?;
    Ok(found.unwrap_or(0))
}

/// Stores it. 0: none any more.
pub(in crate::resources) fn replace_notice(tx: &mut Tx<'_>, workspace: WorkspaceId, percent: i64) -> Result<(), Error> {
    if percent == 0 {
        tx.execute(DELETE_NOTICE, named_params! {":workspace_id": workspace})?;
    } else {
        tx.execute(REPLACE_NOTICE, named_params! {":workspace_id": workspace, ":percent": percent})?;
    }
    Ok(())
}
