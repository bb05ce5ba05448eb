//! All SQL about services.

use rusqlite::{Row, named_params};

use super::model::{
    Category, Grant, Manifest, ResourceType, Service, ServiceCredential, ServiceScopes, Sku, StoredManifest,
    WorkspaceGrant,
};
use super::tables::{
    SERVICE, SERVICE_CREDENTIAL, SERVICE_ENROLMENT, SERVICE_MANIFEST, SERVICE_RESOURCE_TYPE, SERVICE_SKU, SERVICE_USE,
    SERVICE_WORKSPACE,
};
use crate::base::{ServiceCredentialId, ServiceId, Timestamp, WorkspaceId};
use crate::config::LimitKey;
use crate::db::{Error, Tx, View, by_name, columns, field, insert, only, sql, values};

const INSERT: &str = sql!(
    insert!(SERVICE),
    "
    on conflict (name) where disconnected_at is null do nothing"
);
const SELECTED: &str = columns!(SERVICE as "s");
const FIND: &str = sql!(
    "select ",
    SELECTED,
    "
    from service s
    where s.id = :name or s.name = :name
    order by s.disconnected_at is null desc, s.disconnected_at desc
    limit 1"
);
const LIST: &str = sql!("select ", SELECTED, " from service s order by s.name, s.disconnected_at is not null, s.id");
const UPDATE_GRANT: &str = "
    update service set scopes = :scopes, has_all_workspaces = :has_all_workspaces where id = :id";
const UPDATE_DISCONNECTED: &str = "update service set disconnected_at = :now where id = :id";
const INSERT_WORKSPACE: &str = insert!(SERVICE_WORKSPACE);
const DELETE_WORKSPACES: &str = "delete from service_workspace where service_id = :service_id";
const LIST_WORKSPACES: &str = "
    select workspace_id from service_workspace where service_id = :service_id order by workspace_id";
const IS_GRANTED: &str = "
    select not exists (
      select 1 from service s
      where s.id = :service_id and (s.disconnected_at is not null or s.has_all_workspaces = 0 and not exists (
        select 1 from service_workspace w where w.service_id = s.id and w.workspace_id = :workspace_id
      ))
    )";
const RESOURCE_TYPE: &str = columns!(SERVICE_RESOURCE_TYPE as "t", except service_id);
const FIND_RESOURCE_TYPE: &str =
    sql!("select ", RESOURCE_TYPE, " from service_resource_type t where t.service_id = :service_id and t.name = :name");
const LIST_RESOURCE_TYPES: &str =
    sql!("select ", RESOURCE_TYPE, " from service_resource_type t where t.service_id = :service_id order by t.name");
const INSERT_RESOURCE_TYPE: &str = insert!(SERVICE_RESOURCE_TYPE);
const DELETE_RESOURCE_TYPES: &str = "delete from service_resource_type where service_id = :service_id";
const INSERT_SKU: &str = insert!(SERVICE_SKU);
const DELETE_SKUS: &str = "delete from service_sku where service_id = :service_id";
const LIST_SKUS: &str = "select sku, label, unit from service_sku where service_id = :service_id order by sku";
const REPLACE_MANIFEST: &str = insert!("insert or replace", SERVICE_MANIFEST);
const FIND_MANIFEST_VERSION: &str = "select version, digest from service_manifest where service_id = :service_id";
const FIND_MANIFEST: &str = "
    select version, can_export, can_erase, updated_at from service_manifest where service_id = :service_id";
const INSERT_ENROLMENT: &str = insert!(SERVICE_ENROLMENT);
const TAKE_ENROLMENT: &str = "
    delete from service_enrolment where lookup = :lookup and expires_at > :now returning service_id";
