//! The check of second factors.

use serde_json::json;

use super::super::error::FactorError;
use super::super::events::FactorEvent;
use super::super::model::{FactorKind, FactorProof, RecoveryCode, VerifiedAssertion};
use super::super::store;
use super::super::totp::accepted_step;
use super::recovery::use_code;
use super::totp::unsealed;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, six_digits};
use crate::db::{Decided, Decision, Tx};
use crate::sessions::{LoginThrottle, Verdict};

/// Checks a factor. A right one is used up: the step of a code, a recovery code, the counter of a passkey. A wrong one is
/// counted, so its refusal is committed.
///
/// # Errors
/// [`FactorError::CodeRefused`], [`FactorError::Throttled`], [`FactorError::PasskeyRefused`],
/// [`FactorError::PasskeyCopied`]; [`FactorError::CodeMalformed`], [`FactorError::Damaged`], [`FactorError::Db`], which roll
/// back and use up no try.
// No permission: the factor is the proof; the actor is not signed in yet.
pub fn prove(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    proof: &FactorProof,
) -> Decided<FactorKind, FactorError> {
    match proof {
        // Not throttled: signatures cannot be guessed, and guesses at codes must not shut out a person with a passkey.
        FactorProof::Passkey(assertion) => prove_by_passkey(tx, actor, account, assertion),
        FactorProof::Typed(typed) => {
            // A new password does not give new guesses (safety P7).
            if six_digits(typed.expose()).is_none() && RecoveryCode::parse(typed.expose()).is_none() {
                return Err(FactorError::CodeMalformed);
            }
            let throttle = LoginThrottle::for_factor(tx, actor, account)?;
            if let Verdict::Wait(retry_after) = throttle.verdict(tx)? {
                return Ok(Decision::Refused(retry_after.into()));
            }
            let Some(kind) = try_typed(tx, actor, account, typed.expose())? else {
                throttle.note_failure(tx)?;
                let event =
                    Event::new(FactorEvent::CodeFailed).outcome(Outcome::Failure).target(account).subject(account);
                audit::record(tx, actor, event)?;
                return Ok(Decision::Refused(FactorError::CodeRefused));
            };
            Ok(Decision::Done(kind))
        }
    }
}

fn try_typed(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    typed: &str,
) -> Result<Option<FactorKind>, FactorError> {
    if let Some(code) = RecoveryCode::parse(typed) {
        return Ok(use_code(tx, actor, account, &code)?.then_some(FactorKind::RecoveryCode));
    }
    let Some((sealed, last)) = store::find_totp(tx, account)? else { return Ok(None) };
    let seed = unsealed(tx, account, &sealed)?;
    let Some(step) = accepted_step(&seed, typed, tx.now(), Some(last)) else { return Ok(None) };
    Ok((store::update_step(tx, account, step)? > 0).then_some(FactorKind::Totp))
}

fn prove_by_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    assertion: &VerifiedAssertion,
) -> Decided<FactorKind, FactorError> {
    if assertion.account != account {
        return Ok(Decision::Refused(FactorError::PasskeyRefused("it belongs to another account".into())));
    }
    if store::update_signed(tx, assertion)? > 0 {
        return Ok(Decision::Done(FactorKind::Passkey));
    }
    let event =
        Event::new(FactorEvent::PasskeyRefused).outcome(Outcome::Denied).target(assertion.passkey).subject(account);
    audit::record(tx, actor, event.data(json!({"counter_went_back": true})))?;
    Ok(Decision::Refused(FactorError::PasskeyCopied))
}
