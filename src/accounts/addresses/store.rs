//! All SQL about additional addresses, and about changes of the primary one.

use rusqlite::named_params;

use super::super::model::{Email, EmailChange};
use super::super::store::{EMAIL, read_email};
use super::super::tables::{EMAIL_CHANGE, EMAIL_CODE_COUNT};
use super::model::OperatorAddress;
use crate::base::{AccountId, EmailChangeId, EmailId, Timestamp};
use crate::db::{Error, Tx, View, by_name, insert, sql, values};

const FIND_EMAIL: &str = sql!("select ", EMAIL, " from account_email where id = :id and account_id = :account_id");
const CLEAR_PRIMARY: &str = "update account_email set is_primary = 0 where account_id = :account_id and is_primary = 1";
const SET_PRIMARY: &str = "update account_email set is_primary = 1 where id = :id and account_id = :account_id";
const DELETE_CODE: &str = "delete from email_code where email_id = :email_id";
const DELETE_EMAIL: &str = "delete from account_email where id = :id and account_id = :account_id";

const INSERT_CHANGE: &str = insert!(EMAIL_CHANGE);
const LIST_CHANGES: &str = "
    select id, from_id, to_id, since, changed_at, revert_until from email_change
    where account_id = :account_id and closed_at is null and revert_until > :now
    order by changed_at, id";
const CLOSE_CHANGE: &str = "update email_change set closed_at = :now where id = :id";
const DELETE_OLD_CHANGES: &str = "
    delete from email_change where id in (select id from email_change where revert_until <= :before limit :limit)";
const DELETE_CHANGES: &str = "delete from email_change where account_id = :account_id";

const COUNT_ADDED_CODE: &str = sql!(
    insert!(EMAIL_CODE_COUNT),
    "
    on conflict (account_id) do update
    set sent_count = case when counted_from > :window then sent_count + 1 else 1 end,
        counted_from = case when counted_from > :window then counted_from else :now end
    returning sent_count, counted_from"
);
const DELETE_OLD_COUNTS: &str = "
    delete from email_code_count where account_id in (
      select account_id from email_code_count where counted_from <= :before limit :limit)";
const DELETE_COUNT: &str = "delete from email_code_count where account_id = :account_id";

const LIST_OPERATORS: &str = "
    select a.id, a.display_name, e.address
    from account a join account_email e on e.account_id = a.id and e.is_primary = 1 and e.verified_at is not null
    where a.is_operator = 1 and a.state = 'active'
    order by a.id
    limit 100";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND_EMAIL,
    CLEAR_PRIMARY,
    SET_PRIMARY,
    DELETE_CODE,
    DELETE_EMAIL,
    INSERT_CHANGE,
    LIST_CHANGES,
    CLOSE_CHANGE,
    DELETE_OLD_CHANGES,
    DELETE_CHANGES,
    COUNT_ADDED_CODE,
    DELETE_OLD_COUNTS,
    DELETE_COUNT,
    LIST_OPERATORS,
];

pub(super) fn find_email(view: &View<'_>, account: AccountId, id: EmailId) -> Result<Option<Email>, Error> {
    view.find(FIND_EMAIL, named_params! {":id": id, ":account_id": account}, read_email)
}

/// Makes the address primary in place of the present one.
pub(super) fn update_primary(tx: &mut Tx<'_>, account: AccountId, id: EmailId) -> Result<(), Error> {
    tx.execute(CLEAR_PRIMARY, named_params! {":account_id": account})?;
    tx.execute(SET_PRIMARY, named_params! {":id": id, ":account_id": account})?;
    Ok(())
}

pub(super) fn delete_email(tx: &mut Tx<'_>, account: AccountId, id: EmailId) -> Result<(), Error> {
    tx.execute(DELETE_CODE, named_params! {":email_id": id})?;
    tx.execute(DELETE_EMAIL, named_params! {":id": id, ":account_id": account})?;
    Ok(())
}

pub(super) fn insert_change(tx: &mut Tx<'_>, account: AccountId, change: &EmailChange) -> Result<(), Error> {
    tx.execute(
        INSERT_CHANGE,
        values!(EMAIL_CHANGE => {
            id: change.id,
            from_id: change.from,
            to_id: change.to,
            changed_at: change.changed_at,
            revert_until: change.revert_until,
            account_id: account,
            since: change.since,
        }),
    )?;
    Ok(())
}

/// Changes that can still be undone, the oldest first.
pub(super) fn list_changes(view: &View<'_>, account: AccountId) -> Result<Vec<EmailChange>, Error> {
    let now = view.now();
    view.list(LIST_CHANGES, named_params! {":account_id": account, ":now": now}, |row| {
        by_name!(row, LIST_CHANGES => id, from_id, to_id, since, changed_at, revert_until);
        Ok(EmailChange {
            id: id.get()?,
            from: from_id.get()?,
            to: to_id.get()?,
            since: since.get()?,
            changed_at: changed_at.get()?,
            revert_until: revert_until.get()?,
        })
    })
}

pub(super) fn update_change_closed(tx: &mut Tx<'_>, id: EmailChangeId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(CLOSE_CHANGE, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// Counts a code to an added address. Returns the count, this one included, and when the count began.
pub(super) fn count_added_code(
    tx: &mut Tx<'_>,
    account: AccountId,
    window: Timestamp,
) -> Result<(u32, Timestamp), Error> {
    let now = tx.now();
    let params = values!(EMAIL_CODE_COUNT => {
        account_id: account,
        counted_from: now,
        sent_count: 1,
    } and { now: now, window: window });
    tx.one(COUNT_ADDED_CODE, params, |row| {
        by_name!(row, COUNT_ADDED_CODE => sent_count, counted_from);
        Ok((sent_count.get()?, counted_from.get()?))
    })
}

/// Deletes changes whose week ended at `before` or earlier, and counts of codes that began until then. Returns how many
/// rows.
pub(in crate::accounts) fn delete_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let changes = tx.execute(DELETE_OLD_CHANGES, named_params! {":before": before, ":limit": limit})?;
    let counts = tx.execute(DELETE_OLD_COUNTS, named_params! {":before": before, ":limit": limit})?;
    Ok(changes + counts)
}

/// Deletes the account's changes and its count of codes.
pub(in crate::accounts) fn delete_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    for statement in [DELETE_CHANGES, DELETE_COUNT] {
        tx.execute(statement, named_params! {":account_id": account})?;
    }
    Ok(())
}

/// The primary addresses of the active operators, at most 100.
///
/// # Errors
/// [`Error`].
pub fn list_operators(view: &View<'_>) -> Result<Vec<OperatorAddress>, Error> {
    view.list(LIST_OPERATORS, [], |row| {
        by_name!(row, LIST_OPERATORS => id, display_name, address);
        Ok(OperatorAddress { account: id.get()?, display_name: display_name.get()?, address: address.get()? })
    })
}
