//! All SQL about accounts: here that of the accounts themselves, their names and addresses.

mod codes;
mod links;
mod passwords;

use rusqlite::{Row, named_params};

use super::model::{Account, AccountState, Colour, Email, NewAccount, Profile};
use super::tables::{ACCOUNT, ACCOUNT_EMAIL, RETIRED_USERNAME};
use crate::base::{AccountId, Cursor, EmailAddress, EmailId, Page, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, field, insert, only, sql, values};

pub use codes::STATEMENTS as CODE_STATEMENTS;
pub(super) use codes::{end_code, find_code, insert_code, update_code_tries};
pub use links::{STATEMENTS as LINK_STATEMENTS, delete_entry_links_of_all, delete_open_claims, delete_reset_links};
pub(super) use links::{find_link, insert_link, update_link_used};
pub use passwords::{STATEMENTS as PASSWORD_STATEMENTS, find_password, find_password_time, update_password_hash};
pub(super) use passwords::{delete_password, insert_password};

const INSERT: &str = insert!(ACCOUNT);
const ROW: &str = columns!(ACCOUNT as "a", except skeleton, keys_locked_at);
const FIND: &str = sql!("select ", ROW, " from account a where a.id = :id");
const FIND_BY_USERNAME: &str = sql!("select ", ROW, " from account a where a.username = :username");
const FIND_BY_EMAIL: &str = sql!(
    "select ",
    ROW,
    "
    from account_email e join account a on a.id = e.account_id
    where e.folded = :folded and (e.verified_at is not null or (e.is_primary = 1 and a.state = 'pending'))
    order by e.verified_at is null, a.created_at desc
    limit 1"
);
const LIST: &str = sql!(
    "select ",
    ROW,
    ", a.rowid as number
    from account a
    where a.rowid < :before
    order by a.rowid desc
    limit :limit"
);
const COUNT: &str = "select count(*) from account";
const LIST_PENDING: &str = "select id from account where state = 'pending' and created_at < :before limit :limit";
const UPDATE_STATE: &str = "update account set state = :state where id = :id";
const UPDATE_PROFILE: &str = "
    update account set display_name = :display_name, company = :company, use_case = :use_case, bio = :bio where id = :id";
const UPDATE_COLOUR: &str = "update account set colour = :colour where id = :id";
const LOCK_KEYS: &str = "
    update account set keys_locked_at = :now where id = :id and keys_locked_at is null";
const UNLOCK_KEYS: &str = "update account set keys_locked_at = null where id = :id and keys_locked_at is not null";
const FIND_KEYS_LOCKED: &str = "select keys_locked_at from account where id = :id";
const DELETE: &str = "delete from account where id = :id";
const INSERT_EMAIL: &str = insert!(ACCOUNT_EMAIL);
/// The columns of [`read_email`].
pub(super) const EMAIL: &str = columns!(ACCOUNT_EMAIL, except account_id, folded);
const LIST_EMAILS: &str = sql!(
    "select ",
    EMAIL,
    "
    from account_email
    where account_id = :account_id
    order by is_primary desc, added_at, id"
);
const FIND_VERIFIED_OWNER: &str = "
    select account_id from account_email where folded = :folded and verified_at is not null";
const UPDATE_VERIFIED: &str = "update account_email set verified_at = :now where id = :id and verified_at is null";
const UPDATE_DISPLAY_NAME: &str = "update account set display_name = :display_name where id = :id";
// The row of the owner is the verified one, so this does not delete it.
const DELETE_CLAIMS: &str = "
    delete from account_email
    where folded = :folded and verified_at is null and account_id <> :owner and is_primary = 0";
const LIST_PENDING_CLAIMS: &str = "
    select a.id from account_email e join account a on a.id = e.account_id and a.state = 'pending'
    where e.folded = :folded and e.verified_at is null and e.account_id <> :owner";
const DELETE_EMAILS: &str = "delete from account_email where account_id = :account_id";
const FIND_OPERATOR: &str = "select 1 from account where is_operator = 1 and state <> 'pending' limit 1";
const INSERT_RETIRED: &str = insert!("insert or replace", RETIRED_USERNAME);
const DELETE_OLD_RETIRED: &str = "
    delete from retired_username where digest in (select digest from retired_username where until <= :now limit :limit)";
