//! The operations on additional addresses.

use serde_json::json;

use super::super::error::AccountError;
use super::super::events::AccountEvent;
use super::super::model::{ADDED_CODES_MAX, Account, CODES_WINDOW, Email, EmailChange, LinkPurpose, REVERT_LIFE};
use super::super::{mails, ops, store as people};
use super::model::{AddressList, ListedEmail, RemovedEmail, RevertedTo};
use super::store;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, EmailAddress, EmailChangeId, EmailId, Secret, Timestamp};
use crate::db::{self, Decided, Decision, Tx, View};

fn managed_account(view: &View<'_>, actor: &Actor, account: AccountId) -> Result<Account, AccountError> {
    people::find(view, account)?.filter(|_| actor.can_manage(account)).ok_or(AccountError::NotFound)
}

/// Adds an address and sends a code to it at once. When another account has verified the address, its owner gets a
/// notice instead of the code; everything else is the same, so that the actor does not learn it.
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
    let person = managed_account(tx, actor, account)?;
    let listed = list(tx, account)?;
    if listed.emails.iter().any(|known| known.email.address.folded() == address.folded()) {
        return Err(AccountError::EmailListed);
    }
    listed.check_room()?;
    let id = EmailId::new(tx.now(), tx.rng());
    people::insert_email(tx, id, account, address, None, false)?;
    let event = Event::new(AccountEvent::EmailAdded).target(account).subject(account);
    audit::record(tx, actor, event.private(Part::Contact, json!({"email": address.as_str()})))?;
    send(tx, actor, &person, id)?;
    Ok(id)
}

/// Sends another code to an address that is not verified yet.
///
/// # Errors
/// [`AccountError::CodeTooSoon`] within a minute, after five codes of the account in an hour;
/// [`AccountError::NotFound`] for an address that belongs to another account or is verified.
pub fn resend_email_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<(), AccountError> {
    let person = managed_account(tx, actor, account)?;
    let email = unverified_email(tx, account, email)?;
    ops::must_not_be_too_soon(tx, email.id)?;
    send(tx, actor, &person, email.id)
}

