//! The rows of resources: one, those below one, and changes.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Row, named_params};

use super::super::model::{CASCADE_STEP, Category, CountKey, Follower, NewResource, Resource, State};
use super::super::tables::{PURGED_RESOURCE, RESOURCE};
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
/// A resource and everything below it.
const TREE: &str = "
    with recursive tree (id) as (
      select :id union select below.id from resource below join tree on below.parent_id = tree.id
    )";
// The next three change at most so many rows. What is above comes first, so that what is left to change is always below what was
// changed ([`super::purging`]).
const UPDATE_TRASHED: &str = "
    with recursive tree (id) as (
      select :id
      union
      select below.id from resource below join tree on below.parent_id = tree.id where below.state = 'active'
      limit :limit
    )
    update resource
    set state = 'trashed', state_at = :now, purge_after = :purge_after, cascade_root = nullif(:id, id)
    where id in (select id from tree) and state = 'active'";
const UPDATE_RESTORED: &str = "
    with recursive tree (id) as (
      select :id
      union
      select below.id from resource below join tree on below.parent_id = tree.id
      where below.state = 'trashed' and below.cascade_root = :id
      limit :limit
    )
    update resource set state = 'active', state_at = :now, purge_after = null, cascade_root = null, purge_command = null
    where id in (select id from tree) and state = 'trashed'";
const UPDATE_PURGING: &str = sql!(
    "
    with recursive tree (id) as (
      select :id
      union
      select below.id from resource below join tree on below.parent_id = tree.id where",
    GOES_WITH_DELETION,
    "
      limit :limit
    )
    update resource set state = 'purging', state_at = :now, purge_after = null, purge_command = null
    where id in (select id from tree) and state in ('trashed', 'active')"
);
/// What is deleted with what is above it: not what its service could not delete, which is asked for again the next day.
pub(super) const GOES_WITH_DELETION: &str =
    " (below.state = 'active' or (below.state = 'trashed' and below.purge_command is null))";
/// As what it goes with, if that is still there.
const FOLLOW_TO_TRASH: &str = "
    update resource
    set state = 'trashed', cascade_root = :root, state_at = (select state_at from resource where id = :root),
        purge_after = (select purge_after from resource where id = :root)
    where id = :id and state = 'active' and (select state from resource where id = :root) = 'trashed'";
const FOLLOW_BACK: &str = "
    update resource set state = 'active', state_at = :now, purge_after = null, cascade_root = null, purge_command = null
    where id = :id and state = 'trashed' and cascade_root = :root
      and (select state from resource where id = :root) = 'active'";
const FOLLOW_TO_DELETION: &str = "
    update resource set state = 'purging', state_at = :now, purge_after = null, purge_command = null
    where id = :id and state in ('trashed', 'active') and (select state from resource where id = :root) = 'purging'";
const LIST_TREE_KEYS: &str = sql!(
    TREE,
    "
    select distinct count_key from resource
    where id in (select id from tree) and (state = 'active' or (state = 'trashed' and :with_trash))"
);
const LIST_CASCADE_KEYS: &str = "
    select count_key from resource where id = :id
    union
    select count_key from resource where cascade_root = :id";
const UPDATE_ORDERED: &str = "update resource set purge_command = :purge_command where id = :id";
const UPDATE_PURGED: &str = "
    update resource
    set state = 'purged', state_at = :now, purge_after = null, cascade_root = null, external_id = 'purged ' || id, name = '',
        slug = '', size_bytes = 0, missing_at = null
    where id = :id and (state <> 'purged' or substr(external_id, 1, 7) <> 'purged ')";
// It keeps the command, which says that its service could not delete it.
const UPDATE_BACK_IN_TRASH: &str = "
    update resource
    set state = 'trashed', state_at = :now, purge_after = :purge_after, cascade_root = null
    where id = :id and state = 'purging'";
const UPDATE_ERASED: &str = "
    update resource
    set state = case state when 'purged' then state else 'purging' end, state_at = :now, purge_after = null, name = '',
        slug = '', parent_id = null, cascade_root = null,
        purge_command = case state when 'trashed' then null else purge_command end
    where workspace_id = :workspace_id";
// After a restore: what was below or went with what is gone stands alone.
const UPDATE_CHILDREN_ALONE: &str = "update resource set parent_id = null where parent_id = :id";
const UPDATE_CASCADE_ALONE: &str =
    "update resource set cascade_root = null where cascade_root = :id and state = 'trashed'";
// Those that were deleted before their ids became digests.
const IS_NAMED_PURGED: &str = " r.state = 'purged' and substr(r.external_id, 1, 7) <> 'purged '";
const LIST_NAMED_PURGED: &str =
    sql!("select ", ROW, " from resource r where r.workspace_id = :workspace_id and", IS_NAMED_PURGED, " limit :limit");
const LIST_ALL_NAMED_PURGED: &str = sql!("select ", ROW, " from resource r where", IS_NAMED_PURGED, " limit :limit");
const INSERT_PURGED: &str = insert!("insert or ignore", PURGED_RESOURCE);
const FIND_PURGED: &str = "
    select resource_id from purged_resource where service_id = :service_id and digest = :digest";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND,
    FIND_EXTERNAL,
    INSERT,
    UPDATE,
    UPDATE_SEEN,
    UPDATE_TRASHED,
    UPDATE_RESTORED,
    FOLLOW_TO_TRASH,
    FOLLOW_BACK,
    FOLLOW_TO_DELETION,
    UPDATE_PURGING,
    LIST_TREE_KEYS,
    LIST_CASCADE_KEYS,
    UPDATE_ORDERED,
    UPDATE_PURGED,
    UPDATE_BACK_IN_TRASH,
    UPDATE_ERASED,
    UPDATE_CHILDREN_ALONE,
    UPDATE_CASCADE_ALONE,
    LIST_NAMED_PURGED,
    LIST_ALL_NAMED_PURGED,
    INSERT_PURGED,
    FIND_PURGED,
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

