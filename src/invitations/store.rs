//! All SQL about invitations.

use rusqlite::{Row, named_params};

use super::model::Invitation;
use crate::base::{EmailAddress, InvitationId};
use crate::db::{Error, Tx, View};

const INSERT: &str = "
    insert into invitation (id, digest, address, folded, is_operator, created_at, expires_at)
    values (:id, :digest, :address, :folded, :is_operator, :created_at, :expires_at)";
const FIND: &str = "
    select id, address, is_operator, created_at, expires_at from invitation
    where digest = :digest and expires_at > :now";
const LIST: &str = "
    select id, address, is_operator, created_at, expires_at from invitation
    where expires_at > :now
    order by created_at desc, id desc";
const DELETE: &str = "delete from invitation where id = :id";
const DELETE_BY_ADDRESS: &str = "delete from invitation where folded = :folded";
const DELETE_OLD: &str = "
    delete from invitation where id in (select id from invitation where expires_at <= :now limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[INSERT, FIND, LIST, DELETE, DELETE_BY_ADDRESS, DELETE_OLD];

fn read(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    Ok(Invitation {
        id: row.get(0)?,
        address: row.get(1)?,
        is_operator: row.get(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
    })
}

pub(super) fn insert(tx: &mut Tx<'_>, invitation: &Invitation, digest: &[u8; 32]) -> Result<(), Error> {
    tx.execute(
        INSERT,
        named_params! {
            ":id": invitation.id,
            ":digest": digest,
            ":address": invitation.address,
            ":folded": invitation.address.folded(),
            ":is_operator": invitation.is_operator,
            ":created_at": invitation.created_at,
            ":expires_at": invitation.expires_at,
        },
    )?;
    Ok(())
}

pub(super) fn find(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<Invitation>, Error> {
    let now = view.now();
    view.find(FIND, named_params! {":digest": digest, ":now": now}, read)
}

pub(super) fn list(view: &View<'_>) -> Result<Vec<Invitation>, Error> {
    let now = view.now();
    view.list(LIST, named_params! {":now": now}, read)
}

pub(super) fn delete(tx: &mut Tx<'_>, id: InvitationId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":id": id})
}

pub(super) fn delete_by_address(tx: &mut Tx<'_>, address: &EmailAddress) -> Result<usize, Error> {
    tx.execute(DELETE_BY_ADDRESS, named_params! {":folded": address.folded()})
}

pub(super) fn delete_old(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_OLD, named_params! {":now": now, ":limit": limit})
}
