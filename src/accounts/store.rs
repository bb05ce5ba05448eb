//! All SQL about accounts.

use rusqlite::{Row, named_params};

use super::model::{Account, AccountState, Colour, Email, LinkPurpose, NewAccount, Profile};
use super::tables::{ACCOUNT, ACCOUNT_EMAIL, EMAIL_CODE, ONE_TIME_LINK, PASSWORD, RETIRED_USERNAME};
use crate::base::{AccountId, Cursor, EmailAddress, EmailId, Page, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, field, insert, only, sql, values};

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
// The row of the owner is the verified one, so these do not delete it.
const DELETE_CLAIM_CODES: &str = "
    delete from email_code where email_id in (
      select id from account_email where folded = :folded and verified_at is null and account_id <> :owner)";
const DELETE_CLAIMS: &str = "
    delete from account_email
    where folded = :folded and verified_at is null and account_id <> :owner and is_primary = 0";
const LIST_PENDING_CLAIMS: &str = "
    select a.id from account_email e join account a on a.id = e.account_id and a.state = 'pending'
    where e.folded = :folded and e.verified_at is null and e.account_id <> :owner";
const DELETE_EMAILS: &str = "delete from account_email where account_id = :account_id";

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

const REPLACE_PASSWORD: &str = insert!("insert or replace", PASSWORD);
const FIND_PASSWORD: &str = "select phc from password where account_id = :account_id";
const DELETE_PASSWORD: &str = "delete from password where account_id = :account_id";

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
const FIND_OPERATOR: &str = "select 1 from account where is_operator = 1 and state <> 'pending' limit 1";
const FIND_PASSWORD_TIME: &str = "select changed_at from password where account_id = :account_id";
const UPDATE_PASSWORD_HASH: &str = "
    update password set phc = :renewed where account_id = :account_id and phc = :checked";

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
    DELETE_CLAIM_CODES,
    DELETE_CLAIMS,
    LIST_PENDING_CLAIMS,
    DELETE_EMAILS,
    REPLACE_CODE,
    FIND_CODE,
    UPDATE_CODE_TRIES,
    END_CODE,
    DELETE_OLD_CODES,
    DELETE_CODES,
    REPLACE_PASSWORD,
    FIND_PASSWORD,
    DELETE_PASSWORD,
    INSERT_LINK,
    FIND_LINK,
    USE_LINK,
    DELETE_OLD_LINKS,
    DELETE_RESET_LINKS,
    DELETE_LINKS,
    DELETE_OPEN_CLAIMS,
    DELETE_ALL_ENTRY_LINKS,
    FIND_OPERATOR,
    FIND_PASSWORD_TIME,
    UPDATE_PASSWORD_HASH,
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
    for statement in [DELETE_CODES, DELETE_EMAILS, DELETE_PASSWORD, DELETE_LINKS] {
        tx.execute(statement, named_params! {":account_id": id})?;
    }
    Ok(())
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
    tx.execute(DELETE_CLAIM_CODES, named_params! {":folded": address.folded(), ":owner": owner})?;
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
    tx.execute(DELETE_PASSWORD, named_params! {":account_id": account})?;
    tx.execute(DELETE_LINKS, named_params! {":account_id": account})?;
    Ok(())
}

/// A stored code.
pub(super) struct Code {
    pub digest: [u8; 32],
    pub tries: u32,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    /// When the count of codes began; `sent_count` codes were sent since.
    pub counted_from: Timestamp,
    pub sent_count: u32,
}

