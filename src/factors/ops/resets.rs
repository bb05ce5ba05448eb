//! Resets, for a person who lost every factor. A mail alone is never enough: either two operators agree, or the person
//! is told at every address and three days pass (domain 5.1.11).

use serde_json::json;

use super::super::error::FactorError;
use super::super::events::FactorEvent;
use super::super::model::{FactorProof, RESET_WAIT, Reset, ResetRequester};
use super::super::{mails, store};
use super::enrolment::end_other_access;
use super::proofs::prove;
use crate::accounts::{self, Account, AccountState, LinkPurpose};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, Secret};
use crate::db::{Decided, Decision, Error, Tx, View};
use crate::sessions::{LoginThrottle, Verdict};

/// Resets that one job carries out at most.
const BATCH_MAX: u32 = 100;

/// Starts the wait and tells every verified address at once, with a link that stops the reset. Calling it twice is the
/// same as once.
///
/// # Errors
/// [`FactorError::NotFound`] for a person without factors.
// No permission: a person without a factor cannot sign in; the caller checks the first step, or is the operator.
pub fn start_reset(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    by: ResetRequester,
) -> Result<Reset, FactorError> {
    let person = accounts::find(tx, account)?.ok_or(FactorError::NotFound)?;
    if !store::find_enrolled(tx, account)?.is_any() {
        return Err(FactorError::NotFound);
    }
    let due_at = tx.now().plus(RESET_WAIT);
    if store::insert_reset(tx, account, by.as_str(), due_at)? > 0 {
        let token = accounts::issue_link(tx, LinkPurpose::FactorReset, Some(account))?;
        let site = tx.site().config.public_url.clone();
        let link = format!("{site}/signin/factor/keep?token={}", token.expose());
        accounts::mail_all_verified(tx, account, &mails::reset_started(&person, due_at, link, &site))?;
        let event = Event::new(FactorEvent::ResetStarted).target(account).subject(account);
        audit::record(tx, actor, event.data(json!({"asked_by": by.as_str()})))?;
    }
    store::find_reset(tx, account)?.ok_or(FactorError::NotFound)
}

/// Stops a pending reset. `false`: there was none.
///
/// # Errors
/// [`Error`].
// No permission: the caller has checked a link, or a factor that the person still has.
pub fn cancel_reset(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<bool, Error> {
    if store::delete_reset(tx, account)? == 0 {
        return Ok(false);
    }
    audit::record(tx, actor, Event::new(FactorEvent::ResetCancelled).target(account).subject(account))?;
    if let Some(person) = accounts::find(tx, account)? {
        let site = tx.site().config.public_url.clone();
        accounts::mail_all_verified(tx, account, &mails::reset_cancelled(&person, &site))?;
    }
    Ok(true)
}

/// Stops a reset with the link from its mail, which works without signing in.
///
/// # Errors
/// [`FactorError::LinkRefused`].
// No permission: the mailed link proves the person.
pub fn cancel_reset_by_link(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<(), FactorError> {
    let used = accounts::use_link(tx, LinkPurpose::FactorReset, token).map_err(|error| match error {
        accounts::AccountError::Db(error) => FactorError::Db(error),
        _ => FactorError::LinkRefused,
    })?;
    let account = used.ok_or(FactorError::LinkRefused)?;
    if cancel_reset(tx, actor, account)? { Ok(()) } else { Err(FactorError::LinkRefused) }
}

/// The stored hash of the second operator, to check their password before [`reset_by_operators`]. `None`: they have no
/// password.
///
/// # Errors
/// [`FactorError::Throttled`]: the password is not checked.
pub fn second_operator_hash(view: &View<'_>, second: AccountId) -> Result<Option<String>, FactorError> {
    LoginThrottle::for_step_up(view, &Actor::Operator, second)?.check::<FactorError>(view)?;
    Ok(accounts::password_hash(view, second)?)
}

/// Removes every factor at once, because two operators agree: the one on the command line, and `second`, who gives a
/// password and a code. `checked`: the stored hash that the password matched; `None`: the password was wrong. A refused
/// proof is counted and recorded, so its refusal is committed.
///
/// # Errors
/// [`FactorError::NotFound`] for a person without factors; [`FactorError::NotTwoOperators`], [`FactorError::Throttled`].
pub fn reset_by_operators(
    tx: &mut Tx<'_>,
    account: AccountId,
    second: AccountId,
    checked: Option<&str>,
    code: Secret<String>,
) -> Decided<(), FactorError> {
    if !store::find_enrolled(tx, account)?.is_any() {
        return Err(FactorError::NotFound);
    }
    let is_active_operator = |operator: &Account| operator.is_operator && operator.state == AccountState::Active;
    let operator = accounts::find(tx, second)?.filter(is_active_operator);
    let is_right_password = checked.is_some() && accounts::password_hash(tx, second)?.as_deref() == checked;
    let throttle = LoginThrottle::for_step_up(tx, &Actor::Operator, second)?;
    let agreed = if operator.is_none() || second == account {
        Decision::Refused(FactorError::NotTwoOperators)
    } else if let Verdict::Wait(wait) = throttle.verdict(tx)? {
        Decision::Refused(wait.into())
    } else if !is_right_password {
        throttle.note_failure(tx)?;
        Decision::Refused(FactorError::NotTwoOperators)
    } else {
        prove(tx, &Actor::Operator, second, &FactorProof::Typed(code))?
    };
    if let Decision::Refused(refused) = agreed {
        let event = Event::new(FactorEvent::ResetRefused).outcome(Outcome::Denied).target(account).subject(account);
        audit::record(tx, &Actor::Operator, event.data(json!({"second_operator": second.to_string()})))?;
        return Ok(Decision::Refused(match refused {
            wait @ FactorError::Throttled(_) => wait,
            _ => FactorError::NotTwoOperators,
        }));
    }
    remove_all(tx, &Actor::Operator, account, json!({"second_operator": second.to_string()}))?;
    Ok(Decision::Done(()))
}

/// Carries out the resets that are due, a hundred at most. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn reset_due(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let due = store::list_due_resets(tx, BATCH_MAX)?;
    for account in &due {
        remove_all(tx, &Actor::System, *account, json!({"waited_hours": RESET_WAIT.as_secs() / 3600}))?;
    }
    Ok(due.len())
}

fn remove_all(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, data: serde_json::Value) -> Result<(), Error> {
    let had = store::find_enrolled(tx, account)?;
    store::delete_all(tx, account)?;
    end_other_access(tx, actor, account, None)?;
    let mut data = data;
    data["totp"] = json!(had.has_totp);
    data["passkeys"] = json!(had.passkeys);
    audit::record(tx, actor, Event::new(FactorEvent::ResetCompleted).target(account).subject(account).data(data))?;
    if let Some(person) = accounts::find(tx, account)? {
        let site = tx.site().config.public_url.clone();
        accounts::mail_all_verified(tx, account, &mails::reset_done(&person, &site))?;
    }
    Ok(())
}
