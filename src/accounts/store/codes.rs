//! The SQL of mailed codes.

use rusqlite::named_params;

use super::super::tables::EMAIL_CODE;
use crate::base::{AccountId, EmailAddress, EmailId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, sql, values};

const REPLACE_CODE: &str = sql!(
    insert!(EMAIL_CODE),
    "
    on conflict (email_id) do update
    set digest = :digest, tries = 0, sent_at = :now, expires_at = :expires_at,
        sent_count = case when counted_from > :window then sent_count + 1 else 1 end,
        counted_from = case when counted_from > :window then counted_from else :now end"
);
const FIND_CODE: &str = "
    select digest, tries, sent_at, expires_at, counted_from, sent_count from email_code where email_id = :email_id";
const END_CODE: &str = "update email_code set expires_at = :now where email_id = :email_id";
const DELETE_OLD_CODES: &str = "
    delete from email_code where email_id in (select email_id from email_code where sent_at <= :before limit :limit)";
const UPDATE_CODE_TRIES: &str = "update email_code set tries = tries + 1 where email_id = :email_id";
const DELETE_CODES: &str = "
    delete from email_code where email_id in (select id from account_email where account_id = :account_id)";
// The row of the owner is the verified one, so these do not delete it.
const DELETE_CLAIM_CODES: &str = "
    delete from email_code where email_id in (
      select id from account_email where folded = :folded and verified_at is null and account_id <> :owner)";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[DELETE_CLAIM_CODES, REPLACE_CODE, FIND_CODE, UPDATE_CODE_TRIES, END_CODE, DELETE_OLD_CODES, DELETE_CODES];

/// A stored code.
pub(in crate::accounts) struct Code {
    pub digest: [u8; 32],
    pub tries: u32,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    /// When the count of codes began; `sent_count` codes were sent since.
    pub counted_from: Timestamp,
    pub sent_count: u32,
}

/// Stores a code in place of any earlier one; codes since `window` are counted together.
pub(in crate::accounts) fn insert_code(
    tx: &mut Tx<'_>,
    email: EmailId,
    digest: &[u8; 32],
    expires_at: Timestamp,
    window: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        REPLACE_CODE,
        values!(EMAIL_CODE => {
            email_id: email,
            digest: digest,
            sent_at: now,
            expires_at: expires_at,
            counted_from: now,
        } and { now: now, window: window }),
    )?;
    Ok(())
}

pub(in crate::accounts) fn find_code(view: &View<'_>, email: EmailId) -> Result<Option<Code>, Error> {
    view.find(FIND_CODE, named_params! {":email_id": email}, |row| {
        by_name!(row, FIND_CODE => digest, tries, sent_at, expires_at, counted_from, sent_count);
        Ok(Code {
            digest: digest.get()?,
            tries: tries.get()?,
            sent_at: sent_at.get()?,
            expires_at: expires_at.get()?,
            counted_from: counted_from.get()?,
            sent_count: sent_count.get()?,
        })
    })
}

pub(in crate::accounts) fn update_code_tries(tx: &mut Tx<'_>, email: EmailId) -> Result<(), Error> {
    tx.execute(UPDATE_CODE_TRIES, named_params! {":email_id": email})?;
    Ok(())
}

/// Expires a code; the count of codes stays.
pub(in crate::accounts) fn end_code(tx: &mut Tx<'_>, email: EmailId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(END_CODE, named_params! {":email_id": email, ":now": now})?;
    Ok(())
}

/// Deletes the codes of an account.
pub(in crate::accounts) fn delete_codes(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_CODES, named_params! {":account_id": account}).map(drop)
}

/// Deletes the codes of other accounts than `owner` for the address.
pub(in crate::accounts) fn delete_claim_codes(
    tx: &mut Tx<'_>,
    owner: AccountId,
    address: &EmailAddress,
) -> Result<(), Error> {
    tx.execute(DELETE_CLAIM_CODES, named_params! {":folded": address.folded(), ":owner": owner}).map(drop)
}

/// Deletes codes that were sent until `before`.
pub(in crate::accounts) fn delete_old_codes(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD_CODES, named_params! {":before": before, ":limit": limit})
}