const FIND_RETIRED: &str = "select 1 from retired_username where digest = :digest and until > :now";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    FIND,
    FIND_BY_USERNAME,
    FIND_BY_EMAIL,
    LIST,
    COUNT,
    LIST_PENDING,
    UPDATE_STATE,
    UPDATE_PROFILE,
    UPDATE_COLOUR,
    LOCK_KEYS,
    UNLOCK_KEYS,
    FIND_KEYS_LOCKED,
    DELETE,
    INSERT_EMAIL,
    LIST_EMAILS,
    FIND_VERIFIED_OWNER,
    UPDATE_VERIFIED,
    UPDATE_DISPLAY_NAME,
    DELETE_CLAIMS,
    LIST_PENDING_CLAIMS,
    DELETE_EMAILS,
    FIND_OPERATOR,
    INSERT_RETIRED,
    DELETE_OLD_RETIRED,
    FIND_RETIRED,
];

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    by_name!(row, ROW =>
        id, username, display_name, company, use_case, bio, region, state, is_operator, created_at, colour);
    Ok(Account {
        id: id.get()?,
        username: username.get()?,
        display_name: display_name.get()?,
        company: company.get()?,
        use_case: use_case.get()?,
        bio: bio.get()?,
        colour: colour.parse(Colour::parse)?,
        region: region.get()?,
        state: state.parse(AccountState::parse)?,
        is_operator: is_operator.get()?,
        created_at: created_at.get()?,
    })
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    id: AccountId,
    new: &NewAccount,
    colour: Colour,
    region: &str,
) -> Result<(), Error> {
    let now = tx.now();
    let state = if new.is_verified { AccountState::Active } else { AccountState::Pending };
    tx.execute(
        INSERT,
        values!(ACCOUNT => {
            id: id,
            username: new.username.as_str(),
            display_name: new.username.as_str(),
            colour: colour.as_str(),
            region: region,
            state: state.as_str(),
            is_operator: new.is_operator,
            created_at: now,
            skeleton: new.username.skeleton(),
        }),
    )?;
    Ok(())
}

/// The account. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, id: AccountId) -> Result<Option<Account>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

/// The account with this username, without regard to case. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_by_username(view: &View<'_>, username: &str) -> Result<Option<Account>, Error> {
    view.find(FIND_BY_USERNAME, named_params! {":username": username}, read)
}

/// The account that verified the address, or else the newest one that waits for its code. An account that only added the
/// address does not count, nor does the first operator before its code was entered. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_by_email(view: &View<'_>, address: &EmailAddress) -> Result<Option<Account>, Error> {
    view.find(FIND_BY_EMAIL, named_params! {":folded": address.folded()}, read)
}

pub(super) fn list(view: &View<'_>, before: Option<Cursor>, limit: u32) -> Result<Page<Account>, Error> {
    let before = before.map_or(i64::MAX, |cursor| cursor.0);
    let numbered = |row: &Row<'_>| Ok((read(row)?, field!(row, LIST, number).get::<i64>()?));
    let rows = view.list(LIST, named_params! {":before": before, ":limit": limit + 1}, numbered)?;
    let page = Page::new(rows, limit, |(_, number)| *number);
    Ok(Page { rows: page.rows.into_iter().map(|(account, _)| account).collect(), next: page.next })
}

/// The number of accounts.
///
/// # Errors
/// [`Error`].
pub fn count(view: &View<'_>) -> Result<i64, Error> {
    view.one(COUNT, [], only)
}

pub(super) fn list_pending_before(view: &View<'_>, before: Timestamp, limit: u32) -> Result<Vec<AccountId>, Error> {
    view.list(LIST_PENDING, named_params! {":before": before, ":limit": limit}, only)
}

/// Sets the state of the account; the caller records why.
///
/// # Errors
/// [`Error`].
pub fn update_state(tx: &mut Tx<'_>, id: AccountId, state: AccountState) -> Result<(), Error> {
    tx.execute(UPDATE_STATE, named_params! {":id": id, ":state": state.as_str()})?;
    Ok(())
}

pub(super) fn update_profile(tx: &mut Tx<'_>, id: AccountId, profile: &Profile) -> Result<(), Error> {
    tx.execute(
        UPDATE_PROFILE,
        named_params! {
            ":id": id,
            ":display_name": profile.display_name.as_str(),
            ":company": profile.company.as_str(),
            ":use_case": profile.use_case.map_or("", |known| known.as_str()),
            ":bio": profile.bio.as_str(),
        },
    )?;
    Ok(())
}

pub(super) fn update_colour(tx: &mut Tx<'_>, id: AccountId, colour: Colour) -> Result<(), Error> {
    tx.execute(UPDATE_COLOUR, named_params! {":id": id, ":colour": colour.as_str()})?;
    Ok(())
}

/// Deletes addresses, codes, password and links of the account.
pub(super) fn delete_belongings(tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
    codes::delete_codes(tx, id)?;
    tx.execute(DELETE_EMAILS, named_params! {":account_id": id})?;
    delete_sign_in_methods(tx, id)
}

pub(super) fn delete(tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
    delete_belongings(tx, id)?;
    tx.execute(DELETE, named_params! {":id": id})?;
    Ok(())
}

