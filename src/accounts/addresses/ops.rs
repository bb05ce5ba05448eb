//! What can be done with addresses beside the first one.

use serde_json::json;

use super::super::error::AccountError;
use super::super::model::{
    ADDED_CODES_MAX, Account, CODES_WINDOW, EMAILS_MAX, Email, EmailChange, LinkPurpose, REVERT_LIFE,
};
use super::super::{mails, ops, store as people};
use super::store;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, EmailAddress, EmailChangeId, EmailId, Secret, Timestamp};
use crate::db::{self, Tx, View};

fn governed(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Account, AccountError> {
    ops::find(view, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)
}

/// Adds an address and sends a code to it at once. Where another account verified the address, its owner is told instead,
/// and everything else is the same.
///
/// # Errors
/// [`AccountError::EmailListed`], [`AccountError::TooManyEmails`]; [`AccountError::CodeTooSoon`] after five codes in an
/// hour; [`AccountError::NotFound`] when the account is not the actor's.
pub fn add_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    address: &EmailAddress,
) -> Result<EmailId, AccountError> {
    let person = governed(tx, actor, account)?;
    let listed = ops::emails(tx, account)?;
    if listed.iter().any(|email| email.address.folded() == address.folded()) {
        return Err(AccountError::EmailListed);
    }
    if listed.len() >= EMAILS_MAX {
        return Err(AccountError::TooManyEmails);
    }
    let id = EmailId::new(tx.now(), tx.rng());
    people::insert_email(tx, id, account, address, None, false)?;
    let event = Event::new("email.added").target(account).subject(account);
    audit::record(tx, actor, event.private(Part::Contact, json!({"email": address.as_str()})))?;
    send(tx, actor, &person, id)?;
    Ok(id)
}

/// Sends another code to an address that was added and is not verified yet.
///
/// # Errors
/// [`AccountError::CodeTooSoon`] within a minute, after five codes of the account in an hour;
/// [`AccountError::NotFound`] for an address that is another's, verified, or the one of the sign-up.
pub fn resend_email_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<(), AccountError> {
    let person = governed(tx, actor, account)?;
    let email = waiting(tx, account, email)?;
    ops::must_not_be_too_soon(tx, email.id)?;
    send(tx, actor, &person, email.id)
}

/// An address of the account that was added and waits for its code.
fn waiting(view: &View<'_>, account: AccountId, email: EmailId) -> Result<Email, AccountError> {
    let is_waiting = |email: &Email| email.verified_at.is_none() && !email.is_primary;
    store::find_email(view, account, email)?.filter(is_waiting).ok_or(AccountError::NotFound)
}

fn send(tx: &mut Tx<'_>, actor: &Actor, person: &Account, email: EmailId) -> Result<(), AccountError> {
    let window = tx.now().minus(CODES_WINDOW);
    let (sent, counted_from) = store::count_added_code(tx, person.id, window)?;
    if sent > ADDED_CODES_MAX {
        let wait = counted_from.plus(CODES_WINDOW).since(tx.now()).as_secs() + 1;
        return Err(AccountError::CodeTooSoon { wait_seconds: u32::try_from(wait).unwrap_or(u32::MAX) });
    }
    let email = store::find_email(tx, person.id, email)?.ok_or(AccountError::NotFound)?;
    ops::send_code_to(tx, actor, person, &email, mails::address_in_use)
}

/// How a code was received; see [`super::super::CodeAnswer`].
pub enum EmailAnswer {
    /// The address is verified: the person, and the address.
    Verified(Account, EmailAddress),
    /// Not good.
    Refused(AccountError),
}

/// Tries a code for an address that was added. What others claimed by it is void from then on.
///
/// # Errors
/// [`AccountError::NotFound`] for an address that does not wait for a code. A refusal of the code is an answer.
pub fn verify_added(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
    code: &str,
) -> Result<EmailAnswer, AccountError> {
    let person = governed(tx, actor, account)?;
    let email = waiting(tx, account, email)?;
    if !ops::try_code(tx, actor, account, &email, code)? {
        return Ok(EmailAnswer::Refused(AccountError::CodeRefused));
    }
    ops::prove(tx, actor, account, &email)?;
    Ok(EmailAnswer::Verified(person, email.address))
}

/// The primary address is another one now.
pub struct PrimaryChange {
    /// Whose.
    pub person: Account,
    /// The address before.
    pub from: EmailAddress,
    /// The address after.
    pub to: EmailAddress,
    /// The secret of the link that undoes it, and until when. `None`: this was itself the way back.
    pub revert: Option<(Secret<String>, Timestamp)>,
}

