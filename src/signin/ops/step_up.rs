//! Proving once more who one is, before something that a borrowed browser must not do.

use super::super::error::SigninError;
use super::super::model::{Proof, ProofsOpen};
use super::super::oauth;
use super::enter::{forget_failures, must_not_wait};
use crate::accounts;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, SessionId};
use crate::db::{self, Tx, View};
use crate::factors::{self, FactorError, FactorProof};
use crate::sessions::{self, Guard, Renewed};

/// Which proofs the person can give. Whoever enrolled a second factor proves one: a password that was looked over a shoulder
/// is not enough.
pub(in crate::signin) fn proofs_open(view: &View<'_>, account: AccountId) -> Result<ProofsOpen, db::Error> {
    let enrolled = factors::enrolled(view, account)?;
    if enrolled.is_any() {
        let code = enrolled.has_totp || enrolled.codes_left > 0;
        return Ok(ProofsOpen { password: false, code, passkey: enrolled.passkeys > 0, provider: false });
    }
    let password = accounts::password_hash(view, account)?.is_some();
    let provider = !password && oauth::open_identities(view, account, None)? > 0;
    Ok(ProofsOpen { password, code: false, passkey: false, provider })
}

/// Takes a password that was found right: the session is fresh, and its cookie has a new value (ASVS 5.0 7.2.4).
///
/// # Errors
/// [`SigninError::Throttled`]: wrong ones that were tried at the same moment came first. [`SigninError::SignedOut`]: the
/// session ended while the proof was checked. [`SigninError::NotProved`]: a second factor was enrolled meanwhile.
pub(in crate::signin) fn step_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
) -> Result<Renewed, SigninError> {
    must_not_wait(tx, &Guard::new(account))?;
    if !proofs_open(tx, account)?.password {
        return Err(SigninError::NotProved);
    }
    renew(tx, actor, account, session, "password")
}

/// Tries a second factor of somebody who is signed in. A refusal is the inner result, because the try must be committed.
///
/// # Errors
/// [`SigninError::SignedOut`]. Inside: [`SigninError::NotProved`], and what else [`factors::prove`] refuses.
pub(in crate::signin) fn step_up_by_factor(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    proof: &FactorProof,
) -> Result<Result<Renewed, SigninError>, SigninError> {
    match factors::prove(tx, actor, account, proof)? {
        Ok(used) => {
            factors::cancel_reset(tx, actor, account)?;
            renew(tx, actor, account, session, used.as_str()).map(Ok)
        }
        Err(refused) => {
            let event = Event::new("auth.stepup_failed").outcome(Outcome::Failure).target(account).subject(account);
            audit::record(tx, actor, event)?;
            Ok(Err(match refused {
                FactorError::CodeRefused => SigninError::NotProved,
                other => other.into(),
            }))
        }
    }
}

/// Takes a sign-in at a provider that was just made again: for somebody who has nothing else to prove it with.
///
/// # Errors
/// As [`step_up`].
pub(in crate::signin) fn step_up_by_provider(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    proof: &Proof,
) -> Result<Renewed, SigninError> {
    if !proofs_open(tx, account)?.provider {
        return Err(SigninError::NotProved);
    }
    renew(tx, actor, account, session, proof.as_str())
}

fn renew(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    method: &str,
) -> Result<Renewed, SigninError> {
    let renewed = sessions::renew(tx, account, session)?.ok_or(SigninError::SignedOut)?;
    let person = accounts::find(tx, account)?.ok_or(SigninError::SignedOut)?;
    forget_failures(tx, &person)?;
    let event = Event::new("auth.stepup_succeeded").target(account).subject(account);
    audit::record(tx, actor, event.data(serde_json::json!({"method": method})))?;
    Ok(renewed)
}

/// Notes a wrong proof.
///
/// # Errors
/// [`SigninError::Throttled`], [`SigninError::Db`].
pub(in crate::signin) fn refuse_step_up(tx: &mut Tx<'_>, actor: &Actor, account: AccountId) -> Result<(), SigninError> {
    let guard = Guard::new(account);
    must_not_wait(tx, &guard)?;
    guard.note_failure(tx)?;
    let event = Event::new("auth.stepup_failed").outcome(Outcome::Failure).target(account).subject(account);
    Ok(audit::record(tx, actor, event)?)
}