/// Stores a code in place of any earlier one; codes since `window` are counted together.
pub(super) fn insert_code(
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

pub(super) fn find_code(view: &View<'_>, email: EmailId) -> Result<Option<Code>, Error> {
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

pub(super) fn update_code_tries(tx: &mut Tx<'_>, email: EmailId) -> Result<(), Error> {
    tx.execute(UPDATE_CODE_TRIES, named_params! {":email_id": email})?;
    Ok(())
}

/// Expires a code; the count of codes stays.
pub(super) fn end_code(tx: &mut Tx<'_>, email: EmailId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(END_CODE, named_params! {":email_id": email, ":now": now})?;
    Ok(())
}

/// Deletes codes that were sent and links that expired until `before`, and retired names that are free again. Returns
/// how many rows.
pub(super) fn delete_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let now = tx.now();
    let codes = tx.execute(DELETE_OLD_CODES, named_params! {":before": before, ":limit": limit})?;
    let links = tx.execute(DELETE_OLD_LINKS, named_params! {":before": before, ":limit": limit})?;
    let names = tx.execute(DELETE_OLD_RETIRED, named_params! {":now": now, ":limit": limit})?;
    Ok(codes + links + names)
}

pub(super) fn insert_password(tx: &mut Tx<'_>, account: AccountId, phc: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(REPLACE_PASSWORD, values!(PASSWORD => { changed_at: now, account_id: account, phc: phc }))?;
    Ok(())
}

/// Deletes the password: it no longer signs in, and a new one can be set.
pub(super) fn delete_password(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    tx.execute(DELETE_PASSWORD, named_params! {":account_id": account})
}

/// The stored password hash. `None`: no password, or no account.
///
/// # Errors
/// [`Error`].
pub fn find_password(view: &View<'_>, account: AccountId) -> Result<Option<String>, Error> {
    view.find(FIND_PASSWORD, named_params! {":account_id": account}, only)
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

pub(super) fn insert_link(
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

/// Whether there is an operator with a verified address, suspended or not.
///
/// # Errors
/// [`Error`].
pub fn has_operator(view: &View<'_>) -> Result<bool, Error> {
    Ok(view.find(FIND_OPERATOR, [], |_| Ok(()))?.is_some())
}

/// When the password was set. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find_password_time(view: &View<'_>, account: AccountId) -> Result<Option<Timestamp>, Error> {
    view.find(FIND_PASSWORD_TIME, named_params! {":account_id": account}, only)
}

/// Replaces `checked`, the stored hash, by `renewed`, a stronger hash of the same password. When the password was
/// changed meanwhile, nothing happens.
///
/// # Errors
/// [`Error`].
pub fn update_password_hash(tx: &mut Tx<'_>, account: AccountId, checked: &str, renewed: &str) -> Result<(), Error> {
    tx.execute(UPDATE_PASSWORD_HASH, named_params! {":account_id": account, ":checked": checked, ":renewed": renewed})?;
    Ok(())
}

/// A valid link.
pub(super) struct Link {
    pub account: Option<AccountId>,
    pub about: Option<String>,
}

fn read_link(row: &Row<'_>) -> rusqlite::Result<Link> {
    by_name!(row, FIND_LINK => account_id, about);
    Ok(Link { account: account_id.get()?, about: about.get()? })
}

/// The link, which is not used up. `None`: it is unknown, used or expired.
pub(super) fn find_link(view: &View<'_>, digest: &[u8; 32], purpose: LinkPurpose) -> Result<Option<Link>, Error> {
    let now = view.now();
    view.find(FIND_LINK, named_params! {":digest": digest, ":purpose": purpose.as_str(), ":now": now}, read_link)
}

/// Uses a link up. `None`: it is unknown, used or expired.
pub(super) fn update_link_used(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    purpose: LinkPurpose,
) -> Result<Option<Link>, Error> {
    let now = tx.now();
    tx.find(USE_LINK, named_params! {":digest": digest, ":purpose": purpose.as_str(), ":now": now}, read_link)
}

pub(super) fn insert_retired(tx: &mut Tx<'_>, digest: &[u8; 32], until: Timestamp) -> Result<(), Error> {
    tx.execute(INSERT_RETIRED, values!(RETIRED_USERNAME => { digest: digest, until: until }))?;
    Ok(())
}

pub(super) fn is_retired(view: &View<'_>, digest: &[u8; 32]) -> Result<bool, Error> {
    let now = view.now();
    Ok(view.find(FIND_RETIRED, named_params! {":digest": digest, ":now": now}, |_| Ok(()))?.is_some())
}