pub(super) fn insert_email(
    tx: &mut Tx<'_>,
    id: EmailId,
    account: AccountId,
    address: &EmailAddress,
    verified_at: Option<Timestamp>,
    is_primary: bool,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_EMAIL,
        values!(ACCOUNT_EMAIL => {
            id: id,
            address: address,
            verified_at: verified_at,
            is_primary: is_primary,
            added_at: now,
            account_id: account,
            folded: address.folded(),
        }),
    )?;
    Ok(())
}

/// The addresses, the primary one first.
///
/// # Errors
/// [`Error`].
pub fn list_emails(view: &View<'_>, account: AccountId) -> Result<Vec<Email>, Error> {
    view.list(LIST_EMAILS, named_params! {":account_id": account}, read_email)
}

pub(super) fn read_email(row: &Row<'_>) -> rusqlite::Result<Email> {
    by_name!(row, EMAIL => id, address, verified_at, is_primary, added_at);
    Ok(Email {
        id: id.get()?,
        address: address.get()?,
        verified_at: verified_at.get()?,
        is_primary: is_primary.get()?,
        added_at: added_at.get()?,
    })
}

pub(super) fn find_verified_owner(view: &View<'_>, address: &EmailAddress) -> Result<Option<AccountId>, Error> {
    view.find(FIND_VERIFIED_OWNER, named_params! {":folded": address.folded()}, only)
}

pub(super) fn update_verified(tx: &mut Tx<'_>, id: EmailId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_VERIFIED, named_params! {":id": id, ":now": now})?;
    Ok(())
}

pub(super) fn update_display_name(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<(), Error> {
    tx.execute(UPDATE_DISPLAY_NAME, named_params! {":id": account, ":display_name": name})?;
    Ok(())
}

/// Deletes the codes of other accounts for the address, and their unverified rows of it unless it is their primary
/// address.
pub(super) fn delete_claims(tx: &mut Tx<'_>, owner: AccountId, address: &EmailAddress) -> Result<(), Error> {
    codes::delete_claim_codes(tx, owner, address)?;
    tx.execute(DELETE_CLAIMS, named_params! {":folded": address.folded(), ":owner": owner})?;
    Ok(())
}

/// Other accounts that are pending with this address.
pub(super) fn list_pending_claims(
    view: &View<'_>,
    owner: AccountId,
    address: &EmailAddress,
) -> Result<Vec<AccountId>, Error> {
    let params = named_params! {":folded": address.folded(), ":owner": owner};
    view.list(LIST_PENDING_CLAIMS, params, only)
}

/// Deletes the password and the one-time links of an account.
pub(super) fn delete_sign_in_methods(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    passwords::delete_password(tx, account)?;
    links::delete_links(tx, account)
}

/// Deletes codes that were sent and links that expired until `before`, and retired names that are free again. Returns
/// how many rows.
pub(super) fn delete_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    let codes = codes::delete_old_codes(tx, before, limit)?;
    let links = links::delete_old_links(tx, before, limit)?;
    let names = tx.execute(DELETE_OLD_RETIRED, named_params! {":now": now, ":limit": limit})?;
    Ok(codes + links + names)
}

/// Zero: they are locked already.
pub(super) fn update_keys_locked(tx: &mut Tx<'_>, id: AccountId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(LOCK_KEYS, named_params! {":id": id, ":now": now})
}

/// Zero: they are not locked.
pub(super) fn update_keys_unlocked(tx: &mut Tx<'_>, id: AccountId) -> Result<usize, Error> {
    tx.execute(UNLOCK_KEYS, named_params! {":id": id})
}

/// When the account's API keys were locked. `None`: they are not locked.
///
/// # Errors
/// [`Error`].
pub fn find_keys_locked(view: &View<'_>, id: AccountId) -> Result<Option<Timestamp>, Error> {
    Ok(view.find(FIND_KEYS_LOCKED, named_params! {":id": id}, only)?.flatten())
}

/// Whether there is an operator with a verified address, suspended or not.
///
/// # Errors
/// [`Error`].
pub fn has_operator(view: &View<'_>) -> Result<bool, Error> {
    Ok(view.find(FIND_OPERATOR, [], |_| Ok(()))?.is_some())
}

pub(super) fn insert_retired(tx: &mut Tx<'_>, digest: &[u8; 32], until: Timestamp) -> Result<(), Error> {
    tx.execute(INSERT_RETIRED, values!(RETIRED_USERNAME => { digest: digest, until: until }))?;
    Ok(())
}

pub(super) fn is_retired(view: &View<'_>, digest: &[u8; 32]) -> Result<bool, Error> {
    let now = view.now();
    Ok(view.find(FIND_RETIRED, named_params! {":digest": digest, ":now": now}, |_| Ok(()))?.is_some())
}
