//! Coming in: who may try, what a right or wrong proof does, and the session that begins.

use serde_json::json;

use super::super::error::SigninError;
use super::super::model::{Proof, Started};
use super::not_me::tell_of_new_device;
use crate::accounts::{self, Account, AccountError, AccountState};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor};
use crate::db::{self, Tx, View};
use crate::factors::{self, Half};
use crate::sessions::{self, Guard, NewSession};

/// Somebody at the door: what decides whether they wait, and whose name they typed.
#[derive(Clone)]
pub(in crate::signin) struct Approach {
    /// Asked before the password is looked at, and told when it was wrong.
    pub guard: Guard,
    /// `None`: nobody who may sign in has that name.
    pub account: Option<AccountId>,
}

/// Looks who comes. An address counts once it is verified (else a stranger who claimed it would answer for it); suspended
/// accounts do not count.
pub(in crate::signin) fn approach(view: &View<'_>, actor: &Actor, typed: &str) -> Result<Approach, db::Error> {
    let is_good = |account: &Account| account.state != AccountState::Suspended;
    let account = accounts::find_by_proved_name(view, typed)?.filter(is_good).map(|account| account.id);
    Ok(Approach { guard: Guard::at_the_door(view, actor, typed, account)?, account })
}

/// The password to check. `None`: there is none, or it is not looked at because too many were tried, or somebody else knows
/// it.
///
/// # Errors
/// [`SigninError::Throttled`].
pub(in crate::signin) fn password_at_the_door(
    view: &View<'_>,
    approach: &Approach,
) -> Result<Option<String>, SigninError> {
    must_not_wait(view, &approach.guard)?;
    match approach.account {
        Some(account) if !approach.guard.is_silent(view)? && accounts::keys_locked_at(view, account)?.is_none() => {
            Ok(accounts::password_hash(view, account)?)
        }
        _ => Ok(None),
    }
}

/// Refuses where somebody has to wait. Asked before the hash, which costs, and once more after it.
///
/// # Errors
/// [`SigninError::Throttled`].
pub(in crate::signin) fn must_not_wait(view: &View<'_>, guard: &Guard) -> Result<(), SigninError> {
    guard.must_wait(view)?.map_or(Ok(()), |throttled| Err(SigninError::Throttled(throttled)))
}

/// Notes a wrong password. About nobody when the account was erased while the password was checked: what is recorded about
/// somebody who is gone would stay for ever.
pub(in crate::signin) fn refuse(tx: &mut Tx<'_>, actor: &Actor, approach: &Approach) -> Result<(), SigninError> {
    must_not_wait(tx, &approach.guard)?;
    approach.guard.note_failure(tx)?;
    let mut event = Event::new("auth.signin_failed").outcome(Outcome::Failure);
    // Somebody who was erased meanwhile must not get a key for private parts again.
    let known = approach.account.map(|account| accounts::find(tx, account)).transpose()?.flatten();
    if let Some(account) = known.map(|known| known.id) {
        event = event.target(account).subject(account);
    }
    Ok(audit::record(tx, actor, event)?)
}

/// Begins a session after a right password; an account that still has to prove its address gets a code instead.
/// `checked` is the stored password that was found right: it must still be the one. `renewed`: a better hash of it, to be
/// kept.
///
/// # Errors
/// [`SigninError::Throttled`]: wrong ones that were tried at the same moment came first. [`SigninError::BadCredentials`]:
/// the password was changed, or the account stopped, while this one was checked.
pub(in crate::signin) fn admit(
    tx: &mut Tx<'_>,
    actor: &Actor,
    approach: &Approach,
    [checked, renewed]: [Option<&str>; 2],
    remember: bool,
) -> Result<Started, SigninError> {
    let stored = password_at_the_door(tx, approach)?;
    let person = approach.account.map(|account| accounts::find(tx, account)).transpose()?.flatten();
    let is_good = |person: &Account| person.state != AccountState::Suspended;
    let person = person.filter(is_good).ok_or(SigninError::BadCredentials)?;
    if stored.is_none() || stored.as_deref() != checked {
        return Err(SigninError::BadCredentials);
    }
    if let Some((checked, renewed)) = checked.zip(renewed) {
        accounts::renew_password_hash(tx, person.id, checked, renewed)?;
    }
    enter(tx, actor, &person, &Proof::Password, remember)
}

/// What follows a proof, whichever it was: a code for an address that nobody proved yet, the second step for somebody who has
/// a second factor, else a session. Every way in ends here, so that what a session needs is asked for in one place.
///
/// # Errors
/// [`SigninError::Db`], [`SigninError::Account`].
pub(in crate::signin) fn enter(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    proof: &Proof,
    remember: bool,
) -> Result<Started, SigninError> {
    let account = person.id;
    if person.state == AccountState::Pending {
        match accounts::resend_code(tx, actor, account) {
            Ok(()) | Err(AccountError::CodeTooSoon { .. }) => return Ok(Started::MustVerify(account)),
            Err(error) => return Err(error.into()),
        }
    }
    let method = proof.as_str();
    if !proof.is_complete() && factors::enrolled(tx, account)?.is_any() {
        let event = Event::new("auth.factor_asked").target(account).subject(account).data(json!({"method": method}));
        audit::record(tx, actor, event)?;
        let half = Half { account, method: method.to_owned(), remember };
        return Ok(Started::MustProve(factors::owe(tx, &half)?));
    }
    open(tx, actor, person, method, remember)
}

/// Begins the session of somebody who proved all that is asked of them: failures before it no longer count, the session that
/// the browser was in ends, and they hear of it when they never used this browser. Operators are never remembered (domain
/// 5.1.7). `method`: by what they proved it.
///
/// # Errors
/// [`SigninError::Disowned`]: a sign-in was somebody else's, and there is no new password yet. [`SigninError::Db`].
pub(in crate::signin) fn open(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    method: &str,
    remember: bool,
) -> Result<Started, SigninError> {
    let account = person.id;
    if accounts::keys_locked_at(tx, account)?.is_some() {
        return Err(SigninError::Disowned);
    }
    forget_failures(tx, person)?;
    let visitor = actor.visitor().cloned().unwrap_or_default();
    // The browser's cookie is replaced: nobody would be left to use, or to end, the session before (ASVS 5.0 7.2.4).
    if let Some((owner, before)) = visitor.session {
        sessions::end(tx, actor, owner, before)?;
    }
    let device = sessions::note_device(tx, account, &visitor)?;
    let remember = remember && !person.is_operator;
    let new = NewSession { account, visitor, remember, method: method.to_owned() };
    let (session, token) = sessions::start(tx, actor, &new)?;
    let event = Event::new("auth.signin_succeeded").target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"method": method, "new_device": device.is_news})))?;
    if device.is_news {
        tell_of_new_device(tx, person, session, &new)?;
    }
    let keep = remember.then_some(tx.site().config.session.remember_for);
    Ok(Started::Session { token, keep, device: device.cookie })
}

/// Failed tries no longer count, whatever name they were about: the person is in.
pub(in crate::signin) fn forget_failures(tx: &mut Tx<'_>, person: &Account) -> Result<(), db::Error> {
    let names = names_of(tx, person)?;
    Guard::clear(tx, person.id, names.iter().map(String::as_str))
}

/// What the person can type at the door.
pub(in crate::signin) fn names_of(view: &View<'_>, person: &Account) -> Result<Vec<String>, db::Error> {
    let proved = accounts::emails(view, person.id)?.into_iter().filter(|email| email.verified_at.is_some());
    Ok(proved.map(|email| email.address.as_str().to_owned()).chain([person.username.clone()]).collect())
}
