//! The SQL of one-time links.

use rusqlite::{Row, named_params};

use super::super::model::LinkPurpose;
use super::super::tables::ONE_TIME_LINK;
use crate::base::{AccountId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, values};

const INSERT_LINK: &str = insert!(ONE_TIME_LINK);
const FIND_LINK: &str = "
    select account_id, about from one_time_link
    where digest = :digest and purpose = :purpose and used_at is null and expires_at > :now";
const USE_LINK: &str = "
    update one_time_link set used_at = :now
    where digest = :digest and purpose = :purpose and used_at is null and expires_at > :now
    returning account_id, about";
const DELETE_OLD_LINKS: &str = "
    delete from one_time_link where digest in (
      select digest from one_time_link where expires_at <= :before limit :limit)";
// The other links stay: a thief with the mailbox must not be able to delete them.
const DELETE_RESET_LINKS: &str = "
    delete from one_time_link where account_id = :account_id and purpose in ('password_reset', 'new_browser')";
const DELETE_LINKS: &str = "delete from one_time_link where account_id = :account_id";
const DELETE_OPEN_CLAIMS: &str = "
    delete from one_time_link where purpose = 'operator_claim' and used_at is null";
const DELETE_ALL_ENTRY_LINKS: &str =
    "delete from one_time_link where purpose in ('password_reset', 'operator_claim', 'new_browser')";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT_LINK,
    FIND_LINK,
    USE_LINK,
    DELETE_OLD_LINKS,
    DELETE_RESET_LINKS,
    DELETE_LINKS,
    DELETE_OPEN_CLAIMS,
    DELETE_ALL_ENTRY_LINKS,
];

/// A valid link.
pub(in crate::accounts) struct Link {
    pub account: Option<AccountId>,
    pub about: Option<String>,
}

fn read_link(row: &Row<'_>) -> rusqlite::Result<Link> {
    by_name!(row, FIND_LINK => account_id, about);
    Ok(Link { account: account_id.get()?, about: about.get()? })
}

pub(in crate::accounts) fn insert_link(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    purpose: LinkPurpose,
    account: Option<AccountId>,
    about: Option<&str>,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_LINK,
        values!(ONE_TIME_LINK => {
            digest: digest,
            purpose: purpose.as_str(),
            account_id: account,
            about: about,
            created_at: now,
            expires_at: now.plus(purpose.life()),
        }),
    )?;
    Ok(())
}

/// The link, which is not used up. `None`: it is unknown, used or expired.
pub(in crate::accounts) fn find_link(
    view: &View<'_>,
    digest: &[u8; 32],
    purpose: LinkPurpose,
) -> Result<Option<Link>, Error> {
    let now = view.now();
    view.find(FIND_LINK, named_params! {":digest": digest, ":purpose": purpose.as_str(), ":now": now}, read_link)
}

/// Uses a link up. `None`: it is unknown, used or expired.
pub(in crate::accounts) fn update_link_used(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    purpose: LinkPurpose,
) -> Result<Option<Link>, Error> {
    let now = tx.now();
    tx.find(USE_LINK, named_params! {":digest": digest, ":purpose": purpose.as_str(), ":now": now}, read_link)
}

/// Deletes every link that helps somebody to come in: to set the password, and to make a browser known. Links that undo something stay valid: a thief who reads the
/// mailbox and sets a new password must not be able to remove them.
///
/// # Errors
/// [`Error`].
pub fn delete_reset_links(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_RESET_LINKS, named_params! {":account_id": account}).map(drop)
}

/// Ends links of all accounts to set a password or claim the appliance: a restored database may lack their use.
///
/// # Errors
/// [`Error`].
pub fn delete_entry_links_of_all(tx: &mut Tx<'_>) -> Result<usize, Error> {
    tx.execute(DELETE_ALL_ENTRY_LINKS, [])
}

/// Deletes every unused link to sign up as the first operator.
///
/// # Errors
/// [`Error`].
pub fn delete_open_claims(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute(DELETE_OPEN_CLAIMS, []).map(drop)
}

/// Deletes the links of an account.
pub(in crate::accounts) fn delete_links(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_LINKS, named_params! {":account_id": account}).map(drop)
}

/// Deletes links that expired until `before`.
pub(in crate::accounts) fn delete_old_links(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_LINKS, named_params! {":before": before, ":limit": limit})
}
