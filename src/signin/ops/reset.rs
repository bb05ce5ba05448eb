//! A forgotten password.

use super::super::error::SigninError;
use super::super::{mails, oauth};
use super::change_password::replace_password;
use super::claims::void_other_claims;
use super::enter::names_of;
use super::sign_up::open_wallet;
use crate::accounts::{self, Account, AccountError, AccountState, LinkPurpose};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, EmailAddress, Secret};
use crate::db::Tx;
use crate::sessions::Guard;
use crate::{factors, mail, sessions};

/// Mails a link to set a password to the account behind the address, where there is one. The answer is the same, and so is
/// what is written, but for the message: a link that nobody gets waits for its end like the others. Nobody fills a mailbox: of
/// many requests for one address only the first few, and later one in a quarter of an hour, send a message.
pub(in crate::signin) fn request_reset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    address: &EmailAddress,
) -> Result<(), SigninError> {
    let asked = format!("reset-mail:{}", address.folded());
    let is_enough = sessions::throttled(tx, &asked)?.is_some();
    if !is_enough {
        // Not when it is: else whoever asks all the time would keep the person from ever getting another one.
        sessions::note_failure(tx, &asked)?;
    }
    let may = |account: &Account| account.state != AccountState::Suspended && !is_enough;
    match accounts::find_by_email(tx, address)?.filter(may) {
        Some(account) => reset_link_by_mail(tx, actor, account.id),
        None => {
            accounts::issue_link(tx, LinkPurpose::PasswordReset, None)?;
            Ok(audit::record(tx, actor, Event::new("auth.password_reset_requested"))?)
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
    send_reset_link(tx, actor, &person, address)
}

/// As [`reset_link_by_mail`], to one of the person's addresses.
pub(super) fn send_reset_link(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    address: EmailAddress,
) -> Result<(), SigninError> {
    let account = person.id;
    let token = accounts::issue_link(tx, LinkPurpose::PasswordReset, Some(account))?;
    let site = tx.site().config.public_url.clone();
    let link = format!("{site}/reset?token={}", token.expose());
    mail::enqueue(tx, Some(account), address, &mails::password_reset(person, link, &site))?;
    Ok(audit::record(tx, actor, Event::new("auth.password_reset_requested").target(account).subject(account))?)
}

/// Sets the new password; see [`replace_password`]. Following the link proved the address too; tries that failed before no
/// longer count, so that the person can come in.
///
/// The browser that did it is the only one that is known from now on, so that its person comes in with it at once, however
/// many strangers guess at the account. Answers its device cookie.
///
/// # Errors
/// [`AccountError::LinkRefused`].
pub(in crate::signin) fn reset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &str,
    phc: &str,
) -> Result<Secret<String>, SigninError> {
    let account = accounts::use_link(tx, LinkPurpose::PasswordReset, token)?.ok_or(AccountError::LinkRefused)?;
    let person = accounts::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    if person.state == AccountState::Pending {
        let person = accounts::verify_by_operator(tx, actor, account)?;
        // Whoever began this account may be somebody else than who has the address: nothing that was prepared in it stays.
        oauth::forget(tx, account)?;
        factors::forget(tx, account)?;
        open_wallet(tx, &person)?;
        if let Some(address) = accounts::primary_email(tx, account)? {
            void_other_claims(tx, actor, account, &address)?;
        }
    }
    replace_password(tx, actor, &person, phc, None)?;
    let names = names_of(tx, &person)?;
    Guard::forgive(tx, account, names.iter().map(String::as_str))?;
    sessions::distrust_devices(tx, account)?;
    let device = sessions::note_device(tx, account, &actor.visitor().cloned().unwrap_or_default())?;
    audit::record(tx, actor, Event::new("auth.password_reset_completed").target(account).subject(account))?;
    Ok(device.cookie)
}