const DELETE_ENROLMENTS: &str = "delete from service_enrolment where service_id = :service_id";
const DELETE_EXPIRED_ENROLMENTS: &str = "delete from service_enrolment where expires_at <= :now";
const DELETE_ALL_ENROLMENTS: &str = "delete from service_enrolment";
const UPSERT_USE: &str = sql!(
    insert!(SERVICE_USE),
    " on conflict (service_id) do update set last_seen_at = max(last_seen_at, excluded.last_seen_at)"
);
const FIND_LAST_SEEN: &str = "select last_seen_at from service_use where service_id = :service_id";
const INSERT_CREDENTIAL: &str = insert!(SERVICE_CREDENTIAL);
const FIND_BY_LOOKUP: &str = sql!(
    "select ",
    SELECTED,
    ", c.ends_at
    from service_credential c join service s on s.id = c.service_id
    where c.lookup = :lookup and c.revoked_at is null and (c.ends_at is null or c.ends_at > :now)
      and s.disconnected_at is null"
);
const LIST_CREDENTIALS: &str = sql!(
    "select ",
    columns!(SERVICE_CREDENTIAL as "c", except lookup, pepper_id),
    " from service_credential c where c.service_id = :service_id order by c.id"
);
const UPDATE_END: &str = "update service_credential set ends_at = :ends_at where id = :id";
const UPDATE_REVOKED: &str = "update service_credential set revoked_at = :now where id = :id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND,
    LIST,
    UPDATE_GRANT,
    UPDATE_DISCONNECTED,
    INSERT_WORKSPACE,
    DELETE_WORKSPACES,
    LIST_WORKSPACES,
    IS_GRANTED,
    FIND_RESOURCE_TYPE,
    LIST_RESOURCE_TYPES,
    INSERT_RESOURCE_TYPE,
    DELETE_RESOURCE_TYPES,
    INSERT_SKU,
    DELETE_SKUS,
    LIST_SKUS,
    REPLACE_MANIFEST,
    FIND_MANIFEST_VERSION,
    FIND_MANIFEST,
    INSERT_ENROLMENT,
    TAKE_ENROLMENT,
    DELETE_ENROLMENTS,
    DELETE_EXPIRED_ENROLMENTS,
    DELETE_ALL_ENROLMENTS,
    UPSERT_USE,
    FIND_LAST_SEEN,
    INSERT_CREDENTIAL,
    FIND_BY_LOOKUP,
    LIST_CREDENTIALS,
    UPDATE_END,
    UPDATE_REVOKED,
];

/// Inserts a service. `false`: a connected one has its name.
pub(super) fn insert(tx: &mut Tx<'_>, service: &Service) -> Result<bool, Error> {
    let Grant { scopes, workspaces } = &service.grant;
    let inserted = tx.execute(
        INSERT,
        values!(SERVICE => {
            id: service.id,
            name: service.name,
            scopes: scopes.names(),
            has_all_workspaces: workspaces.listed().is_none(),
            created_at: service.created_at,
        }),
    )?;
    insert_workspaces(tx, service.id, workspaces)?;
    Ok(inserted == 1)
}

/// Replaces what a service may do.
pub(super) fn update_grant(tx: &mut Tx<'_>, id: ServiceId, grant: &Grant) -> Result<(), Error> {
    let has_all = grant.workspaces.listed().is_none();
    let scopes = grant.scopes.names();
    tx.execute(UPDATE_GRANT, named_params! {":id": id, ":scopes": scopes, ":has_all_workspaces": has_all})?;
    tx.execute(DELETE_WORKSPACES, named_params! {":service_id": id})?;
    insert_workspaces(tx, id, &grant.workspaces)
}

pub(super) fn update_disconnected(tx: &mut Tx<'_>, id: ServiceId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_DISCONNECTED, named_params! {":id": id, ":now": now})?;
    Ok(())
}

fn insert_workspaces(tx: &mut Tx<'_>, id: ServiceId, workspaces: &WorkspaceGrant) -> Result<(), Error> {
    for workspace in workspaces.listed().unwrap_or_default() {
        tx.execute(INSERT_WORKSPACE, values!(SERVICE_WORKSPACE => { service_id: id, workspace_id: *workspace }))?;
    }
    Ok(())
}

/// Whether the service may touch the workspace, if there is one. The service is not limited unless its row says so: that it
/// exists was checked with its credential.
pub(super) fn is_granted(view: &View<'_>, service: ServiceId, workspace: WorkspaceId) -> Result<bool, Error> {
    let params = named_params! {":service_id": service, ":workspace_id": workspace};
    view.one(IS_GRANTED, params, only)
}

/// The service with this name or id.
pub(super) fn find(view: &View<'_>, name: &str) -> Result<Option<Service>, Error> {
    let row = view.find(FIND, named_params! {":name": name}, read_service)?;
    row.map(|row| row.complete(view)).transpose()
}

/// All services by name, of each name the connected one first.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>) -> Result<Vec<Service>, Error> {
    view.list(LIST, [], read_service)?.into_iter().map(|row| row.complete(view)).collect()
}

/// A service without the list of its workspaces.
struct ServiceRow {
    service: Service,
    scopes: String,
    has_all_workspaces: bool,
}

