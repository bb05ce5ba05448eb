//! The second step of a sign-in, and the passkey that needs none.

use super::super::error::SigninError;
use super::super::model::{Proof, Started};
use super::super::oauth;
use super::enter::{enter, open};
use crate::accounts::{self, AccountState};
use crate::base::{AccountId, Actor, PasskeyId};
use crate::db::{self, Tx, View};
use crate::factors::{self, AskedBy, Asserted, Enrolled, FactorError, FactorProof, Half, Reset};

/// What the page of the second step shows: whose sign-in it is, what they can answer with, and a reset that waits.
pub(in crate::signin) fn asked(
    view: &View<'_>,
    token: &str,
) -> Result<Option<(Half, Enrolled, Option<Reset>)>, db::Error> {
    let Some(half) = factors::half(view, token)? else { return Ok(None) };
    let account = half.account;
    Ok(Some((half, factors::enrolled(view, account)?, factors::reset_of(view, account)?)))
}

/// Tries the second factor that a half-session owes: a session, or one try less. The half-session ends with it, and so does a
/// reset that waited: whoever has a factor lost none. A refusal is the inner result, because the try must be committed.
///
/// # Errors
/// [`SigninError::HalfOver`]. Inside: what [`factors::prove`] refuses, and [`SigninError::HalfOver`] after too many.
pub(in crate::signin) fn prove_half(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &str,
    proof: &FactorProof,
) -> Result<Result<Started, SigninError>, SigninError> {
    let half = factors::half(tx, token)?.ok_or(SigninError::HalfOver)?;
    // Stopped or erased since the first step.
    let is_active = |person: &accounts::Account| person.state == AccountState::Active;
    let person = accounts::find(tx, half.account)?.filter(is_active).ok_or(SigninError::HalfOver)?;
    match factors::prove(tx, actor, half.account, proof)? {
        Err(throttled @ FactorError::Throttled(_)) => Ok(Err(throttled.into())),
        Err(refused) => {
            let is_over = factors::count_wrong_try(tx, token)?;
            Ok(Err(if is_over { SigninError::HalfOver } else { refused.into() }))
        }
        Ok(used) => {
            factors::end_half(tx, token)?;
            factors::cancel_reset(tx, actor, half.account)?;
            let method = format!("{}+{}", half.method, used.as_str());
            open(tx, actor, &person, &method, half.remember).map(Ok)
        }
    }
}

/// Lets somebody in by a passkey that also verified them. A refusal is the inner result, because it is recorded.
///
/// # Errors
/// [`SigninError::BadCredentials`] where the account is not in use.
pub(in crate::signin) fn enter_by_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    asserted: Asserted,
    remember: bool,
) -> Result<Result<Started, SigninError>, SigninError> {
    let account = asserted.account;
    let person = accounts::find(tx, account)?.filter(|person| person.state == AccountState::Active);
    let person = person.ok_or(SigninError::BadCredentials)?;
    if let Err(refused) = factors::prove(tx, actor, account, &FactorProof::Passkey(asserted))? {
        return Ok(Err(refused.into()));
    }
    factors::cancel_reset(tx, actor, account)?;
    enter(tx, actor, &person, &Proof::Passkey, remember).map(Ok)
}

/// Begins the wait for somebody who did the first step and says that their factors are lost.
///
/// # Errors
/// [`SigninError::HalfOver`].
pub(in crate::signin) fn lost_factor(tx: &mut Tx<'_>, actor: &Actor, token: &str) -> Result<Reset, SigninError> {
    let half = factors::half(tx, token)?.ok_or(SigninError::HalfOver)?;
    Ok(factors::start_reset(tx, actor, half.account, AskedBy::Person)?)
}

/// Whether the person can come in without any passkey.
fn has_other_way_in(view: &View<'_>, account: AccountId) -> Result<bool, db::Error> {
    Ok(accounts::password_hash(view, account)?.is_some() || oauth::open_identities(view, account, None)? > 0)
}

/// Takes a passkey away, unless it is the last way in (safety W3).
///
/// # Errors
/// As [`factors::remove_passkey`].
pub fn remove_passkey(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, id: PasskeyId) -> Result<(), FactorError> {
    let has_other_way_in = has_other_way_in(tx, account)?;
    factors::remove_passkey(tx, actor, account, id, has_other_way_in)
}
