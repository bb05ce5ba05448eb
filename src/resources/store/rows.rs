//! The rows of resources: one, those below one, and changes.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, named_params};

use super::super::model::{Category, CountKey, NewResource, Resource, State};
use super::super::tables::RESOURCE;
use crate::base::{ResourceId, ServiceId, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

/// The columns of [`Resource`].
pub(super) const ROW: &str = columns!(RESOURCE as "r", except count_key, category, purge_command, generation);
const FIND: &str = sql!("select ", ROW, " from resource r where r.id = :id");
const FIND_EXTERNAL: &str =
    sql!("select ", ROW, " from resource r where r.service_id = :service_id and r.external_id = :external_id");
const INSERT: &str = insert!(RESOURCE);
const UPDATE: &str = "
    update resource
    set name = :name, slug = :slug, parent_id = :parent_id, size_bytes = :size_bytes, version = :version,
        updated_at = :now, missing_at = null, generation = coalesce(:generation, generation)
    where id = :id";
const UPDATE_SEEN: &str = "
    update resource set missing_at = null, generation = coalesce(:generation, generation) where id = :id";
/// A resource and everything below it, however it came there.
const TREE: &str = "
    with recursive tree (id) as (
      select :id union select below.id from resource below join tree on below.parent_id = tree.id
    )";
const UPDATE_TRASHED: &str = sql!(
    TREE,
    "
    update resource
    set state = 'trashed', state_at = :now, purge_after = :purge_after, cascade_root = nullif(:id, id)
    where id in (select id from tree) and state = 'active'"
);
const UPDATE_RESTORED: &str = "
    update resource set state = 'active', state_at = :now, purge_after = null, cascade_root = null
    where state = 'trashed' and (id = :id or cascade_root = :id)";
const UPDATE_PURGING: &str = sql!(
    TREE,
    "
    update resource set state = 'purging', state_at = :now, purge_after = null
    where id in (select id from tree) and state in ('trashed', 'active')"
);
const UPDATE_ORDERED: &str = "update resource set purge_command = :purge_command where id = :id";
const UPDATE_PURGED: &str = "
    update resource
    set state = 'purged', state_at = :now, purge_after = null, cascade_root = null, name = '', slug = '', size_bytes = 0,
        missing_at = null
    where id = :id and state <> 'purged'";
const UPDATE_BACK_IN_TRASH: &str = "
    update resource
    set state = 'trashed', state_at = :now, purge_after = :purge_after, cascade_root = null, purge_command = null
    where id = :id and state = 'purging'";
const UPDATE_ERASED: &str = "
    update resource
    set state = case state when 'purged' then state else 'purging' end, state_at = :now, purge_after = null, name = '',
        slug = '', parent_id = null, cascade_root = null
    where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND,
    FIND_EXTERNAL,
    INSERT,
    UPDATE,
    UPDATE_SEEN,
    UPDATE_TRASHED,
    UPDATE_RESTORED,
    UPDATE_PURGING,
    UPDATE_ORDERED,
    UPDATE_PURGED,
    UPDATE_BACK_IN_TRASH,
    UPDATE_ERASED,
];

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// Reads the columns of [`ROW`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Resource> {
    by_name!(row, ROW => id, kind, external_id, name, slug, size_bytes, state, state_at, purge_after, parent_id, created_at,
             updated_at, service_id, workspace_id, version, cascade_root, missing_at);
    Ok(Resource {
        id: id.get()?,
        service: service_id.get()?,
        external_id: external_id.get()?,
        workspace: workspace_id.get()?,
        kind: kind.get()?,
        parent: parent_id.get()?,
        name: name.get()?,
        slug: slug.get()?,
        size_bytes: size_bytes.get()?,
        version: version.get()?,
        state: state.get()?,
        state_at: state_at.get()?,
        purge_after: purge_after.get()?,
        cascade_root: cascade_root.get()?,
        missing_at: missing_at.get()?,
        created_at: created_at.get()?,
        updated_at: updated_at.get()?,
    })
}

