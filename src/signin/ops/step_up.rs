//! Step-up: a fresh proof of identity before a sensitive action.

use super::super::error::SigninError;
use super::super::events::SigninEvent;
use super::super::model::{Proof, StepUpOptions};
use super::super::oauth;
use super::failures::clear_failures;
use crate::accounts;
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, SessionId};
use crate::db::{self, Decided, Decision, Tx, View};
use crate::factors::{self, FactorError, FactorProof};
use crate::sessions::{self, RenewedCookie};

/// Which proofs the person can use.
pub(in crate::signin) fn step_up_options(view: &View<'_>, account: AccountId) -> Result<StepUpOptions, db::Error> {
    if let Some(options) = StepUpOptions::by_factor(&factors::enrolled(view, account)?) {
        return Ok(options);
    }
    let password = accounts::password_hash(view, account)?.is_some();
    let provider = !password && oauth::usable_identities(view, account, None)? > 0;
    Ok(StepUpOptions { password, code: false, passkey: false, provider })
}

/// Completes a step-up after a right password: the session is fresh, and its cookie gets a new value (ASVS 5.0 7.2.4).
///
/// # Errors
/// [`SigninError::SignedOut`]: the session ended while the password was checked.
// No permission: the flow has checked the password of the account of this session.
pub(in crate::signin) fn step_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
) -> Result<RenewedCookie, SigninError> {
    renew(tx, actor, account, session, Proof::Password.as_str())
}

/// Checks a second factor for a step-up. A wrong one is counted and recorded, so its refusal is committed.
///
/// # Errors
/// [`SigninError::SignedOut`]; [`SigninError::NotProved`], [`SigninError::ProofMalformed`], and what else [`factors::prove`] refuses.
// No permission: the factor is the proof; account and session come from the cookie.
pub(in crate::signin) fn step_up_by_factor(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    proof: &FactorProof,
) -> Decided<RenewedCookie, SigninError> {
    let proved = factors::prove(tx, actor, account, proof).map_err(|error| match error {
        FactorError::CodeMalformed => SigninError::ProofMalformed,
        other => other.into(),
    });
    match proved? {
        Decision::Done(used) => {
            factors::cancel_reset(tx, actor, account)?;
            renew(tx, actor, account, session, used.as_str()).map(Decision::Done)
        }
        Decision::Refused(refused) => {
            let event =
                Event::new(SigninEvent::StepUpFailed).outcome(Outcome::Failure).target(account).subject(account);
            audit::record(tx, actor, event)?;
            Ok(Decision::Refused(match refused {
                FactorError::CodeRefused => SigninError::NotProved,
                other => other.into(),
            }))
        }
    }
}

/// Completes a step-up by a new sign-in at a provider, for a person who has no other proof.
///
/// # Errors
/// As [`step_up`].
// No permission: the provider has proved the identity that is connected to the account of this session.
pub(in crate::signin) fn step_up_by_provider(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    session: SessionId,
    proof: &Proof,
) -> Result<RenewedCookie, SigninError> {
    if !step_up_options(tx, account)?.provider {
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
) -> Result<RenewedCookie, SigninError> {
    let renewed = sessions::renew(tx, account, session)?.ok_or(SigninError::SignedOut)?;
    let person = accounts::find(tx, account)?.ok_or(SigninError::SignedOut)?;
    clear_failures(tx, actor, &person)?;
    let event = Event::new(SigninEvent::StepUpSucceeded).target(account).subject(account);
    audit::record(tx, actor, event.data(serde_json::json!({"method": method})))?;
    Ok(renewed)
}