/// Moves it and what is below it into the trash, a step at most. Returns how many.
pub(in crate::resources) fn update_trashed(
    tx: &mut Tx<'_>,
    id: ResourceId,
    purge_after: Timestamp,
) -> Result<usize, Error> {
    let now = tx.now();
    let params = named_params! {":id": id, ":now": now, ":purge_after": purge_after, ":limit": CASCADE_STEP};
    tx.execute(UPDATE_TRASHED, params)
}

/// Restores it and what went into the trash with it, a step at most. Returns how many.
pub(in crate::resources) fn update_restored(tx: &mut Tx<'_>, id: ResourceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_RESTORED, named_params! {":id": id, ":now": now, ":limit": CASCADE_STEP})
}

/// Moves something where what is above it went. `false`: that changed meanwhile.
pub(in crate::resources) fn update_following(tx: &mut Tx<'_>, follower: &Follower) -> Result<bool, Error> {
    let (now, id, root) = (tx.now(), follower.id, follower.root);
    let changed = match follower.to {
        State::Trashed => tx.execute(FOLLOW_TO_TRASH, named_params! {":id": id, ":root": root}),
        State::Active => tx.execute(FOLLOW_BACK, named_params! {":id": id, ":root": root, ":now": now}),
        State::Purging | State::Purged => {
            tx.execute(FOLLOW_TO_DELETION, named_params! {":id": id, ":root": root, ":now": now})
        }
    };
    Ok(changed? == 1)
}

/// Marks it and what is below it to be deleted for good, a step at most. Returns how many.
pub(in crate::resources) fn update_purging(tx: &mut Tx<'_>, id: ResourceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_PURGING, named_params! {":id": id, ":now": now, ":limit": CASCADE_STEP})
}

/// What is below it, and what went into the trash with it, stands alone.
pub(in crate::resources) fn update_alone(tx: &mut Tx<'_>, id: ResourceId) -> Result<(), Error> {
    tx.execute(UPDATE_CHILDREN_ALONE, named_params! {":id": id})?;
    tx.execute(UPDATE_CASCADE_ALONE, named_params! {":id": id})?;
    Ok(())
}

/// What it and everything below it are counted under, also what was in the trash before or only what was not.
pub(in crate::resources) fn list_tree_keys(
    view: &View<'_>,
    id: ResourceId,
    with_trash: bool,
) -> Result<Vec<String>, Error> {
    view.list(LIST_TREE_KEYS, named_params! {":id": id, ":with_trash": with_trash}, only)
}

/// What it and everything that went into the trash with it are counted under.
pub(in crate::resources) fn list_cascade_keys(view: &View<'_>, id: ResourceId) -> Result<Vec<String>, Error> {
    view.list(LIST_CASCADE_KEYS, named_params! {":id": id}, only)
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

/// Resources of a workspace that were deleted for good and still have the id that their service gave them.
pub(in crate::resources) fn list_named_purged(
    view: &View<'_>,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<Resource>, Error> {
    view.list(LIST_NAMED_PURGED, named_params! {":workspace_id": workspace, ":limit": limit}, read)
}

/// As [`list_named_purged`], of all workspaces.
pub(in crate::resources) fn list_all_named_purged(view: &View<'_>, limit: u32) -> Result<Vec<Resource>, Error> {
    view.list(LIST_ALL_NAMED_PURGED, named_params! {":limit": limit}, read)
}

/// The digest of the id that a service gave to something.
fn digested(service: ServiceId, external_id: &str) -> String {
    format!("resource|{service}|{external_id}")
}

/// Stores that the id, by its digest, never comes back. `false`: it was stored.
pub(in crate::resources) fn insert_purged(
    tx: &mut Tx<'_>,
    service: ServiceId,
    digest: &[u8; 32],
    id: ResourceId,
) -> Result<bool, Error> {
    let now = tx.now();
    let values = values!(PURGED_RESOURCE => { service_id: service, digest: digest, resource_id: id, purged_at: now });
    Ok(tx.execute(INSERT_PURGED, values)? == 1)
}

/// The digest of an id, under the secret key in use.
pub(in crate::resources) fn digest_of(view: &View<'_>, service: ServiceId, external_id: &str) -> [u8; 32] {
    view.site().keyring.lookup(digested(service, external_id).as_bytes())
}

/// Our id of what was deleted for good and had this id. `None`: nothing that was deleted had it.
pub(in crate::resources) fn find_purged(
    view: &View<'_>,
    service: ServiceId,
    external_id: &str,
) -> Result<Option<ResourceId>, Error> {
    for digest in view.site().keyring.lookups(digested(service, external_id).as_bytes()) {
        let params = named_params! {":service_id": service, ":digest": digest};
        if let Some(id) = view.find(FIND_PURGED, params, only)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// What `like` compares with: names that contain this text, whatever their case is in ASCII. Empty: all names.
pub(super) fn pattern_of(search: &str) -> String {
    if search.is_empty() {
        return String::new();
    }
    let mut pattern = String::with_capacity(search.len() + 2);
    pattern.push('%');
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// The one value of a count.
pub(super) fn count(view: &View<'_>, sql: &str, params: impl rusqlite::Params) -> Result<u64, Error> {
    view.one(sql, params, only).map(|count: i64| u64::try_from(count).unwrap_or_default())
}
