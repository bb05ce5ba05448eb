//! A forgotten password.

use super::super::error::SigninError;
use super::super::mails;
use super::change_password::replace_password;
use super::enter::forget_failures;
use super::sign_up::open_wallet;
use crate::accounts::{self, AccountError, AccountState, LinkPurpose};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress};
use crate::db::Tx;
use crate::mail;

/// Mails a link to set a password to the account behind the address, where there is one. The answer is the same, and so is
/// what is written, but for the letter: a link that nobody gets waits for its end like the others.
pub(in crate::signin) fn request_reset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    address: &EmailAddress,
) -> Result<(), SigninError> {
    match accounts::find_by_email(tx, address)?.filter(|account| account.state != AccountState::Suspended) {
        Some(account) => reset_link_by_mail(tx, actor, account.id),
        None => {
            accounts::issue_link(tx, LinkPurpose::PasswordReset, None)?;
            Ok(audit::record(tx, actor, Event::of("auth.password_reset_requested"))?)
        }
    }
}

/// Mails a link to set a password; good for 30 minutes, once.
///
/// # Errors
/// [`AccountError::NotFound`].
pub fn reset_link_by_mail(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), SigninError> {
    let person = accounts::find(tx, account)?.ok_or(AccountError::NotFound)?;
    let address = accounts::primary_email(tx, account)?.ok_or(AccountError::NotFound)?;
    let token = accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(account))?;
    let site = tx.site().config.public_url.clone();
    let link = format!("{site}/reset?token={}", token.expose());
    mail::enqueue(tx, Some(account), address, &mails::password_reset(&person, link, &site))?;
    Ok(audit::record(tx, actor, Event::of("auth.password_reset_requested").target(account).subject(account))?)
}

/// Sets the new password; see [`replace_password`]. Following the link proved the address too; tries that failed before no
/// longer count, so that the person can come in.
pub(in crate::signin) fn reset(tx: &mut Tx<'_>, actor: &Actor, token: &str, phc: &str) -> Result<(), SigninError> {
    let account = accounts::use_link(tx, LinkPurpose::PasswordReset, token)?.ok_or(AccountError::LinkRefused)?;
    let person = accounts::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    if person.state == AccountState::Pending {
        let person = accounts::verify_by_operator(tx, actor, account)?;
        open_wallet(tx, &person)?;
    }
    replace_password(tx, actor, &person, phc, None)?;
    forget_failures(tx, &person, &person.username)?;
    if let Some(address) = accounts::primary_email(tx, account)? {
        forget_failures(tx, &person, address.as_str())?;
    }
    Ok(audit::record(tx, actor, Event::of("auth.password_reset_completed").target(account).subject(account))?)
}
