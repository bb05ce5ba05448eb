//! The operations on accounts.

use serde_json::json;

use super::error::AccountError;
use super::events::AccountEvent;
use super::model::{
    Account, AccountState, CODE_LIFE, CODE_TRIES_MAX, CODES_MAX, CODES_WINDOW, Colour, DisplayName, Email, LinkPurpose,
    NewAccount, PENDING_LIFE, Profile, RESEND_AFTER, USERNAME_RETIRED, Username,
};
use super::{addresses, confusables, mails, store};
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, Cursor, EmailAddress, EmailId, PAGE_SIZE_MAX, Page, Secret, Timestamp};
use crate::crypto::tokens;
use crate::db::{self, Decided, Decision, Tx, View};
use crate::mail::{self, PlainMessage};

/// Names that are tried for a suggestion.
const SUGGESTIONS_MAX: u32 = 40;
/// Rows of each kind that one cleanup deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Creates an account with its first address. It is `pending` until the address is verified.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::UsernameConfusable`]; [`AccountError::EmailTaken`] when the address
/// is to count as verified and another account has verified it. An unverified address is accepted even if another
/// account has verified it, so that a sign-up does not tell which addresses are known (safety P8).
// No permission: an anonymous visitor creates an account too; the caller decides whether sign-up is open.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: &NewAccount) -> Result<Account, AccountError> {
    must_be_free(tx, &new.username)?;
    if new.is_verified && is_email_taken(tx, &new.email)? {
        return Err(AccountError::EmailTaken);
    }
    let now = tx.now();
    let region = tx.site().config.region.clone();
    let id = AccountId::new(now, tx.rng());
    let email = EmailId::new(now, tx.rng());
    let colours = Colour::ALL;
    let colour = colours[usize::try_from(tx.rng().below(colours.len() as u32)).unwrap_or_default()];
    store::insert(tx, id, new, colour, &region)?;
    store::insert_email(tx, email, id, &new.email, new.is_verified.then_some(now), true)?;
    if let Some(phc) = &new.password {
        store::insert_password(tx, id, phc)?;
    }
    let event = Event::new(AccountEvent::Created)
        .target(id)
        .subject(id)
        .data(json!({"region": region, "verified": new.is_verified, "operator": new.is_operator}))
        .private(Part::Contact, json!({"email": new.email.as_str(), "username": new.username.as_str()}));
    audit::record(tx, actor, event)?;
    store::find(tx, id)?.ok_or(AccountError::NotFound)
}

/// Whether the name can be taken now: no account has it or a name that looks like it, or had one less than a year ago.
///
/// # Errors
/// [`db::Error`].
pub fn is_username_free(view: &View<'_>, username: &str) -> Result<bool, db::Error> {
    let is_taken = store::has_lookalike(view, &confusables::skeleton(username))?;
    Ok(!is_taken && !store::is_retired(view, &name_digest(view, username))?)
}

/// Refuses a name that cannot be taken now.
///
/// # Errors
/// [`AccountError::UsernameTaken`], [`AccountError::UsernameConfusable`].
pub fn must_be_free(view: &View<'_>, username: &Username) -> Result<(), AccountError> {
    if is_username_free(view, username.as_str())? {
        return Ok(());
    }
    // A name that looks like a retired one is reported as taken, because no visible account has the retired name.
    let is_retired = store::is_retired(view, &name_digest(view, username.as_str()))?;
    let is_taken = is_retired || store::find_by_username(view, username.as_str())?.is_some();
    Err(if is_taken { AccountError::UsernameTaken } else { AccountError::UsernameConfusable })
}

