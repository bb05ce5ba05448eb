//! All SQL about services.

use rusqlite::{Row, named_params};

use super::model::{Service, ServiceCredential};
use super::tables::{SERVICE, SERVICE_CREDENTIAL};
use crate::base::{ServiceCredentialId, ServiceId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, sql, values};

const INSERT: &str = sql!(
    insert!(SERVICE),
    "
    on conflict (name) do nothing"
);
const FIND: &str = "select id, name, created_at from service where id = :name or name = :name";
const LIST: &str = "select id, name, created_at from service order by name";
const INSERT_CREDENTIAL: &str = insert!(SERVICE_CREDENTIAL);
const FIND_BY_LOOKUP: &str = "
    select s.id, s.name, s.created_at, c.ends_at
    from service_credential c join service s on s.id = c.service_id
    where c.lookup = :lookup and c.revoked_at is null and (c.ends_at is null or c.ends_at > :now)";
const LIST_CREDENTIALS: &str = sql!(
    "select ",
    columns!(SERVICE_CREDENTIAL as "c", except lookup, pepper_id),
    " from service_credential c where c.service_id = :service_id order by c.id"
);
const UPDATE_END: &str = "update service_credential set ends_at = :ends_at where id = :id";
const UPDATE_REVOKED: &str = "update service_credential set revoked_at = :now where id = :id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[INSERT, FIND, LIST, INSERT_CREDENTIAL, FIND_BY_LOOKUP, LIST_CREDENTIALS, UPDATE_END, UPDATE_REVOKED];

/// Inserts a service. `false`: the name is taken.
pub(super) fn insert(tx: &mut Tx<'_>, service: &Service) -> Result<bool, Error> {
    let inserted = tx.execute(
        INSERT,
        values!(SERVICE => {
            id: service.id,
            name: service.name,
            created_at: service.created_at,
        }),
    )?;
    Ok(inserted == 1)
}

/// The service with this name or id.
pub(super) fn find(view: &View<'_>, name: &str) -> Result<Option<Service>, Error> {
    view.find(FIND, named_params! {":name": name}, read_service)
}

/// All services, by name.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>) -> Result<Vec<Service>, Error> {
    view.list(LIST, [], read_service)
}

fn read_service(row: &Row<'_>) -> rusqlite::Result<Service> {
    by_name!(row, FIND => id, name, created_at);
    Ok(Service { id: id.get()?, name: name.get()?, created_at: created_at.get()? })
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
    view.find(FIND_BY_LOOKUP, named_params! {":lookup": lookup, ":now": now}, |row| {
        by_name!(row, FIND_BY_LOOKUP => id, name, created_at, ends_at);
        Ok((Service { id: id.get()?, name: name.get()?, created_at: created_at.get()? }, ends_at.get()?))
    })
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
