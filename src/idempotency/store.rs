//! All SQL of the stored answers.

use rusqlite::named_params;

use super::model::{Answer, Request};
use super::tables::KEPT_ANSWER;
use crate::base::Timestamp;
use crate::db::{Error, Tx, View, by_name, insert, values};

const FIND: &str = "
    select request_hash, status, body from kept_answer
    where actor_id = :actor_id and route = :route and key = :key and expires_at > :now";
const REPLACE: &str = insert!("insert or replace", KEPT_ANSWER);
const DELETE_EXPIRED: &str = "
    delete from kept_answer where rowid in (select rowid from kept_answer where expires_at <= :now limit :limit)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND, REPLACE, DELETE_EXPIRED];

pub(super) fn find(view: &View<'_>, request: &Request) -> Result<Option<([u8; 32], Answer)>, Error> {
    let now = view.now();
    view.find(
        FIND,
        named_params! {":actor_id": request.actor, ":route": request.route, ":key": request.key, ":now": now},
        |row| {
            by_name!(row, FIND => request_hash, status, body);
            Ok((request_hash.get()?, Answer { status: status.get()?, body: body.get()? }))
        },
    )
}

pub(super) fn insert(tx: &mut Tx<'_>, request: &Request, answer: &Answer, expires_at: Timestamp) -> Result<(), Error> {
    tx.execute(
        REPLACE,
        values!(KEPT_ANSWER => {
            actor_id: request.actor,
            route: request.route,
            key: request.key,
            request_hash: request.hash,
            status: answer.status,
            body: answer.body,
            expires_at: expires_at,
        }),
    )?;
    Ok(())
}

pub(super) fn delete_expired(tx: &mut Tx<'_>, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(DELETE_EXPIRED, named_params! {":now": now, ":limit": limit})
}