/// A free username similar to `wanted`. `None`: the first 40 variants are all taken or invalid.
///
/// # Errors
/// [`db::Error`].
pub fn suggest_username(view: &View<'_>, wanted: &str) -> Result<Option<Username>, db::Error> {
    for number in 1..=SUGGESTIONS_MAX {
        let Ok(candidate) = Username::parse(&confusables::variant(wanted, number)) else { continue };
        if is_username_free(view, candidate.as_str())? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Whether an account has verified the address.
///
/// # Errors
/// [`db::Error`].
pub fn is_email_taken(view: &View<'_>, address: &EmailAddress) -> Result<bool, db::Error> {
    Ok(store::find_verified_owner(view, address)?.is_some())
}

/// A keyed digest, so that the list of retired names does not reveal them. It is made from the skeleton, so that names
/// that look like a retired one are out of use too.
fn name_digest(view: &View<'_>, username: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("retired-username:{}", confusables::skeleton(username)).as_bytes())
}

/// The account. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find(view: &View<'_>, id: AccountId) -> Result<Option<Account>, db::Error> {
    store::find(view, id)
}

/// The account with this id, username or e-mail address. `None`: there is none.
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

/// The account with this username, without regard to case. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_username(view: &View<'_>, username: &str) -> Result<Option<Account>, db::Error> {
    store::find_by_username(view, username)
}

/// The account with this username or this verified e-mail address. `None`: there is none.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_verified_name(view: &View<'_>, name: &str) -> Result<Option<Account>, db::Error> {
    match EmailAddress::parse(name.trim()) {
        Ok(address) => store::find_verified_owner(view, &address)?.map_or(Ok(None), |owner| store::find(view, owner)),
        Err(_) => store::find_by_username(view, name.trim()),
    }
}

/// The account that verified the address, or else the newest one that signed up with it. An account that only added the
/// address does not count. `None`: there is none.
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

/// The number of accounts.
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

/// The address to which notices are sent. `None`: there is no such account.
///
/// # Errors
/// [`db::Error`].
pub fn primary_email(view: &View<'_>, account: AccountId) -> Result<Option<EmailAddress>, db::Error> {
    Ok(primary(view, account)?.map(|email| email.address))
}

pub(super) fn primary(view: &View<'_>, account: AccountId) -> Result<Option<Email>, db::Error> {
    Ok(store::list_emails(view, account)?.into_iter().find(|email| email.is_primary))
}

/// The stored password hash. `None`: no password, or no account.
///
/// # Errors
/// [`db::Error`].
pub fn password_hash(view: &View<'_>, account: AccountId) -> Result<Option<String>, db::Error> {
    store::find_password(view, account)
}

/// Changes the profile of the person.
///
/// # Errors
/// [`AccountError::NotFound`] when the account is not the actor's.
pub fn update_profile(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    profile: &Profile,
) -> Result<(), AccountError> {
    let before = store::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)?;
    let fields = profile.differs_from(&before);
    if fields.is_empty() {
        return Ok(());
    }
    store::update_profile(tx, account, profile)?;
    let event =
        Event::new(AccountEvent::ProfileUpdated).target(account).subject(account).data(json!({"fields": fields}));
    Ok(audit::record(tx, actor, event)?)
}

/// Sets the background of the person's initials.
///
/// # Errors
/// [`AccountError::NotFound`] when the account is not the actor's.
pub fn set_colour(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, colour: Colour) -> Result<(), AccountError> {
    let before = store::find(tx, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)?;
    if before.colour == colour {
        return Ok(());
    }
    store::update_colour(tx, account, colour)?;
    let event =
        Event::new(AccountEvent::ProfileUpdated).target(account).subject(account).data(json!({"fields": ["colour"]}));
    Ok(audit::record(tx, actor, event)?)
}

/// Sets the display name. It records nothing, because it is part of the creation of an account.
///
/// # Errors
/// [`db::Error`].
pub fn set_display_name(tx: &mut Tx<'_>, account: AccountId, name: &DisplayName) -> Result<(), db::Error> {
    store::update_display_name(tx, account, name.as_str())
}

/// Voids the claims of other accounts to the address that `owner` verified: active accounts lose the unverified
/// address, pending accounts lose password, codes and links. Returns the pending accounts, so that the caller can end
/// their sessions and factors.
///
/// # Errors
/// [`db::Error`].
pub fn void_claims(tx: &mut Tx<'_>, owner: AccountId, address: &EmailAddress) -> Result<Vec<AccountId>, db::Error> {
    store::delete_claims(tx, owner, address)?;
    let claimants = store::list_pending_claims(tx, owner, address)?;
    for claimant in &claimants {
        store::delete_sign_in_methods(tx, *claimant)?;
    }
    Ok(claimants)
}

