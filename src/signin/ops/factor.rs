//! The second step of a sign-in, and sign-in by passkey, which needs no second step.

use super::super::error::SigninError;
use super::super::model::{Proof, SignInOutcome};
use super::super::oauth;
use super::sign_in::{sign_in, start_session};
use crate::accounts::{self, AccountState};
use crate::base::{AccountId, Actor, PasskeyId};
use crate::db::{self, Decided, Decision, Tx, View};
use crate::factors::{
    self, EnrolledFactors, FactorError, FactorProof, PendingSignIn, Reset, ResetRequester, VerifiedAssertion,
};

/// What the page of the second step shows: the pending sign-in, the enrolled factors, and a waiting reset of the
/// factors. `None`: there is no pending sign-in.
pub(in crate::signin) fn pending_factor(
    view: &View<'_>,
    token: &str,
) -> Result<Option<(PendingSignIn, EnrolledFactors, Option<Reset>)>, db::Error> {
    let Some(pending) = factors::pending_sign_in(view, token)? else { return Ok(None) };
    let account = pending.account;
    Ok(Some((pending, factors::enrolled(view, account)?, factors::reset_of(view, account)?)))
}

/// Checks the second factor of a pending sign-in. When it is right, the pending sign-in ends and a session starts. A
/// waiting reset of the factors is cancelled, because the person still has a factor. A wrong factor is counted, so its
/// refusal is committed.
///
/// # Errors
/// What [`factors::prove`] refuses; [`SigninError::PendingSignInOver`], also after too many wrong factors.
// No permission: the token of the pending sign-in and the factor are the proofs.
pub(in crate::signin) fn prove_factor(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &str,
    proof: &FactorProof,
) -> Decided<SignInOutcome, SigninError> {
    let pending = factors::pending_sign_in(tx, token)?.ok_or(SigninError::PendingSignInOver)?;
    // The account may have been suspended or erased since the first step.
    let is_active = |person: &accounts::Account| person.state == AccountState::Active;
    let person = accounts::find(tx, pending.account)?.filter(is_active).ok_or(SigninError::PendingSignInOver)?;
    match factors::prove(tx, actor, pending.account, proof)? {
        Decision::Refused(throttled @ FactorError::Throttled(_)) => Ok(Decision::Refused(throttled.into())),
        Decision::Refused(refused) => {
            let is_over = factors::count_wrong_try(tx, token)?;
            Ok(Decision::Refused(if is_over { SigninError::PendingSignInOver } else { refused.into() }))
        }
        Decision::Done(used) => {
            factors::end_pending_sign_in(tx, token)?;
            factors::cancel_reset(tx, actor, pending.account)?;
            let method = format!("{}+{}", pending.method, used.as_str());
            start_session(tx, actor, &person, &method, pending.remember).map(Decision::Done)
        }
    }
}

/// Signs in by a passkey with user verification. A refused passkey is recorded, so its refusal is committed.
///
/// # Errors
/// [`SigninError::BadCredentials`] if the account is not active.
// No permission: the passkey is the proof.
pub(in crate::signin) fn sign_in_by_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    asserted: VerifiedAssertion,
    remember: bool,
) -> Decided<SignInOutcome, SigninError> {
    let account = asserted.account;
    let person = accounts::find(tx, account)?.filter(|person| person.state == AccountState::Active);
    let person = person.ok_or(SigninError::BadCredentials)?;
    if let Decision::Refused(refused) = factors::prove(tx, actor, account, &FactorProof::Passkey(asserted))? {
        return Ok(Decision::Refused(refused.into()));
    }
    factors::cancel_reset(tx, actor, account)?;
    sign_in(tx, actor, &person, &Proof::Passkey, remember).map(Decision::Done)
}

/// Starts the reset of lost factors, with its waiting time, for a person who passed the first step.
///
/// # Errors
/// [`SigninError::PendingSignInOver`].
// No permission: the token of the pending sign-in proves the first step.
pub(in crate::signin) fn lost_factor(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<Reset, SigninError> {
    let pending = factors::pending_sign_in(tx, token)?.ok_or(SigninError::PendingSignInOver)?;
    Ok(factors::start_reset(tx, actor, pending.account, ResetRequester::Person)?)
}

/// Whether the person can sign in without any passkey.
fn has_other_sign_in_method(view: &View<'_>, account: AccountId) -> Result<bool, db::Error> {
    Ok(accounts::password_hash(view, account)?.is_some() || oauth::usable_identities(view, account, None)? > 0)
}

/// Removes a passkey, unless it is the last sign-in method (safety W3).
///
/// # Errors
/// As [`factors::remove_passkey`].
pub fn remove_passkey(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, id: PasskeyId) -> Result<(), FactorError> {
    let has_other_sign_in_method = has_other_sign_in_method(tx, account)?;
    factors::remove_passkey(tx, actor, account, id, has_other_sign_in_method)
}