fn read_service(row: &Row<'_>) -> rusqlite::Result<ServiceRow> {
    by_name!(row, FIND => id, name, scopes, has_all_workspaces, created_at, disconnected_at);
    Ok(ServiceRow {
        service: Service {
            id: id.get()?,
            name: name.get()?,
            grant: Grant::default(),
            created_at: created_at.get()?,
            disconnected_at: disconnected_at.get()?,
        },
        scopes: scopes.get()?,
        has_all_workspaces: has_all_workspaces.get()?,
    })
}

impl ServiceRow {
    fn complete(self, view: &View<'_>) -> Result<Service, Error> {
        let Self { service, scopes, has_all_workspaces } = self;
        let damaged = || Error::Damaged(format!("what the service {} may do", service.id));
        let scopes = ServiceScopes::parse(&scopes).ok_or_else(damaged)?;
        let workspaces = if has_all_workspaces {
            WorkspaceGrant::All
        } else {
            let listed = view.list(LIST_WORKSPACES, named_params! {":service_id": service.id}, only)?;
            WorkspaceGrant::only(listed).ok_or_else(damaged)?
        };
        Ok(Service { grant: Grant { scopes, workspaces }, ..service })
    }
}

pub(super) fn find_resource_type(
    view: &View<'_>,
    service: ServiceId,
    name: &str,
) -> Result<Option<ResourceType>, Error> {
    view.find(FIND_RESOURCE_TYPE, named_params! {":service_id": service, ":name": name}, read_resource_type)
}

/// The types of resources that the manifest of the service adds, by name.
pub(super) fn list_resource_types(view: &View<'_>, service: ServiceId) -> Result<Vec<ResourceType>, Error> {
    view.list(LIST_RESOURCE_TYPES, named_params! {":service_id": service}, read_resource_type)
}

fn read_resource_type(row: &Row<'_>) -> rusqlite::Result<ResourceType> {
    by_name!(row, FIND_RESOURCE_TYPE => name, label, parent, category, limit_key);
    let (category, limit): (Option<String>, Option<String>) = (category.get()?, limit_key.get()?);
    Ok(ResourceType {
        name: name.get()?,
        label: label.get()?,
        parent: parent.get()?,
        category: category.as_deref().and_then(Category::parse),
        limit: limit.as_deref().and_then(LimitKey::parse),
    })
}

/// Replaces the manifest of the service, with its types and SKUs.
pub(super) fn replace_manifest(
    tx: &mut Tx<'_>,
    service: ServiceId,
    manifest: &Manifest,
    digest: &[u8; 32],
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        REPLACE_MANIFEST,
        values!(SERVICE_MANIFEST => {
            service_id: service,
            version: manifest.version,
            can_export: manifest.can_export,
            can_erase: manifest.can_erase,
            digest: *digest,
            updated_at: now,
        }),
    )?;
    tx.execute(DELETE_RESOURCE_TYPES, named_params! {":service_id": service})?;
    for one in &manifest.resource_types {
        tx.execute(
            INSERT_RESOURCE_TYPE,
            values!(SERVICE_RESOURCE_TYPE => {
                service_id: service,
                name: one.name,
                label: one.label,
                parent: one.parent,
                category: one.category.map(Category::as_str),
                limit_key: one.limit.map(LimitKey::as_str),
            }),
        )?;
    }
    tx.execute(DELETE_SKUS, named_params! {":service_id": service})?;
    for one in &manifest.skus {
        let values = values!(SERVICE_SKU => { service_id: service, sku: one.sku, label: one.label, unit: one.unit });
        tx.execute(INSERT_SKU, values)?;
    }
    Ok(())
}

/// The version of the stored manifest, and its digest.
pub(super) fn find_manifest_version(view: &View<'_>, service: ServiceId) -> Result<Option<(i64, [u8; 32])>, Error> {
    view.find(FIND_MANIFEST_VERSION, named_params! {":service_id": service}, |row| {
        by_name!(row, FIND_MANIFEST_VERSION => version, digest);
        Ok((version.get()?, digest.get()?))
    })
}

/// The stored manifest without its types and SKUs.
pub(super) fn find_manifest(view: &View<'_>, service: ServiceId) -> Result<Option<StoredManifest>, Error> {
    view.find(FIND_MANIFEST, named_params! {":service_id": service}, |row| {
        by_name!(row, FIND_MANIFEST => version, can_export, can_erase, updated_at);
        let manifest = Manifest {
            version: version.get()?,
            resource_types: Vec::new(),
            skus: Vec::new(),
            webhook_url: None,
            can_export: can_export.get()?,
            can_erase: can_erase.get()?,
        };
        Ok(StoredManifest { manifest, updated_at: updated_at.get()? })
    })
}

