//! The rows of leases.

use rusqlite::{Row, named_params};

use super::super::model::{Lease, LeaseState, Reservable};
use super::super::tables::RESOURCE_LEASE;
use crate::base::{LeaseId, ServiceId, Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, columns, insert, sql, values};

const ROW: &str = columns!(RESOURCE_LEASE, except count_key, category, ended_at);
const INSERT: &str = insert!(RESOURCE_LEASE);
const FIND: &str = sql!("select ", ROW, " from resource_lease where id = :id and service_id = :service_id");
const UPDATE_EXPIRES: &str = "update resource_lease set expires_at = :expires_at where id = :id and state = 'open'";
const UPDATE_ENDED: &str = "
    update resource_lease set state = :state, ended_at = :now where id = :id and state = 'open'";
const EXPIRE_OF_WORKSPACE: &str = "
    update resource_lease set state = 'expired', ended_at = :now
    where workspace_id = :workspace_id and state = 'open' and expires_at <= :now";
const EXPIRE: &str = "
    update resource_lease set state = 'expired', ended_at = :now
    where id in (select id from resource_lease where state = 'open' and expires_at <= :now limit :limit)";
const DELETE_OLD: &str = "
    delete from resource_lease
    where id in (select id from resource_lease where state <> 'open' and ended_at <= :before limit :limit)";
const DELETE_OF_WORKSPACE: &str = "delete from resource_lease where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[INSERT, FIND, UPDATE_EXPIRES, UPDATE_ENDED, EXPIRE_OF_WORKSPACE, EXPIRE, DELETE_OLD, DELETE_OF_WORKSPACE];

fn read(row: &Row<'_>) -> rusqlite::Result<Lease> {
    by_name!(row, ROW => id, service_id, workspace_id, kind, quantity, size_bytes, created_at, expires_at, state);
    let state: String = state.get()?;
    Ok(Lease {
        id: id.get()?,
        service: service_id.get()?,
        workspace: workspace_id.get()?,
        kind: kind.get()?,
        quantity: quantity.get()?,
        size_bytes: size_bytes.get()?,
        created_at: created_at.get()?,
        expires_at: expires_at.get()?,
        state: LeaseState::parse(&state).ok_or(rusqlite::Error::InvalidQuery)?,
    })
}

pub(in crate::resources) fn insert_lease(
    tx: &mut Tx<'_>,
    lease: &Lease,
    count_key: &str,
    thing: &Reservable,
) -> Result<(), Error> {
    tx.execute(
        INSERT,
        values!(RESOURCE_LEASE => {
            id: lease.id,
            service_id: lease.service,
            workspace_id: lease.workspace,
            kind: lease.kind,
            count_key: count_key,
            category: thing.category().as_str(),
            quantity: lease.quantity,
            size_bytes: lease.size_bytes,
            created_at: lease.created_at,
            expires_at: lease.expires_at,
            state: lease.state.as_str(),
        }),
    )?;
    Ok(())
}

/// The lease of this service.
pub(in crate::resources) fn find_lease(
    view: &View<'_>,
    service: ServiceId,
    id: LeaseId,
) -> Result<Option<Lease>, Error> {
    view.find(FIND, named_params! {":id": id, ":service_id": service}, read)
}

pub(in crate::resources) fn update_expires(tx: &mut Tx<'_>, id: LeaseId, expires_at: Timestamp) -> Result<(), Error> {
    tx.execute(UPDATE_EXPIRES, named_params! {":id": id, ":expires_at": expires_at})?;
    Ok(())
}

/// Ends an open lease.
pub(in crate::resources) fn update_lease_ended(tx: &mut Tx<'_>, id: LeaseId, state: LeaseState) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_ENDED, named_params! {":id": id, ":state": state.as_str(), ":now": now})?;
    Ok(())
}

/// Ends the leases of a workspace whose time is over, so that they reserve nothing.
pub(in crate::resources) fn expire_of_workspace(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(EXPIRE_OF_WORKSPACE, named_params! {":workspace_id": workspace, ":now": now})
}

/// Ends leases whose time is over.
pub(in crate::resources) fn expire(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(EXPIRE, named_params! {":now": now, ":limit": limit})
}

/// Deletes leases that ended before this time.
pub(in crate::resources) fn delete_old_leases(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD, named_params! {":before": before, ":limit": limit})
}

/// Deletes the leases of an erased workspace.
pub(in crate::resources) fn delete_leases(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<usize, Error> {
    tx.execute(DELETE_OF_WORKSPACE, named_params! {":workspace_id": workspace})
}