/// Makes a verified address the primary one; the one before gets a week to undo it. Going back to an address that can undo a
/// change is that undoing, and gives nobody a link: else whoever took the account over could take it back. `None`: it is the
/// primary one already.
///
/// # Errors
/// [`AccountError::EmailUnverified`]; [`AccountError::NotFound`].
pub fn set_primary(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<Option<PrimaryChange>, AccountError> {
    let person = governed(tx, actor, account)?;
    let to = store::find_email(tx, account, email)?.ok_or(AccountError::NotFound)?;
    if to.is_primary {
        return Ok(None);
    }
    if to.verified_at.is_none() {
        return Err(AccountError::EmailUnverified);
    }
    let from = ops::primary(tx, account)?.ok_or(AccountError::NotFound)?;
    store::update_primary(tx, account, to.id)?;
    let open = store::list_changes(tx, account)?;
    let revert = match open.iter().position(|change| change.from == to.id) {
        Some(place) => {
            close(tx, &open[place..])?;
            None
        }
        None => Some(open_change(tx, account, &from, &to)?),
    };
    audit::record(tx, actor, Event::new("email.primary_changed").target(account).subject(account))?;
    Ok(Some(PrimaryChange { person, from: from.address, to: to.address, revert }))
}

fn open_change(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: &Email,
    to: &Email,
) -> Result<(Secret<String>, Timestamp), AccountError> {
    let now = tx.now();
    // A thief adds the address first: what was opened from then on is closed with it.
    let since = if now.since(to.added_at) <= REVERT_LIFE { to.added_at } else { now };
    let change = EmailChange {
        id: EmailChangeId::new(now, tx.rng()),
        from: from.id,
        to: to.id,
        since,
        changed_at: now,
        revert_until: now.plus(REVERT_LIFE),
    };
    store::insert_change(tx, account, &change)?;
    let token = ops::issue_link_about(tx, LinkPurpose::EmailRevert, account, &change.id.to_string())?;
    Ok((token, change.revert_until))
}

fn close(tx: &mut Tx<'_>, changes: &[EmailChange]) -> Result<(), db::Error> {
    changes.iter().try_for_each(|change| store::update_change_closed(tx, change.id))
}

/// Addresses that can still undo a change, and until when: they cannot be removed.
///
/// # Errors
/// [`db::Error`].
pub fn emails_kept(view: &View<'_>, account: AccountId) -> Result<Vec<(EmailId, Timestamp)>, db::Error> {
    Ok(store::list_changes(view, account)?.into_iter().map(|change| (change.from, change.revert_until)).collect())
}

/// Removes an address.
///
/// # Errors
/// [`AccountError::EmailIsPrimary`], [`AccountError::EmailKeptForRevert`], [`AccountError::NotFound`].
pub fn remove_email(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<(Account, Email), AccountError> {
    let person = governed(tx, actor, account)?;
    let email = store::find_email(tx, account, email)?.ok_or(AccountError::NotFound)?;
    if email.is_primary {
        return Err(AccountError::EmailIsPrimary);
    }
    let kept = emails_kept(tx, account)?.into_iter().filter(|(id, _)| *id == email.id).map(|(_, until)| until);
    if let Some(until) = kept.max() {
        return Err(AccountError::EmailKeptForRevert { until });
    }
    store::delete_email(tx, account, email.id)?;
    let event = Event::new("email.removed").target(account).subject(account);
    audit::record(tx, actor, event.private(Part::Contact, json!({"email": email.address.as_str()})))?;
    Ok((person, email))
}

/// A change of the primary address was undone.
pub struct Undone {
    /// Whose.
    pub person: Account,
    /// The address that is primary again.
    pub restored: EmailAddress,
    /// Since when everything that was opened is to be closed.
    pub since: Timestamp,
    /// Whether there was a password; it is unusable now.
    pub had_password: bool,
}

/// Undoes a change of the primary address with the link that the address before was sent: it is primary again, the new
/// address and all that were added since are gone, later changes are closed, and nobody comes in with the password. Sessions,
/// keys and links are the caller's.
///
/// # Errors
/// [`AccountError::LinkRefused`] for a link that is unknown, used or too old, or whose change was undone already.
pub fn revert_change(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<Undone, AccountError> {
    let (account, about) = ops::use_link_about(tx, LinkPurpose::EmailRevert, token)?;
    let person = ops::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    let open = store::list_changes(tx, account)?;
    let place = open.iter().position(|change| change.id.to_string() == about).ok_or(AccountError::LinkRefused)?;
    let change = open[place];
    let from = store::find_email(tx, account, change.from)?.ok_or(AccountError::LinkRefused)?;
    store::update_primary(tx, account, from.id)?;
    close(tx, &open[place..])?;
    let is_theirs = |email: &Email| email.id == change.to || email.added_at >= change.since;
    for email in ops::emails(tx, account)?.into_iter().filter(|email| !email.is_primary && is_theirs(email)) {
        store::delete_email(tx, account, email.id)?;
    }
    let had_password = people::delete_password(tx, account)? > 0;
    audit::record(tx, actor, Event::new("email.change_reverted").target(account).subject(account))?;
    Ok(Undone { person, restored: from.address, since: change.since, had_password })
}

/// Deletes changes a while after their week, and counts of codes after their hour.
pub(in crate::accounts) fn purge_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, db::Error> {
    store::delete_old(tx, before, limit)
}

/// Deletes the account's changes and its count of codes.
pub(in crate::accounts) fn forget(tx: &mut Tx<'_>, account: AccountId) -> Result<(), db::Error> {
    store::delete_of_account(tx, account)
}