/// Sends a new six-digit code to the account's primary address, in place of any earlier one. When another account has
/// verified the address, its owner gets a notice instead and the stored code is random and never sent: the same rows in
/// the same time.
///
/// # Errors
/// [`AccountError::NotFound`] without a primary address.
// No permission: a person who is not signed in yet needs the code; it goes to the address of the account only.
pub fn send_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let email = primary(tx, account)?.ok_or(AccountError::NotFound)?;
    send_code_to(tx, actor, &person, &email, mails::account_exists)
}

/// Sends a code to an address of the person. `to_owner`: the mail to the owner of the address when another account has
/// verified it.
pub(super) fn send_code_to(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    email: &Email,
    to_owner: fn(&str) -> PlainMessage,
) -> Result<(), AccountError> {
    let account = person.id;
    let code = tokens::six_digits(tx.rng());
    let expires_at = tx.now().plus(CODE_LIFE);
    let owner = store::find_verified_owner(tx, &email.address)?;
    let is_taken = owner.is_some_and(|owner| owner != account);
    let digest = if is_taken { tx.rng().bytes() } else { code_digest(tx, email.id, code.expose()) };
    let window = tx.now().minus(CODES_WINDOW);
    store::insert_code(tx, email.id, &digest, expires_at, window)?;
    let url = &tx.site().config.public_url;
    let message = if is_taken { to_owner(url) } else { mails::verify_code(&person.display_name, code.expose(), url) };
    mail::enqueue(tx, Some(account), email.address.clone(), &message)?;
    Ok(audit::record(tx, actor, Event::new(AccountEvent::EmailCodeSent).target(account).subject(account))?)
}

/// As [`send_code`], if the last code is at least a minute old, there were not too many in the last hour, and the
/// address is not verified yet.
///
/// # Errors
/// [`AccountError::CodeTooSoon`], [`AccountError::NotFound`].
// No permission: as for `send_code`; the limits above it protect the mailbox.
pub fn resend_code(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), AccountError> {
    let email = primary(tx, account)?.filter(|email| email.verified_at.is_none()).ok_or(AccountError::NotFound)?;
    must_not_be_too_soon(tx, email.id)?;
    send_code(tx, actor, account)
}

/// Refuses another code within a minute, and after five in an hour.
pub(super) fn must_not_be_too_soon(view: &View<'_>, email: EmailId) -> Result<(), AccountError> {
    if let Some(code) = store::find_code(view, email)? {
        let minute = code.sent_at.plus(RESEND_AFTER);
        let hour = code.counted_from.plus(CODES_WINDOW);
        let next = if code.sent_count >= CODES_MAX { minute.max(hour) } else { minute };
        let wait = next.since(view.now());
        if !wait.is_zero() {
            return Err(AccountError::CodeTooSoon {
                wait_seconds: u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX),
            });
        }
    }
    Ok(())
}

fn code_digest(view: &View<'_>, email: EmailId, code: &str) -> [u8; 32] {
    view.site().keyring.lookup(format!("email-code:{email}:{code}").as_bytes())
}

/// Checks a code for the account's primary address, and returns the account, which is active now. Spaces in the code are
/// ignored. A wrong code uses up a try, so its refusal is committed.
///
/// # Errors
/// [`AccountError::CodeRefused`].
// No permission: the code proves the address.
pub fn verify_email(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, code: &str) -> Decided<Account, AccountError> {
    let refused = Ok(Decision::Refused(AccountError::CodeRefused));
    let Some(email) = primary(tx, account)?.filter(|email| email.verified_at.is_none()) else { return refused };
    if !try_code(tx, actor, account, &email, code)? {
        return refused;
    }
    Ok(Decision::Done(activate(tx, actor, account, &email)?))
}

