//! What can be done with an account by itself.

use serde_json::json;

use super::error::AccountError;
use super::mails;
use super::model::{
    Account, AccountState, CODE_LIFE, CODE_TRIES_MAX, CODES_MAX, CODES_WINDOW, Email, LinkPurpose, NewAccount,
    PENDING_LIFE, Profile, RESEND_AFTER, USERNAME_RETIRED,
};
use super::store;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, Cursor, EmailAddress, EmailId, PAGE_SIZE_MAX, Page, Secret, Timestamp};
use crate::crypto::tokens;
use crate::db::{self, Tx, View};
use crate::mail;

/// Rows of each kind that one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Makes an account with its first address. It is `pending` until the address is verified.
///
/// # Errors
/// [`AccountError::UsernameTaken`]; [`AccountError::EmailTaken`] when the address is to count as verified and another
/// account verified it. A mere claim to a known address is taken like any other, so that nobody learns from it (safety P8).
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: &NewAccount) -> Result<Account, AccountError> {
    if !is_username_free(tx, new.username.as_str())? {
        return Err(AccountError::UsernameTaken);
    }
    if new.is_verified && is_email_taken(tx, &new.email)? {
        return Err(AccountError::EmailTaken);
    }
    let now = tx.now();
    let region = tx.site().config.region.clone();
    let id = AccountId::new(now, tx.rng());
    let email = EmailId::new(now, tx.rng());
    store::insert(tx, id, new, &region)?;
    store::insert_email(tx, email, id, &new.email, new.is_verified.then_some(now))?;
    if let Some(phc) = &new.password {
        store::insert_password(tx, id, phc)?;
    }
    let event = Event::of("account.created")
        .target(id)
        .subject(id)
        .data(json!({"region": region, "verified": new.is_verified, "operator": new.is_operator}))
        .private(Part::Contact, json!({"email": new.email.as_str(), "username": new.username.as_str()}));
    audit::record(tx, actor, event)?;
    store::find(tx, id)?.ok_or(AccountError::NotFound)
}

/// Whether somebody could take the name now.
///
/// # Errors
/// [`db::Error`].
pub fn is_username_free(view: &View<'_>, username: &str) -> Result<bool, db::Error> {
    Ok(store::find_by_username(view, username)?.is_none() && !store::is_retired(view, &name_digest(view, username))?)
}

/// Whether some account verified the address.
///
/// # Errors
/// [`db::Error`].
pub fn is_email_taken(view: &View<'_>, address: &EmailAddress) -> Result<bool, db::Error> {
    Ok(store::find_verified_owner(view, address)?.is_some())
}

/// A keyed digest, so that the list of left names does not tell the names. Folded, as the table of accounts compares.
fn name_digest(view: &View<'_>, username: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("retired-username:{}", username.to_ascii_lowercase()).as_bytes())
}

/// The account. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find(view: &View<'_>, id: AccountId) -> Result<Option<Account>, db::Error> {
    store::find(view, id)
}

/// The account behind an id, a username or an e-mail address. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_name(view: &View<'_>, name: &str) -> Result<Option<Account>, db::Error> {
    let name = name.trim();
    if let Some(id) = AccountId::parse(name) {
        return store::find(view, id);
    }
    match EmailAddress::parse(name) {
        Ok(address) => store::find_by_email(view, &address),
        Err(_) => store::find_by_username(view, name),
    }
}

/// The account behind a username, or behind an e-mail address that it verified. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_proved_name(view: &View<'_>, name: &str) -> Result<Option<Account>, db::Error> {
    match EmailAddress::parse(name.trim()) {
        Ok(address) => store::find_verified_owner(view, &address)?.map_or(Ok(None), |owner| store::find(view, owner)),
        Err(_) => store::find_by_username(view, name.trim()),
    }
}

/// The account that verified the address, else the newest that claims it. `None`: nobody.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_email(view: &View<'_>, address: &EmailAddress) -> Result<Option<Account>, db::Error> {
    store::find_by_email(view, address)
}

/// Accounts, the newest first, `limit` at most (100).
///
/// # Errors
/// [`db::Error`].
pub fn list(view: &View<'_>, before: Option<Cursor>, limit: u32) -> Result<Page<Account>, db::Error> {
    store::list(view, before, limit.min(PAGE_SIZE_MAX))
}

/// How many accounts there are.
///
/// # Errors
/// [`db::Error`].
pub fn count(view: &View<'_>) -> Result<i64, db::Error> {
    store::count(view)
}

/// The addresses, the primary one first.
///
/// # Errors
/// [`db::Error`].
pub fn emails(view: &View<'_>, account: AccountId) -> Result<Vec<Email>, db::Error> {
    store::list_emails(view, account)
}

