//! Whether a second factor is right.

use serde_json::json;

use super::super::error::FactorError;
use super::super::model::{Asserted, FactorProof, RecoveryCode, Used};
use super::super::store;
use super::super::totp::accepted_step;
use super::recovery::use_code;
use super::totp::unsealed;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor};
use crate::db::Tx;
use crate::sessions::Guard;

/// Tries a factor. A right one is used up with it: the step of a code, a recovery code, the counter of a passkey. A refusal is
/// the inner result, because the try must be committed.
///
/// # Errors
/// [`FactorError::Damaged`], [`FactorError::Db`]. Inside: [`FactorError::CodeRefused`], [`FactorError::Throttled`],
/// [`FactorError::PasskeyRefused`], [`FactorError::PasskeyCopied`].
pub fn prove(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    proof: &FactorProof,
) -> Result<Result<Used, FactorError>, FactorError> {
    match proof {
        // Not counted: a signature is not guessed, and whoever guesses codes must not shut out who has a passkey.
        FactorProof::Passkey(asserted) => prove_by_passkey(tx, actor, account, asserted),
        FactorProof::Typed(typed) => {
            // Counted with wrong passwords, and for themselves besides: a right password does not begin them anew (safety P7).
            let guard = Guard::of_factor(account);
            if let Some(throttled) = guard.must_wait(tx)? {
                return Ok(Err(FactorError::Throttled(throttled)));
            }
            let Some(used) = try_typed(tx, actor, account, typed.expose())? else {
                guard.note_failure(tx)?;
                let event = Event::new("auth.factor_failed").outcome(Outcome::Failure).target(account).subject(account);
                audit::record(tx, actor, event)?;
                return Ok(Err(FactorError::CodeRefused));
            };
            Ok(Ok(used))
        }
    }
}

fn try_typed(tx: &mut Tx<'_>, actor: &Actor, account: AccountId, typed: &str) -> Result<Option<Used>, FactorError> {
    if let Some(code) = RecoveryCode::parse(typed) {
        return Ok(use_code(tx, actor, account, &code)?.then_some(Used::RecoveryCode));
    }
    let Some((sealed, last)) = store::find_totp(tx, account)? else { return Ok(None) };
    let seed = unsealed(tx, account, &sealed)?;
    let Some(step) = accepted_step(&seed, typed, tx.now(), Some(last)) else { return Ok(None) };
    Ok((store::update_step(tx, account, step)? > 0).then_some(Used::Totp))
}

fn prove_by_passkey(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    asserted: &Asserted,
) -> Result<Result<Used, FactorError>, FactorError> {
    if asserted.account != account {
        return Ok(Err(FactorError::PasskeyRefused("it is somebody else's".into())));
    }
    if store::update_signed(tx, asserted)? > 0 {
        return Ok(Ok(Used::Passkey));
    }
    let event = Event::new("auth.passkey_refused").outcome(Outcome::Denied).target(asserted.passkey).subject(account);
    audit::record(tx, actor, event.data(json!({"counter_went_back": true})))?;
    Ok(Err(FactorError::PasskeyCopied))
}
