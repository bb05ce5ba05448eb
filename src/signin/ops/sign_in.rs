//! Sign-in: who may attempt it, what a right or wrong password does, and the start of the session.

use serde_json::json;

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::model::{Proof, SignInOutcome};
use super::not_me::notify_new_device;
use crate::accounts::{self, Account, AccountError, AccountState};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor};
use crate::db::{self, Tx, View};
use crate::factors::{self, PendingSignIn};
use crate::sessions::{self, LoginThrottle, NewSession};

/// A sign-in attempt by password: its throttle and the account that its name belongs to.
#[derive(Clone)]
pub(in crate::signin) struct SignInAttempt {
    /// Checked before the password is, and counts wrong passwords.
    pub throttle: LoginThrottle,
    /// `None`: no account that may sign in has the name.
    pub account: Option<AccountId>,
}

/// Finds the account of a typed name. An address counts only if it is verified, because an unverified address may be
/// claimed by anybody. Suspended accounts do not count.
pub(in crate::signin) fn attempt(view: &View<'_>, actor: &Actor, typed: &str) -> Result<SignInAttempt, db::Error> {
    let is_good = |account: &Account| account.state != AccountState::Suspended;
    let account = accounts::find_by_verified_name(view, typed)?.filter(is_good).map(|account| account.id);
    Ok(SignInAttempt { throttle: LoginThrottle::for_name(view, actor, typed, account)?, account })
}

/// The password hash to check. `None`: the account has no password, or it is not checked because the attempt is
/// silently refused or the account is locked after a reported sign-in.
///
/// # Errors
/// [`SigninError::Throttled`].
pub(in crate::signin) fn password_to_check(
    view: &View<'_>,
    attempt: &SignInAttempt,
) -> Result<Option<String>, SigninError> {
    check_throttle(view, &attempt.throttle)?;
    match attempt.account {
        Some(account)
            if !attempt.throttle.is_silently_refused(view)? && accounts::keys_locked_at(view, account)?.is_none() =>
        {
            Ok(accounts::password_hash(view, account)?)
        }
        _ => Ok(None),
    }
}

/// Refuses a throttled caller. It is called before the hash, which is expensive, and again in the transaction after it.
///
/// # Errors
/// [`SigninError::Throttled`].
pub(in crate::signin) fn check_throttle(view: &View<'_>, throttle: &LoginThrottle) -> Result<(), SigninError> {
    throttle.must_wait(view)?.map_or(Ok(()), |throttled| Err(SigninError::Throttled(throttled)))
}

/// Counts and records a wrong password. The event has no subject if the account was erased while the password was
/// checked.
// No permission: it only counts and records a refusal.
pub(in crate::signin) fn refuse_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    attempt: &SignInAttempt,
) -> Result<(), SigninError> {
    check_throttle(tx, &attempt.throttle)?;
    attempt.throttle.note_failure(tx)?;
    let mut event = Event::new(SigninEvent::Failed).outcome(Outcome::Failure);
    // A subject would give an erased person a new encryption key for private parts, which would stay forever.
    let known = attempt.account.map(|account| accounts::find(tx, account)).transpose()?.flatten();
    if let Some(account) = known.map(|known| known.id) {
        event = event.target(account).subject(account);
    }
    Ok(audit::record(tx, actor, event)?)
}

/// Continues a sign-in after a right password. `checked` is the hash that the password matched; it must still be the
/// stored one. `renewed` is a stronger hash of the same password, to be stored.
///
/// # Errors
/// [`SigninError::Throttled`]: wrong passwords of concurrent attempts were counted first.
/// [`SigninError::BadCredentials`]: the password was changed, or the account was suspended, while the password was
/// checked.
// No permission: the password is the proof.
pub(in crate::signin) fn accept_password(
    tx: &mut Tx<'_>,
    actor: &Actor,
    attempt: &SignInAttempt,
    [checked, renewed]: [Option<&str>; 2],
    remember: bool,
) -> Result<SignInOutcome, SigninError> {
    let stored = password_to_check(tx, attempt)?;
    let person = attempt.account.map(|account| accounts::find(tx, account)).transpose()?.flatten();
    let is_good = |person: &Account| person.state != AccountState::Suspended;
    let person = person.filter(is_good).ok_or(SigninError::BadCredentials)?;
    if stored.is_none() || stored.as_deref() != checked {
        return Err(SigninError::BadCredentials);
    }
    if let Some((checked, renewed)) = checked.zip(renewed) {
        accounts::renew_password_hash(tx, person.id, checked, renewed)?;
    }
    sign_in(tx, actor, &person, &Proof::Password, remember)
}

