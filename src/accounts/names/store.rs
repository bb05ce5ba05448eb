//! The SQL about usernames.

use rusqlite::named_params;

use super::super::model::AccountState;
use crate::base::{AccountId, Timestamp};
use crate::db::{Error, Tx, View, by_name};

const LIST_LOOKALIKES: &str = "select id, state, created_at from account where skeleton = :skeleton";
const UPDATE_USERNAME: &str = "
    update account set username = :username, display_name = :username, skeleton = :skeleton where id = :id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST_LOOKALIKES, UPDATE_USERNAME];

/// An account that has a name or one that looks like it.
pub(in crate::accounts) struct Lookalike {
    pub id: AccountId,
    pub state: AccountState,
    pub created_at: Timestamp,
}

/// The accounts that have this name or one that looks like it.
pub(in crate::accounts) fn list_lookalikes(view: &View<'_>, skeleton: &str) -> Result<Vec<Lookalike>, Error> {
    view.list(LIST_LOOKALIKES, named_params! {":skeleton": skeleton}, |row| {
        by_name!(row, LIST_LOOKALIKES => id, state, created_at);
        Ok(Lookalike { id: id.get()?, state: state.parse(AccountState::parse)?, created_at: created_at.get()? })
    })
}

/// Gives the account another name, and deletes its addresses, codes, password and links.
pub(in crate::accounts) fn void_sign_up(tx: &mut Tx<'_>, id: AccountId, username: &str) -> Result<(), Error> {
    super::super::store::delete_belongings(tx, id)?;
    tx.execute(UPDATE_USERNAME, named_params! {":id": id, ":username": username, ":skeleton": username})?;
    Ok(())
}
