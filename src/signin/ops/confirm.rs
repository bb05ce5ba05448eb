//! The mailed link that makes a browser known, for a person whose name others guess at.

use serde_json::json;

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::mails;
use super::failures::sign_in_names;
use crate::accounts::{self, Account, AccountError, AccountState, LinkPurpose};
use crate::audit::{self, Event};
use crate::base::{AccountId, Actor, Secret};
use crate::db::{self, Tx, View};
use crate::{mail, sessions};

/// The bucket of the mails of an account. A name without an account has one too, so that both cost the same.
fn of_account(name: &str, account: Option<AccountId>) -> String {
    account.map_or_else(|| format!("nobody:{name}"), |account| account.to_string())
}

/// Whether a link may be mailed now for a sign-in with this name.
pub(in crate::signin) fn may_mail_link(
    view: &View<'_>,
    name: &str,
    account: Option<AccountId>,
) -> Result<bool, db::Error> {
    Ok(sessions::may_mail_confirmation(view, name)?
        && sessions::may_mail_confirmation(view, &of_account(name, account))?)
}

/// Mails a link that makes the browser known in which it is opened, at most once in twelve hours until it is used: it is valid
/// for a day, so there is always one to use. It is not a proof of the person: a known browser has its own tries at the
/// password, which an attacker elsewhere cannot use up. For a name without an account, the same rows are written.
///
/// # Errors
/// [`SigninError::Db`].
// No permission: somebody who is not signed in causes it; the link goes to the mailbox of the account only.
pub(in crate::signin) fn mail_link(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &str,
    account: Option<AccountId>,
) -> Result<(), SigninError> {
    if !tx.site().config.sends_mail() || !may_mail_link(tx, name, account)? {
        return Ok(());
    }
    sessions::count_confirmation(tx, name)?;
    sessions::count_confirmation(tx, &of_account(name, account))?;
    let person = account.map_or(Ok(None), |account| accounts::find(tx, account))?;
    let person = person.filter(|person| person.state == AccountState::Active);
    let address = person.as_ref().map_or(Ok(None), |person| accounts::primary_email(tx, person.id))?;
    let (Some(person), Some(address)) = (person, address) else {
        accounts::issue_link(tx, LinkPurpose::NewBrowser, None)?;
        return Ok(audit::record(tx, actor, Event::new(SigninEvent::ConfirmationAsked))?);
    };
    let token = accounts::issue_link(tx, LinkPurpose::NewBrowser, Some(person.id))?;
    let site = tx.site().config.public_url.clone();
    let link = format!("{site}/signin/confirm?token={}", token.expose());
    mail::enqueue(tx, Some(person.id), address, &mails::confirm_browser(&person, link, &site))?;
    let event = Event::new(SigninEvent::ConfirmationAsked).target(person.id).subject(person.id);
    Ok(audit::record(tx, actor, event)?)
}

/// Whether the link is valid. It is not used.
///
/// # Errors
/// [`db::Error`].
pub(in crate::signin) fn find_confirmation(view: &View<'_>, token: &str) -> Result<Option<Account>, db::Error> {
    accounts::find_by_link(view, LinkPurpose::NewBrowser, token)
}

/// Makes the browser known in which the link is opened. Returns its device cookie.
///
/// # Errors
/// [`AccountError::LinkRefused`].
// No permission: the mailed link proves the mailbox, and gives no access by itself.
pub fn confirm_browser(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<Secret<String>, SigninError> {
    let account = accounts::use_link(tx, LinkPurpose::NewBrowser, token)?.ok_or(AccountError::LinkRefused)?;
    let person = accounts::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    for name in sign_in_names(tx, &person)? {
        sessions::forget_confirmation(tx, &name)?;
    }
    sessions::forget_confirmation(tx, &of_account("", Some(account)))?;
    let device = sessions::note_device_by_link(tx, account, &actor.visitor().cloned().unwrap_or_default())?;
    let event = Event::new(SigninEvent::BrowserConfirmed).target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"new_device": device.is_new})))?;
    Ok(device.cookie)
}