/// What the service charges for, by name.
pub(super) fn list_skus(view: &View<'_>, service: ServiceId) -> Result<Vec<Sku>, Error> {
    view.list(LIST_SKUS, named_params! {":service_id": service}, |row| {
        by_name!(row, LIST_SKUS => sku, label, unit);
        Ok(Sku { sku: sku.get()?, label: label.get()?, unit: unit.get()? })
    })
}

pub(super) fn insert_enrolment(
    tx: &mut Tx<'_>,
    service: ServiceId,
    lookup: &[u8; 32],
    expires_at: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    let values = values!(SERVICE_ENROLMENT => {
        lookup: *lookup,
        service_id: service,
        created_at: now,
        expires_at: expires_at,
    });
    tx.execute(INSERT_ENROLMENT, values)?;
    Ok(())
}

/// Deletes the code with this digest. Returns its service. `None`: there is no valid one.
pub(super) fn take_enrolment(tx: &mut Tx<'_>, lookup: &[u8; 32]) -> Result<Option<ServiceId>, Error> {
    let now = tx.now();
    tx.find(TAKE_ENROLMENT, named_params! {":lookup": lookup, ":now": now}, only)
}

/// Deletes the codes of a service.
pub(super) fn delete_enrolments(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    tx.execute(DELETE_ENROLMENTS, named_params! {":service_id": service})
}

/// Deletes codes that have expired. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn delete_expired_enrolments(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_EXPIRED_ENROLMENTS, named_params! {":now": now})
}

/// Ends all codes, in a restored backup: it does not know which ones were used. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn delete_all_enrolments(tx: &mut Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_ALL_ENROLMENTS, [])
}

/// Notes that the service sent a request just now.
pub(super) fn upsert_last_seen(tx: &mut Tx<'_>, service: ServiceId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPSERT_USE, values!(SERVICE_USE => { service_id: service, last_seen_at: now }))?;
    Ok(())
}

/// When the service last sent a request, to the minute. `None`: never.
///
/// # Errors
/// [`Error`].
pub fn last_seen(view: &View<'_>, service: ServiceId) -> Result<Option<Timestamp>, Error> {
    view.find(FIND_LAST_SEEN, named_params! {":service_id": service}, only)
}

pub(super) fn insert_credential(
    tx: &mut Tx<'_>,
    credential: &ServiceCredential,
    lookup: &[u8; 32],
    pepper_id: u32,
) -> Result<(), Error> {
    tx.execute(
        INSERT_CREDENTIAL,
        values!(SERVICE_CREDENTIAL => {
            id: credential.id,
            service_id: credential.service,
            lookup: lookup,
            pepper_id: pepper_id,
            display: credential.display,
            created_at: credential.created_at,
        }),
    )?;
    Ok(())
}

/// The service with this valid credential, and when the credential ends.
pub(super) fn find_by_lookup(
    view: &View<'_>,
    lookup: &[u8; 32],
) -> Result<Option<(Service, Option<Timestamp>)>, Error> {
    let now = view.now();
    let found = view.find(FIND_BY_LOOKUP, named_params! {":lookup": lookup, ":now": now}, |row| {
        // The columns of the service come first, as in the other statements.
        Ok((read_service(row)?, field!(row, FIND_BY_LOOKUP, ends_at).get()?))
    })?;
    found.map(|(row, ends_at)| Ok((row.complete(view)?, ends_at))).transpose()
}

/// All credentials of a service, the oldest first.
///
/// # Errors
/// [`Error`].
pub fn list_credentials(view: &View<'_>, service: ServiceId) -> Result<Vec<ServiceCredential>, Error> {
    view.list(LIST_CREDENTIALS, named_params! {":service_id": service}, |row| {
        by_name!(row, LIST_CREDENTIALS => id, service_id, display, created_at, ends_at, revoked_at);
        Ok(ServiceCredential {
            id: id.get()?,
            service: service_id.get()?,
            display: display.get()?,
            created_at: created_at.get()?,
            ends_at: ends_at.get()?,
            revoked_at: revoked_at.get()?,
        })
    })
}

pub(super) fn update_end(tx: &mut Tx<'_>, id: ServiceCredentialId, ends_at: Timestamp) -> Result<(), Error> {
    tx.execute(UPDATE_END, named_params! {":id": id, ":ends_at": ends_at})?;
    Ok(())
}

pub(super) fn update_revoked(tx: &mut Tx<'_>, id: ServiceCredentialId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_REVOKED, named_params! {":id": id, ":now": now})?;
    Ok(())
}