/// Whether the code is the one that was sent to the address. A right code is used up; a wrong one uses up a try.
pub(super) fn try_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: &Email,
    code: &str,
) -> Result<bool, AccountError> {
    let Some(stored) = store::find_code(tx, email.id)? else { return Ok(false) };
    if stored.tries >= CODE_TRIES_MAX || stored.expires_at <= tx.now() {
        return Ok(false);
    }
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if !Secret::new(stored.digest).matches(&code_digest(tx, email.id, &typed)) {
        store::update_code_tries(tx, email.id)?;
        let event = Event::new(AccountEvent::EmailVerifyFailed)
            .outcome(audit::Outcome::Failure)
            .target(account)
            .subject(account);
        audit::record(tx, actor, event)?;
        return Ok(false);
    }
    store::end_code(tx, email.id)?;
    // Another account may have verified the address since the code was sent; then this claim is void.
    Ok(store::find_verified_owner(tx, &email.address)?.is_none())
}

/// Counts the primary address as verified, because an operator confirms it.
///
/// # Errors
/// [`AccountError::NotFound`], [`AccountError::EmailTaken`].
// No permission: the caller has checked that the actor is the operator, or has a link that was mailed there.
pub fn verify_by_operator(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Account, AccountError> {
    let email = primary(tx, account)?.ok_or(AccountError::NotFound)?;
    match store::find_verified_owner(tx, &email.address)? {
        Some(owner) if owner != account => Err(AccountError::EmailTaken),
        _ => activate(tx, actor, account, &email),
    }
}

fn activate(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, email: &Email) -> Result<Account, AccountError> {
    store::update_state(tx, account, AccountState::Active)?;
    set_verified(tx, actor, account, email)?;
    store::find(tx, account)?.ok_or(AccountError::NotFound)
}

/// Stores that the address is verified. The caller voids the claims of other accounts, because these may have sessions
/// and factors (see [`void_claims`]).
pub(super) fn set_verified(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: &Email,
) -> Result<(), AccountError> {
    store::update_verified(tx, email.id)?;
    Ok(audit::record(tx, actor, Event::new(AccountEvent::EmailVerified).target(account).subject(account))?)
}

/// Sets the state of the account; the caller records why.
///
/// # Errors
/// [`db::Error`].
pub fn set_state(tx: &mut Tx<'_>, account: AccountId, state: AccountState) -> Result<(), db::Error> {
    store::update_state(tx, account, state)
}

/// Sets the password to a finished Argon2id hash. Locked API keys are accepted again.
///
/// # Errors
/// [`AccountError::Db`].
// No permission: a reset link proves the person, who is not signed in; the caller checks the link or the actor.
pub fn set_password(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, phc: &str) -> Result<(), AccountError> {
    store::insert_password(tx, account, phc)?;
    if store::update_keys_unlocked(tx, account)? > 0 {
        audit::record(tx, actor, Event::new(AccountEvent::KeysUnlocked).target(account).subject(account))?;
        if let Some(email) = primary(tx, account)? {
            let message = mails::keys_unlocked(&tx.site().config.public_url);
            mail::enqueue(tx, Some(account), email.address, &message)?;
        }
    }
    Ok(audit::record(tx, actor, Event::new(AccountEvent::PasswordChanged).target(account).subject(account))?)
}

/// Locks the account's API keys: they are refused from the next request on, until the account has a new password.
/// Calling it twice is the same as once.
///
/// # Errors
/// [`db::Error`].
// No permission: a person who is not signed in reports a sign-in; the caller checks the link.
pub fn lock_keys(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), db::Error> {
    if store::update_keys_locked(tx, account)? > 0 {
        audit::record(tx, actor, Event::new(AccountEvent::KeysLocked).target(account).subject(account))?;
    }
    Ok(())
}

/// When the account's API keys were locked. `None`: they are not locked.
///
/// # Errors
/// [`db::Error`].
pub fn keys_locked_at(view: &View<'_>, account: AccountId) -> Result<Option<Timestamp>, db::Error> {
    store::find_keys_locked(view, account)
}

/// Creates a one-time link and returns its secret; only a digest is stored.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: Option<AccountId>,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, account, None)?;
    Ok(token)
}

/// As [`issue_link`], for a link that refers to something of the account by its id.
///
/// # Errors
/// [`db::Error`].
pub fn issue_link_about(
    tx: &mut Tx<'_>,
    purpose: LinkPurpose,
    account: AccountId,
    about: &str,
) -> Result<Secret<String>, db::Error> {
    let token = tokens::random_token(tx.rng());
    store::insert_link(tx, &tokens::digest(token.expose()), purpose, Some(account), Some(about))?;
    Ok(token)
}

