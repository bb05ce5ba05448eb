//! Sign-in with a browser that is new to the account: a mail, and its link for reporting that the sign-in was not the
//! person's.

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::{mails, oauth};
use super::reset_link::send_reset_link;
use crate::accounts::{self, Account, AccountError, AccountState, Email, LinkPurpose};
use crate::audit::{self, Event};
use crate::base::{Actor, SessionId};
use crate::db::{self, Tx, View};
use crate::factors;
use crate::mail;
use crate::sessions::{self, NewSession, Session};

/// Mails the person, with a link to report the sign-in.
pub(super) fn notify_new_device(
    tx: &mut Tx<'_>,
    person: &Account,
    session: SessionId,
    new: &NewSession,
) -> Result<(), db::Error> {
    let Some(address) = accounts::primary_email(tx, person.id)? else { return Ok(()) };
    let about = session.to_string();
    let token = accounts::issue_link_about(tx, LinkPurpose::NotMe, person.id, &about)?;
    let site = tx.site().config.public_url.clone();
    let message = mails::new_device(person, &new.visitor, tx.now(), token.expose(), &site);
    mail::enqueue(tx, Some(person.id), address, &message)
}

/// What the link in the mail is about, without using it. Inner `None`: the session of the sign-in has ended. Outer
/// `None`: the link was already used or has expired.
///
/// # Errors
/// [`db::Error`].
pub fn find_not_me(view: &View<'_>, token: &str) -> Result<Option<Option<Session>>, db::Error> {
    let Some((account, about)) = accounts::find_link_about(view, LinkPurpose::NotMe, token)? else { return Ok(None) };
    let session = about.as_deref().and_then(SessionId::parse);
    Ok(Some(sessions::list(view, account)?.into_iter().find(|known| Some(known.id) == session)))
}

/// Handles the report of the person who has the mail. Every session ends, second factors and linked identities that
/// were added since that sign-in are removed, no browser is trusted any more, API keys are refused from the next
/// request on, and every sign-in is refused until there is a new password. A link to set one is mailed. It works once
/// and without signing in.
///
/// # Errors
/// [`AccountError::LinkRefused`].
// No permission: the mailed link proves the person.
pub fn not_me(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<(), SigninError> {
    let (_, about) = accounts::find_link_about(tx, LinkPurpose::NotMe, token)?.ok_or(AccountError::LinkRefused)?;
    let account = accounts::use_link(tx, LinkPurpose::NotMe, token)?.ok_or(AccountError::LinkRefused)?;
    let person = accounts::find(tx, account)?.ok_or(AccountError::LinkRefused)?;
    let since = about.as_deref().and_then(SessionId::parse).map_or(tx.now(), SessionId::created_at);
    let event = Event::new(SigninEvent::Disowned).target(account).subject(account);
    audit::record(tx, actor, event.detail(since.millis()))?;
    factors::end_other_access(tx, actor, account, None)?;
    factors::remove_since(tx, actor, account, since)?;
    oauth::unlink_since(tx, actor, account, since)?;
    sessions::distrust_devices(tx, account)?;
    accounts::lock_keys(tx, actor, account)?;
    if person.state == AccountState::Suspended {
        return Ok(());
    }
    // Not to an address that was added since the sign-in: it may belong to the thief.
    let is_own = |email: &Email| email.verified_at.is_some_and(|at| at <= since);
    for email in accounts::emails(tx, account)?.into_iter().filter(is_own) {
        send_reset_link(tx, actor, &person, email.address)?;
    }
    Ok(())
}