/// Where notices go.
///
/// # Errors
/// [`db::Error`].
pub fn primary_email(view: &View<'_>, account: AccountId) -> Result<Option<EmailAddress>, db::Error> {
    Ok(primary(view, account)?.map(|email| email.address))
}

fn primary(view: &View<'_>, account: AccountId) -> Result<Option<Email>, db::Error> {
    Ok(store::list_emails(view, account)?.into_iter().find(|email| email.is_primary))
}

/// The stored password hash. `None`: no password, or no account.
///
/// # Errors
/// [`db::Error`].
pub fn password_hash(view: &View<'_>, account: AccountId) -> Result<Option<String>, db::Error> {
    store::find_password(view, account)
}

/// Changes what the person may change about themselves.
///
/// # Errors
/// [`AccountError::NotFound`] when the account is not the actor's.
pub fn update_profile(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    profile: &Profile,
) -> Result<(), AccountError> {
    let before = store::find(tx, account)?.filter(|_| actor.may_govern(account)).ok_or(AccountError::NotFound)?;
    if before.display_name == profile.display_name.as_str() {
        return Ok(());
    }
    store::update_display_name(tx, account, profile.display_name.as_str())?;
    let event =
        Event::of("account.profile_updated").target(account).subject(account).data(json!({"fields": ["display_name"]}));
    Ok(audit::record(tx, actor, event)?)
}

/// Sends a new six-digit code to the account's primary address, in place of any earlier one. Where another account verified
/// the address, its owner is told instead and the code is one that nobody gets: the same rows in the same time.
///
/// # Errors
/// [`AccountError::NotFound`] without a primary address.
pub fn send_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let email = primary(tx, account)?.ok_or(AccountError::NotFound)?;
    let code = tokens::six_digits(tx.rng());
    let expires_at = tx.now().plus(CODE_LIFE);
    let owner = store::find_verified_owner(tx, &email.address)?;
    let is_taken = owner.is_some_and(|owner| owner != account);
    let digest = if is_taken { tx.rng().bytes() } else { code_digest(tx, email.id, code.expose()) };
    let window = tx.now().minus(CODES_WINDOW);
    store::insert_code(tx, email.id, &digest, expires_at, window)?;
    let url = &tx.site().config.public_url;
    let letter = if is_taken {
        mails::account_exists(url)
    } else {
        mails::verify_code(&person.display_name, code.expose(), url)
    };
    mail::enqueue(tx, Some(account), email.address, &letter)?;
    Ok(audit::record(tx, actor, Event::of("email.code_sent").target(account).subject(account))?)
}

/// As [`send_code`], when the last code is at least a minute old, there were not too many in the last hour, and the address
/// still needs one.
///
/// # Errors
/// [`AccountError::CodeTooSoon`], [`AccountError::NotFound`].
pub fn resend_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), AccountError> {
    let email = primary(tx, account)?.filter(|email| email.verified_at.is_none()).ok_or(AccountError::NotFound)?;
    if let Some(code) = store::find_code(tx, email.id)? {
        let minute = code.sent_at.plus(RESEND_AFTER);
        let hour = code.counted_from.plus(CODES_WINDOW);
        let next = if code.sent_count >= CODES_MAX { minute.max(hour) } else { minute };
        let wait = next.since(tx.now());
        if !wait.is_zero() {
            return Err(AccountError::CodeTooSoon {
                wait_seconds: u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX),
            });
        }
    }
    send_code(tx, actor, account)
}

fn code_digest(view: &View<'_>, email: EmailId, code: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("email-code:{email}:{code}").as_bytes())
}

/// How a code was received. A wrong code is an answer and not an error, because the try it used up must be committed.
pub enum CodeAnswer {
    /// The address is verified and the account active.
    Verified(Account),
    /// Not good.
    Refused(AccountError),
}

/// Tries a code for the account's primary address. Spaces in the code are ignored.
///
/// # Errors
/// [`AccountError::Db`] only.
pub fn verify_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    code: &str,
) -> Result<CodeAnswer, AccountError> {
    let refused = Ok(CodeAnswer::Refused(AccountError::CodeRefused));
    let Some(email) = primary(tx, account)?.filter(|email| email.verified_at.is_none()) else { return refused };
    let Some(kept) = store::find_code(tx, email.id)? else { return refused };
    if kept.tries >= CODE_TRIES_MAX || kept.expires_at <= tx.now() {
        return refused;
    }
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if !Secret::new(kept.digest).matches(&code_digest(tx, email.id, &typed)) {
        store::update_code_tries(tx, email.id)?;
        let event = Event::of("email.verify_failed").outcome(audit::Outcome::Failure).target(account).subject(account);
        audit::record(tx, actor, event)?;
        return refused;
    }
    store::end_code(tx, email.id)?;
    match store::find_verified_owner(tx, &email.address)? {
        // Somebody else proved the address since the code was sent; this claim to it is void.
        Some(_) => refused,
        None => Ok(CodeAnswer::Verified(activate(tx, actor, account, &email)?)),
    }
}

