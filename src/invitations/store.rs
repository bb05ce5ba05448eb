//! All SQL about invitations.

use rusqlite::{Row, named_params};

use super::model::Invitation;
use super::tables::INVITATION;
use crate::base::{EmailAddress, InvitationId};
use crate::db::{Error, Tx, View, by_name, columns, insert, sql, values};

const INSERT: &str = insert!(INVITATION);
const ROW: &str = columns!(INVITATION, except digest, folded);
const FIND: &str = sql!("select ", ROW, " from invitation where digest = :digest and expires_at > :now");
const LIST: &str = sql!("select ", ROW, " from invitation where expires_at > :now order by created_at desc, id desc");
const DELETE: &str = "delete from invitation where id = :id";
const DELETE_BY_ADDRESS: &str = "delete from invitation where folded = :folded";
const DELETE_OLD: &str = "
    delete from invitation where id in (select id from invitation where expires_at <= :now limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[INSERT, FIND, LIST, DELETE, DELETE_BY_ADDRESS, DELETE_OLD];

fn read(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    by_name!(row, ROW => id, address, is_operator, created_at, expires_at);
    Ok(Invitation {
        id: id.get()?,
        address: address.get()?,
        is_operator: is_operator.get()?,
        created_at: created_at.get()?,
        expires_at: expires_at.get()?,
    })
}

pub(super) fn insert(tx: &mut Tx<'_>, invitation: &Invitation, digest: &[u8; 32]) -> Result<(), Error> {
    tx.execute(
        INSERT,
        values!(INVITATION => {
            id: invitation.id,
            digest: digest,
            address: invitation.address,
            folded: invitation.address.folded(),
            is_operator: invitation.is_operator,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }),
    )?;
    Ok(())
}

pub(super) fn find(view: &View<'_>, digest: &[u8; 32]) -> Result<Option<Invitation>, Error> {
    let now = view.now();
    view.find(FIND, named_params! {":digest": digest, ":now": now}, read)
}

/// The pending invitations, the newest first.
///
/// # Errors
/// [`Error`].
pub fn list(view: &View<'_>) -> Result<Vec<Invitation>, Error> {
    let now = view.now();
    view.list(LIST, named_params! {":now": now}, read)
}

pub(super) fn delete(tx: &mut Tx<'_>, id: InvitationId) -> Result<usize, Error> {
    tx.execute(DELETE, named_params! {":id": id})
}

/// Deletes invitations to an address. Returns how many rows.
///
/// # Errors
/// [`Error`].
pub fn delete_by_address(tx: &mut Tx<'_>, address: &EmailAddress) -> Result<usize, Error> {
    tx.execute(DELETE_BY_ADDRESS, named_params! {":folded": address.folded()})
}

pub(super) fn delete_old(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_OLD, named_params! {":now": now, ":limit": limit})
}
