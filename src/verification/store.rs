//! The two reads of a verification: the key and its owner. They read tables of other slices, because a verification
//! has time for two statements and not for a call of each slice. Nothing is written here.

use rusqlite::{Row, named_params};

use super::model::{Owner, OwnerFields};
use crate::api_keys::{KeyState, LookupDigest};
use crate::base::{AccountId, ApiKeyId, Timestamp, WorkspaceId};
use crate::db::{Error, View, by_name, field, sql};

/// The columns of [`read_key_row`].
const KEY: &str =
    "id, account_id, workspace_id, scopes, state, expires_at, retire_at, networks, rate_per_minute, spent_until";
const FIND_BY_LOOKUP: &str = sql!("select ", KEY, " from api_key where lookup = :lookup");
const LIST_AFTER: &str = sql!(
    "select ",
    KEY,
    ", rowid as number, lookup
    from api_key
    where rowid > :after and state in ('active', 'retiring') and spent_until is null
    order by rowid
    limit :limit"
);
// It is separate from the key, because it is the same for all keys of a person and most of the work: four tables, each by its index.
const FIND_OWNER: &str = "
    select a.username, a.display_name, coalesce(e.address, '') as email, m.role, w.plan, w.region
    from account a
    join workspace w on w.id = :workspace_id
    join membership m on m.workspace_id = w.id and m.account_id = a.id
    left join account_email e on e.account_id = a.id and e.is_primary = 1 and e.verified_at is not null
    where a.id = :account_id and a.state = 'active' and a.keys_locked_at is null";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[FIND_BY_LOOKUP, LIST_AFTER, FIND_OWNER];

/// A key as the verifier reads it, good or not.
pub(super) struct KeyRow {
    pub key: ApiKeyId,
    pub account: AccountId,
    pub workspace: WorkspaceId,
    pub scope: String,
    pub state: KeyState,
    pub expires_at: Option<Timestamp>,
    pub retire_at: Option<Timestamp>,
    pub networks: String,
    pub rate_per_minute: Option<u32>,
    pub spent_until: Option<Timestamp>,
}

fn read_key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    by_name!(row, KEY =>
        id, account_id, workspace_id, scopes, state, expires_at, retire_at, networks, rate_per_minute, spent_until);
    Ok(KeyRow {
        key: id.get()?,
        account: account_id.get()?,
        workspace: workspace_id.get()?,
        scope: scopes.get()?,
        state: KeyState::parse(state.text()?).unwrap_or(KeyState::Revoked),
        expires_at: expires_at.get()?,
        retire_at: retire_at.get()?,
        networks: networks.get()?,
        rate_per_minute: rate_per_minute.get()?,
        spent_until: spent_until.get()?,
    })
}

/// The key with this digest, of any owner. Of revoked keys, only those that were replaced still have their digest.
pub(super) fn find_by_lookup(view: &View<'_>, lookup: &LookupDigest) -> Result<Option<KeyRow>, Error> {
    view.find(FIND_BY_LOOKUP, named_params! {":lookup": lookup}, read_key_row)
}

/// The row number, the digest and the key.
pub(super) type IndexedKeyRow = (i64, LookupDigest, KeyRow);

/// Good keys after row number `after`, in the order of the table.
pub(super) fn list_after(view: &View<'_>, after: i64, limit: u32) -> Result<Vec<IndexedKeyRow>, Error> {
    view.list(LIST_AFTER, named_params! {":after": after, ":limit": limit}, |row| {
        let (number, lookup) = (field!(row, LIST_AFTER, number), field!(row, LIST_AFTER, lookup));
        Ok((number.get()?, lookup.get()?, read_key_row(row)?))
    })
}

/// The owner of keys. `None`: the account is not active, has its keys locked, or is not a member of the workspace.
pub(super) fn find_owner(view: &View<'_>, account: AccountId, workspace: WorkspaceId) -> Result<Option<Owner>, Error> {
    view.find(FIND_OWNER, named_params! {":account_id": account, ":workspace_id": workspace}, |row| {
        by_name!(row, FIND_OWNER => username, display_name, email, role, plan, region);
        let words = OwnerFields {
            username: username.text()?,
            display_name: display_name.text()?,
            email: email.text()?,
            plan: plan.text()?,
            region: region.text()?,
        };
        Ok(Owner::new(account, workspace, role.get()?, &words))
    })
}
