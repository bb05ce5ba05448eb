//! Suspending and reactivating an account.

use serde_json::json;

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::mails;
use crate::accounts::{self, Account, AccountError, AccountState};
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor};
use crate::db::Tx;
use crate::{factors, mail};

/// Suspends an active account: its sessions end with this transaction, its keys are refused from the next request on,
/// and sign-in and password reset are refused. Nothing is deleted. Suspending twice is the same as once.
///
/// # Errors
/// [`AccountError::NotFound`] if the account does not exist or the actor is not an operator;
/// [`AccountError::StillPending`] for an account whose address is not verified: it expires by itself.
pub fn suspend(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, reason: &str) -> Result<Account, SigninError> {
    let person = load_for_operator(tx, actor, account)?;
    if person.state == AccountState::Suspended {
        return Ok(person);
    }
    accounts::set_state(tx, account, AccountState::Suspended)?;
    factors::end_other_access(tx, actor, account, None)?;
    let event = Event::new(SigninEvent::Suspended).target(account).subject(account);
    audit::record(tx, actor, event.private(Part::Text, json!({"reason": reason})))?;
    let site = tx.site().config.public_url.clone();
    if let Some(address) = accounts::primary_email(tx, account)? {
        mail::enqueue(tx, Some(account), address, &mails::account_suspended(&person, &site))?;
    }
    load_for_operator(tx, actor, account)
}

/// Reactivates a suspended account; its keys work again. Doing it twice is the same as once.
///
/// # Errors
/// As [`suspend`].
pub fn reactivate(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<Account, SigninError> {
    let person = load_for_operator(tx, actor, account)?;
    if person.state == AccountState::Active {
        return Ok(person);
    }
    accounts::set_state(tx, account, AccountState::Active)?;
    audit::record(tx, actor, Event::new(SigninEvent::Reactivated).target(account).subject(account))?;
    let site = tx.site().config.public_url.clone();
    if let Some(address) = accounts::primary_email(tx, account)? {
        mail::enqueue(tx, Some(account), address, &mails::account_reactivated(&person, &site))?;
    }
    load_for_operator(tx, actor, account)
}

fn load_for_operator(tx: &Tx<'_>, actor: &Actor, account: AccountId) -> Result<Account, SigninError> {
    let may = matches!(actor, Actor::Operator | Actor::System);
    let person = accounts::find(tx, account)?.filter(|_| may).ok_or(AccountError::NotFound)?;
    if person.state == AccountState::Pending { Err(AccountError::StillPending.into()) } else { Ok(person) }
}