/// Deletes every link to set the account's password. Links that undo something stay valid: a thief who reads the
/// mailbox and sets a new password must not be able to remove them.
///
/// # Errors
/// [`db::Error`].
pub fn revoke_links(tx: &mut Tx<'_>, account: AccountId) -> Result<(), db::Error> {
    store::delete_reset_links(tx, account)
}

/// Deletes every unused link to sign up as the first operator.
///
/// # Errors
/// [`db::Error`].
pub fn revoke_claims(tx: &mut Tx<'_>) -> Result<(), db::Error> {
    store::delete_open_claims(tx)
}

/// Whether there is an operator with a verified address, suspended or not.
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

/// Replaces `checked`, the stored hash, by `renewed`, a stronger hash of the same password. When the password was
/// changed meanwhile, nothing happens.
///
/// # Errors
/// [`db::Error`].
pub fn renew_password_hash(tx: &mut Tx<'_>, account: AccountId, checked: &str, renewed: &str) -> Result<(), db::Error> {
    store::update_password_hash(tx, account, checked, renewed)
}

/// The account of a one-time link, which is not used up. `None`: the link is unknown, used or expired, or has no
/// account.
///
/// # Errors
/// [`db::Error`].
pub fn find_by_link(view: &View<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<Account>, db::Error> {
    let account = store::find_link(view, &tokens::digest(token), purpose)?.and_then(|link| link.account);
    account.map_or(Ok(None), |account| store::find(view, account))
}

/// The account of a one-time link and the id that it refers to; the link is not used up. `None`: it is unknown, used or
/// expired.
///
/// # Errors
/// [`db::Error`].
pub fn find_link_about(
    view: &View<'_>,
    purpose: LinkPurpose,
    token: &str,
) -> Result<Option<(AccountId, Option<String>)>, db::Error> {
    let link = store::find_link(view, &tokens::digest(token), purpose)?;
    Ok(link.and_then(|link| Some((link.account?, link.about))))
}

/// Uses a one-time link up and returns its account. `None`: the link has no account.
///
/// # Errors
/// [`AccountError::LinkRefused`] for one that is unknown, used or expired. The answer does not tell which.
pub fn use_link(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<Option<AccountId>, AccountError> {
    let link = store::update_link_used(tx, &tokens::digest(token), purpose)?;
    link.map(|link| link.account).ok_or(AccountError::LinkRefused)
}

/// Uses up a link of [`issue_link_about`] and returns its account and the id that it refers to.
///
/// # Errors
/// [`AccountError::LinkRefused`].
pub fn use_link_about(tx: &mut Tx<'_>, purpose: LinkPurpose, token: &str) -> Result<(AccountId, String), AccountError> {
    let link = store::update_link_used(tx, &tokens::digest(token), purpose)?.ok_or(AccountError::LinkRefused)?;
    link.account.zip(link.about).ok_or(AccountError::LinkRefused)
}

/// Pending accounts that are older than a day, a hundred at most, for the job that erases them.
///
/// # Errors
/// [`db::Error`].
pub fn purge_pending(view: &View<'_>) -> Result<Vec<AccountId>, db::Error> {
    store::list_pending_before(view, view.now().minus(PENDING_LIFE), PAGE_SIZE_MAX)
}

/// Deletes codes and links an hour after they were sent or expired, and retired names after their year. Returns how
/// many rows.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    let before = tx.now().minus(CODES_WINDOW);
    Ok(store::delete_old(tx, before, PURGE_BATCH_MAX)? + addresses::purge_old(tx, before, PURGE_BATCH_MAX)?)
}

/// Deletes every row of this slice about the person, and keeps the username out of use for a year.
///
/// # Errors
/// [`AccountError::NotFound`].
pub fn erase(tx: &mut Tx<'_>, account: AccountId) -> Result<(), AccountError> {
    let person = store::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let until = tx.now().plus(USERNAME_RETIRED);
    // The name of an account that was never verified is free at once.
    if person.state != AccountState::Pending {
        store::insert_retired(tx, &name_digest(tx, &person.username), until)?;
    }
    addresses::forget(tx, account)?;
    Ok(store::delete(tx, account)?)
}