/// Continues a sign-in after any proof: a code if the address is not verified, the second step if the account has a
/// second factor, else a session. Every sign-in method ends here, so that these conditions are checked in one place.
///
/// # Errors
/// [`SigninError::Db`], [`SigninError::Account`].
// No permission: the caller has checked the first proof.
pub(in crate::signin) fn sign_in(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    proof: &Proof,
    remember: bool,
) -> Result<SignInOutcome, SigninError> {
    let account = person.id;
    if person.state == AccountState::Pending {
        match accounts::resend_code(tx, actor, account) {
            Ok(()) | Err(AccountError::CodeTooSoon { .. }) => return Ok(SignInOutcome::VerificationPending(account)),
            Err(error) => return Err(error.into()),
        }
    }
    let method = proof.as_str();
    if !proof.is_complete() && factors::enrolled(tx, account)?.is_any() {
        let event =
            Event::new(SigninEvent::FactorAsked).target(account).subject(account).data(json!({"method": method}));
        audit::record(tx, actor, event)?;
        let pending = PendingSignIn { account, method: method.to_owned(), remember };
        return Ok(SignInOutcome::MfaPending(factors::start_pending_sign_in(tx, &pending)?));
    }
    start_session(tx, actor, person, method, remember)
}

/// Starts a session after every required proof. Earlier failures no longer count, and the session that the browser had
/// before ends. The person gets a mail if the browser is new to the account. Sessions of operators are never remembered
/// (domain 5.1.7). `method`: the proofs, for the list of sessions and the audit log.
///
/// # Errors
/// [`SigninError::Disowned`]: a sign-in was reported, and the account has no new password yet. [`SigninError::Db`].
// No permission: the caller has checked every proof that the account needs.
pub(in crate::signin) fn start_session(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &Account,
    method: &str,
    remember: bool,
) -> Result<SignInOutcome, SigninError> {
    let account = person.id;
    if accounts::keys_locked_at(tx, account)?.is_some() {
        return Err(SigninError::Disowned);
    }
    clear_failures(tx, person)?;
    let visitor = actor.visitor().cloned().unwrap_or_default();
    // The cookie of the browser is replaced, so its previous session could no longer be used or ended (ASVS 5.0 7.2.4).
    if let Some((owner, before)) = visitor.session {
        sessions::end(tx, actor, owner, before)?;
    }
    let device = sessions::note_device(tx, account, &visitor)?;
    let remember = remember && !person.is_operator;
    let new = NewSession { account, visitor, remember, method: method.to_owned() };
    let (session, token) = sessions::start(tx, actor, &new)?;
    let event = Event::new(SigninEvent::Succeeded).target(account).subject(account);
    audit::record(tx, actor, event.data(json!({"method": method, "new_device": device.is_new})))?;
    if device.is_new {
        notify_new_device(tx, person, session, &new)?;
    }
    let keep = remember.then_some(tx.site().config.session.remember_for);
    Ok(SignInOutcome::Session { token, keep, device: device.cookie })
}

/// Clears the failed attempts for every name of the person, because they signed in.
pub(in crate::signin) fn clear_failures(tx: &mut Tx<'_>, person: &Account) -> Result<(), db::Error> {
    let names = sign_in_names(tx, person)?;
    LoginThrottle::clear(tx, person.id, names.iter().map(String::as_str))
}

/// The names that the person can sign in with: verified addresses and the username.
pub(in crate::signin) fn sign_in_names(view: &View<'_>, person: &Account) -> Result<Vec<String>, db::Error> {
    let proved = accounts::emails(view, person.id)?.into_iter().filter(|email| email.verified_at.is_some());
    Ok(proved.map(|email| email.address.as_str().to_owned()).chain([person.username.clone()]).collect())
}