/// An address of the account that waits for its code.
fn unverified_email(view: &View<'_>, account: AccountId, email: EmailId) -> Result<Email, AccountError> {
    store::find_email(view, account, email)?.filter(Email::awaits_code).ok_or(AccountError::NotFound)
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

/// Checks a code for an added address. Once the address is verified, the caller voids the claims of other accounts to
/// it. A wrong code uses up a try, so its refusal is committed.
///
/// # Errors
/// [`AccountError::NotFound`] for an address that does not wait for a code; [`AccountError::CodeRefused`].
pub fn verify_added(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
    code: &str,
) -> Decided<(Account, EmailAddress), AccountError> {
    let person = managed_account(tx, actor, account)?;
    let email = unverified_email(tx, account, email)?;
    if !ops::try_code(tx, actor, account, &email, code)? {
        return Ok(Decision::Refused(AccountError::CodeRefused));
    }
    ops::set_verified(tx, actor, account, &email)?;
    Ok(Decision::Done((person, email.address)))
}

/// A change of the primary address.
pub struct PrimaryChange {
    /// The account, as before the change.
    pub person: Account,
    /// The previous primary address.
    pub from: EmailAddress,
    /// Whether the previous address was verified. Another one may belong to anybody, so it gets no mail.
    pub is_from_verified: bool,
    /// The new primary address.
    pub to: EmailAddress,
    /// The secret of the link that undoes the change, and its expiry. `None`: this change itself undid an earlier one, or
    /// the previous address was never verified.
    pub revert: Option<(Secret<String>, Timestamp)>,
}

/// Makes a verified address the primary one; the previous one can undo this for a week. A change back to an address
/// that can undo a change counts as the undoing and issues no link: otherwise a thief could use that link to take the
/// account over again. `None`: it is the primary address already.
///
/// # Errors
/// [`AccountError::EmailUnverified`]; [`AccountError::NotFound`].
pub fn set_primary(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    email: EmailId,
) -> Result<Option<PrimaryChange>, AccountError> {
    let person = managed_account(tx, actor, account)?;
    let to = store::find_email(tx, account, email)?.ok_or(AccountError::NotFound)?;
    if to.is_primary {
        return Ok(None);
    }
    if !to.can_be_primary() {
        return Err(AccountError::EmailUnverified);
    }
    let from = ops::primary(tx, account)?.ok_or(AccountError::NotFound)?;
    store::update_primary(tx, account, to.id)?;
    let open = store::list_changes(tx, account)?;
    let revert = match open.iter().position(|change| change.from == to.id) {
        Some(index) => {
            close(tx, &open[index..])?;
            None
        }
        None if from.verified_at.is_none() => None,
        None => Some(open_change(tx, account, &from, &to)?),
    };
    audit::record(tx, actor, Event::new(AccountEvent::EmailPrimaryChanged).target(account).subject(account))?;
    let is_from_verified = from.verified_at.is_some();
    Ok(Some(PrimaryChange { person, from: from.address, is_from_verified, to: to.address, revert }))
}

fn open_change(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: &Email,
    to: &Email,
) -> Result<(Secret<String>, Timestamp), AccountError> {
    let now = tx.now();
    // A thief adds the address first, so an undoing also reverts everything that was added since then.
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

/// The addresses of the account, and what can be done with each.
///
/// # Errors
/// [`db::Error`].
pub fn list(view: &View<'_>, account: AccountId) -> Result<AddressList, db::Error> {
    let (emails, changes) = (people::list_emails(view, account)?, store::list_changes(view, account)?);
    Ok(AddressList { emails: emails.into_iter().map(|email| ListedEmail::new(email, &changes)).collect() })
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
    let person = managed_account(tx, actor, account)?;
    let email = store::find_email(tx, account, email)?.ok_or(AccountError::NotFound)?;
    let listed = ListedEmail::new(email, &store::list_changes(tx, account)?);
    listed.check_removable()?;
    let email = listed.email;
    store::delete_email(tx, account, email.id)?;
    let primary = ops::primary(tx, account)?.map(|primary| primary.id);
    let removed = RemovedEmail { email: email.id, primary };
    let event = Event::new(AccountEvent::EmailRemoved).target(account).subject(account).detail(removed);
    audit::record(tx, actor, event.private(Part::Contact, json!({"email": email.address.as_str()})))?;
    Ok((person, email))
}

/// An undone change of the primary address.
pub struct RevertedChange {
    /// The account.
    pub person: Account,
    /// The address that is primary again.
    pub restored: EmailAddress,
    /// The caller must revert everything that was added at this time or later.
    pub since: Timestamp,
    /// Whether there was a password, which is deleted now.
    pub had_password: bool,
}

/// Undoes a change of the primary address with the link that was sent to the previous one: it is primary again; the new
/// address and all that were added since are removed; later changes can no longer be undone; the password is deleted.
/// The caller ends sessions, keys and links.
///
/// # Errors
/// [`AccountError::LinkRefused`] for a link that is unknown, used or expired, or whose change was undone before.
// No permission: the mailed link proves that the actor has the previous address.
pub fn revert_change(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<RevertedChange, AccountError> {
    let (account, about) = ops::use_link_about(tx, LinkPurpose::EmailRevert, token)?;
    let person = people::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    let open = store::list_changes(tx, account)?;
    let index = open.iter().position(|change| change.id.to_string() == about).ok_or(AccountError::LinkRefused)?;
    let change = open[index];
    let from = store::find_email(tx, account, change.from)?.ok_or(AccountError::LinkRefused)?;
    store::update_primary(tx, account, from.id)?;
    close(tx, &open[index..])?;
    let is_suspect = |email: &Email| email.id == change.to || email.added_at >= change.since;
    for email in people::list_emails(tx, account)?.into_iter().filter(|email| !email.is_primary && is_suspect(email)) {
        store::delete_email(tx, account, email.id)?;
    }
    let had_password = people::delete_password(tx, account)? > 0;
    let reverted = RevertedTo { from: change.from, to: change.to, since: change.since };
    let event = Event::new(AccountEvent::EmailChangeReverted).target(account).subject(account).detail(reverted);
    audit::record(tx, actor, event)?;
    Ok(RevertedChange { person, restored: from.address, since: change.since, had_password })
}

/// Removes an address again, in a restored backup. It may be the primary one there: then the one that was primary when it
/// was removed takes its place, or else any other verified one. Answers whether the address was there.
pub(in crate::accounts) fn remove_again(
    tx: &mut Tx<'_>,
    account: AccountId,
    removed: &RemovedEmail,
) -> Result<bool, db::Error> {
    let Some(email) = store::find_email(tx, account, removed.email)? else { return Ok(false) };
    if email.is_primary {
        let others: Vec<_> =
            people::list_emails(tx, account)?.into_iter().filter(|other| other.can_be_primary()).collect();
        let last = others.iter().find(|other| Some(other.id) == removed.primary);
        if let Some(next) = last.or_else(|| others.iter().find(|other| other.id != email.id)) {
            store::update_primary(tx, account, next.id)?;
        }
    }
    store::delete_email(tx, account, email.id)?;
    Ok(true)
}

/// Undoes a change of the primary address again, in a restored backup. Answers whether an address changed.
pub(in crate::accounts) fn revert_again(
    tx: &mut Tx<'_>,
    account: AccountId,
    reverted: &RevertedTo,
) -> Result<bool, db::Error> {
    let Some(from) = store::find_email(tx, account, reverted.from)? else { return Ok(false) };
    let mut is_changed = !from.is_primary;
    store::update_primary(tx, account, from.id)?;
    for change in store::list_changes(tx, account)?.iter().filter(|change| change.changed_at >= reverted.since) {
        store::update_change_closed(tx, change.id)?;
    }
    let is_suspect = |email: &Email| email.id == reverted.to || email.added_at >= reverted.since;
    for email in people::list_emails(tx, account)?.into_iter().filter(|email| email.id != from.id && is_suspect(email))
    {
        store::delete_email(tx, account, email.id)?;
        is_changed = true;
    }
    Ok(is_changed)
}
