//! Codes that prove an address.

use super::super::error::AccountError;
use super::super::events::AccountEvent;
use super::super::model::{
    Account, AccountState, CODE_LIFE, CODE_TRIES_MAX, CODES_MAX, CODES_WINDOW, Email, RESEND_AFTER,
};
use super::super::{mails, store};
use super::primary;
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress, EmailId, Secret, Timestamp, six_digits};
use crate::crypto::tokens;
use crate::db::{Decided, Decision, Tx, View};
use crate::mail::{self, PlainMessage};

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
// No permission: as for `send_code`.
pub(in crate::accounts) fn send_code_to(
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
    let (url, name) = (&tx.site().config.public_url, &tx.site().config.site.name);
    let message = if is_taken { to_owner(url) } else { mails::verify_code(code.expose(), name, url) };
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

/// The newest code that was sent to an address.
#[derive(Clone, Debug)]
pub struct SentCode {
    /// Where it was sent to.
    pub address: EmailAddress,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Whether it can still be entered.
    pub is_valid: bool,
}

/// The newest code for the sign-up. `None`: the account has no address that waits for a code, or none was sent in the last
/// hour.
///
/// # Errors
/// [`AccountError::Db`].
pub fn sent_code(view: &View<'_>, account: AccountId) -> Result<Option<SentCode>, AccountError> {
    let Some(email) = primary(view, account)?.filter(Email::awaits_code) else { return Ok(None) };
    let Some(code) = store::find_code(view, email.id)? else { return Ok(None) };
    let is_valid = code.tries < CODE_TRIES_MAX && code.expires_at > view.now();
    Ok(Some(SentCode { address: email.address, sent_at: code.sent_at, is_valid }))
}

/// Refuses another code within a minute, and after five in an hour.
pub(in crate::accounts) fn must_not_be_too_soon(view: &View<'_>, email: EmailId) -> Result<(), AccountError> {
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

/// Checks a code for the account's primary address, and returns the account, which is active now. A wrong code uses up a try,
/// so its refusal is committed.
///
/// # Errors
/// [`AccountError::CodeRefused`]; [`AccountError::CodeMalformed`] for what is no code, which uses up nothing.
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
// No permission: the code proves the address.
pub(in crate::accounts) fn try_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: &Email,
    code: &str,
) -> Result<bool, AccountError> {
    let typed = six_digits(code).ok_or(AccountError::CodeMalformed)?;
    let Some(stored) = store::find_code(tx, email.id)? else { return Ok(false) };
    if stored.tries >= CODE_TRIES_MAX || stored.expires_at <= tx.now() {
        return Ok(false);
    }
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
// No permission: the caller has checked the proof.
pub(in crate::accounts) fn set_verified(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: &Email,
) -> Result<(), AccountError> {
    store::update_verified(tx, email.id)?;
    Ok(audit::record(tx, actor, Event::new(AccountEvent::EmailVerified).target(account).subject(account))?)
}