/// Takes the primary address as proved, because an operator vouches for it.
///
/// # Errors
/// [`AccountError::NotFound`], [`AccountError::EmailTaken`].
pub fn verify_by_operator(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Account, AccountError> {
    let email = primary(tx, account)?.ok_or(AccountError::NotFound)?;
    match store::find_verified_owner(tx, &email.address)? {
        Some(owner) if owner != account => Err(AccountError::EmailTaken),
        _ => activate(tx, actor, account, &email),
    }
}

fn activate(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, email: &Email) -> Result<Account, AccountError> {
    store::update_verified(tx, email.id)?;
    store::update_state(tx, account, AccountState::Active)?;
    audit::record(tx, actor, Event::of("email.verified").target(account).subject(account))?;
    store::find(tx, account)?.ok_or(AccountError::NotFound)
}

/// Puts the account into a state; whoever calls it records why.
///
/// # Errors
/// [`db::Error`].
pub fn set_state(tx: &mut Tx<'_>, account: AccountId, state: AccountState) -> Result<(), db::Error> {
    store::update_state(tx, account, state)
}

/// Sets the password to an Argon2id hash made elsewhere.
///
/// # Errors
/// [`AccountError::Db`].
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, phc: &str) -> Result<(), AccountError> {
    store::insert_password(tx, account, phc)?;
    Ok(audit::record(tx, actor, Event::of("auth.password_changed").target(account).subject(account))?)
}

/// Makes a one-time link's secret; only its digest is kept.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: Option<AccountId>,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, account)?;
    Ok(token)
}

/// Makes every link to set the account's password worthless. Links that undo something stay good: whoever reads the mailbox
/// and sets a new password must not take them from their owner.
///
/// # Errors
/// [`db::Error`].
pub fn revoke_links(tx: &mut Tx<'_>, account: AccountId) -> Result<(), db::Error> {
    store::delete_reset_links(tx, account)
}

/// Makes every link that would make a first operator worthless.
///
/// # Errors
/// [`db::Error`].
pub fn revoke_claims(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    store::delete_open_claims(tx)
}

/// Whether somebody runs the appliance: an operator with a proved address, stopped or not.
///
/// # Errors
/// [`db::Error`].
pub fn has_operator(view: &View<'_>) -> Result<bool, db::Error> {
    store::has_operator(view)
}

/// When the password was set. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn password_changed_at(view: &View<'_>, account: AccountId) -> Result<Option<Timestamp>, db::Error> {
    store::find_password_time(view, account)
}

/// Keeps a better hash of the password that was found right. Where it was changed meanwhile, nothing happens.
///
/// # Errors
/// [`db::Error`].
pub fn renew_password_hash(tx: &mut Tx<'_>, account: AccountId, checked: &str, renewed: &str) -> Result<(), db::Error> {
    store::update_password_hash(tx, account, checked, renewed)
}

/// Whose one-time link it is, without using it up. `None`: it is not good, or not about an account.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_link(view: &View<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<Account>, db::Error> {
    store::find_link(view, &tokens::digest(token), purpose)?.map_or(Ok(None), |account| store::find(view, account))
}

/// Uses a one-time link up. `None`: a link that is not about an account.
///
/// # Errors
/// [`AccountError::LinkRefused`] for one that is unknown, used or too old; which of these is not told.
pub fn use_link(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<AccountId>, AccountError> {
    store::update_link_used(tx, &tokens::digest(token), purpose)?.ok_or(AccountError::LinkRefused)
}

/// Pending accounts whose day is over, a hundred at most: whoever erases accounts erases these.
///
/// # Errors
/// [`db::Error`].
pub fn purge_pending(view: &View<'_>) -> Result<Vec<AccountId>, db::Error> {
    store::list_pending_before(view, view.now().minus(PENDING_LIFE), PAGE_SIZE_MAX)
}

/// Deletes codes and links an hour after their time, and retired names after their year.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    let before = tx.now().minus(CODES_WINDOW);
    store::delete_old(tx, before, PURGE_BATCH_MAX)
}

/// Deletes every row about the person that this slice keeps, and keeps the username out of use for a year.
///
/// # Errors
/// [`AccountError::NotFound`].
pub fn erase(tx: &mut Tx<'_>, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let until = tx.now().plus(USERNAME_RETIRED);
    // A name that was never proved to be anybody's does not stay blocked.
    if person.state != AccountState::Pending {
        store::insert_retired(tx, &name_digest(tx, &person.username), until)?;
    }
    Ok(store::delete(tx, account)?)
}