/// The resource with this id, in any state.
pub(in crate::resources) fn find(view: &View<'_>, id: ResourceId) -> Result<Option<Resource>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

/// The resource to which the service gave this id, in any state.
pub(in crate::resources) fn find_external(
    view: &View<'_>,
    service: ServiceId,
    external_id: &str,
) -> Result<Option<Resource>, Error> {
    let params = named_params! {":service_id": service, ":external_id": external_id};
    view.find(FIND_EXTERNAL, params, read)
}

/// What a new row has besides what its service says.
pub(in crate::resources) struct Placement {
    pub service: ServiceId,
    pub parent: Option<ResourceId>,
    pub category: Category,
    pub count_key: CountKey,
    pub generation: Option<i64>,
}

pub(in crate::resources) fn insert(
    tx: &mut Tx<'_>,
    id: ResourceId,
    new: &NewResource,
    place: &Placement,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(RESOURCE => {
            id: id,
            kind: new.kind,
            external_id: new.external_id.as_str(),
            name: new.name.as_str(),
            slug: new.slug.as_ref().map_or("", |slug| slug.as_str()),
            size_bytes: new.size_bytes,
            state: State::Active,
            state_at: now,
            parent_id: place.parent,
            created_at: now,
            updated_at: now,
            service_id: place.service,
            workspace_id: new.workspace,
            count_key: place.count_key.as_text(),
            category: place.category.as_str(),
            version: new.version,
            generation: place.generation,
        }),
    )?;
    Ok(())
}

/// Stores a newer version.
pub(in crate::resources) fn update(
    tx: &mut Tx<'_>,
    id: ResourceId,
    new: &NewResource,
    parent: Option<ResourceId>,
    generation: Option<i64>,
) -> Result<(), Error> {
    let now = tx.now();
    let params = named_params! {
        ":id": id, ":name": new.name.as_str(), ":slug": new.slug.as_ref().map_or("", |slug| slug.as_str()),
        ":parent_id": parent, ":size_bytes": new.size_bytes, ":version": new.version, ":now": now,
        ":generation": generation,
    };
    tx.execute(UPDATE, params)?;
    Ok(())
}

/// Stores that its service names it.
pub(in crate::resources) fn update_seen(tx: &mut Tx<'_>, id: ResourceId, generation: Option<i64>) -> Result<(), Error> {
    tx.execute(UPDATE_SEEN, named_params! {":id": id, ":generation": generation})?;
    Ok(())
}

/// Moves it and what is below it into the trash. Returns how many.
pub(in crate::resources) fn update_trashed(
    tx: &mut Tx<'_>,
    id: ResourceId,
    purge_after: Timestamp,
) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_TRASHED, named_params! {":id": id, ":now": now, ":purge_after": purge_after})
}

/// Restores it and what went into the trash with it. Returns how many.
pub(in crate::resources) fn update_restored(tx: &mut Tx<'_>, id: ResourceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_RESTORED, named_params! {":id": id, ":now": now})
}

/// Marks it and everything below it to be deleted for good. Returns how many.
pub(in crate::resources) fn update_purging(tx: &mut Tx<'_>, id: ResourceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_PURGING, named_params! {":id": id, ":now": now})
}

/// Stores that its service was asked to delete it.
pub(in crate::resources) fn update_ordered(tx: &mut Tx<'_>, id: ResourceId, command: &str) -> Result<(), Error> {
    tx.execute(UPDATE_ORDERED, named_params! {":id": id, ":purge_command": command})?;
    Ok(())
}

/// Frees its bytes and its place. `false`: they were free.
pub(in crate::resources) fn update_purged(tx: &mut Tx<'_>, id: ResourceId) -> Result<bool, Error> {
    let now = tx.now();
    Ok(tx.execute(UPDATE_PURGED, named_params! {":id": id, ":now": now})? == 1)
}

/// Puts it back into the trash, because its service could not delete it.
pub(in crate::resources) fn update_back_in_trash(
    tx: &mut Tx<'_>,
    id: ResourceId,
    purge_after: Timestamp,
) -> Result<bool, Error> {
    let now = tx.now();
    let params = named_params! {":id": id, ":now": now, ":purge_after": purge_after};
    Ok(tx.execute(UPDATE_BACK_IN_TRASH, params)? == 1)
}

/// Empties the names of all resources of an erased workspace, and marks them to be deleted for good.
pub(in crate::resources) fn update_erased(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_ERASED, named_params! {":workspace_id": workspace, ":now": now})
}

/// The one value of a count.
pub(super) fn count(view: &View<'_>, sql: &str, params: impl rusqlite::Params) -> Result<u64, Error> {
    view.one(sql, params, only).map(|count: i64| u64::try_from(count).unwrap_or_default())
}
