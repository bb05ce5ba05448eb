//! All SQL of the stored answers.

use rusqlite::named_params;

use super::model::{Answer, Request};
use super::tables::KEPT_ANSWER;
use crate::base::{Timestamp, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, values};

const FIND: &str = "
    select request_hash, status, body from kept_answer
    where actor_id = :actor_id and route = :route and key = :key and expires_at > :now";
const REPLACE: &str = insert!("insert or replace", KEPT_ANSWER);
const DELETE_EXPIRED: &str = "
    delete from kept_answer where rowid in (select rowid from kept_answer where expires_at <= :now limit :limit)";
const DELETE_OF_WORKSPACE: &str = "delete from kept_answer where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, REPLACE, DELETE_EXPIRED, DELETE_OF_WORKSPACE];

/// What a key is hashed with, so that its digest is not that of a credential.
fn salted(key: &str) -> String {
    format!("idempotency|{key}")
}

pub(super) fn find(view: &View<'_>, request: &Request) -> Result<Option<([u8; 32], Answer)>, Error> {
    let now = view.now();
    // Of the answer of a moment ago, the pepper may have been replaced since.
    for digest in view.site().keyring.lookups(salted(&request.key).as_bytes()) {
        let key = hex::encode(digest);
        let params = named_params! {":actor_id": request.actor, ":route": request.route, ":key": key, ":now": now};
        let found = view.find(FIND, params, |row| {
            by_name!(row, FIND => request_hash, status, body);
            Ok((request_hash.get()?, Answer { status: status.get()?, body: body.get()?, workspace: None }))
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

pub(super) fn insert(tx: &mut Tx<'_>, request: &Request, answer: &Answer, expires_at: Timestamp) -> Result<(), Error> {
    // Senders choose the key, and may put names into it.
    let key = hex::encode(tx.site().keyring.lookup(salted(&request.key).as_bytes()));
    tx.execute(
        REPLACE,
        values!(KEPT_ANSWER => {
            actor_id: request.actor,
            route: request.route,
            key: key,
            request_hash: request.hash,
            status: answer.status,
            body: answer.body,
            expires_at: expires_at,
            workspace_id: answer.workspace,
        }),
    )?;
    Ok(())
}

pub(super) fn delete_expired(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_EXPIRED, named_params! {":now": now, ":limit": limit})
}

/// Deletes the answers about an erased workspace.
///
/// # Errors
/// [`Error`].
pub fn delete_of_workspace(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<(), Error> {
    tx.execute(DELETE_OF_WORKSPACE, named_params! {":workspace_id": workspace})?;
    Ok(())
}
