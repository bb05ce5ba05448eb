//! A new proof of a person who is signed in.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::model::StepUp;
use super::super::ops::{self, PasswordAttempt};
use super::prove_password::prove_password;
use super::sign_in::factor_proof;
use crate::app::App;
use crate::base::{AccountId, Actor, SessionId};
use crate::factors::ChallengePurpose;
use crate::sessions::RenewedCookie;

/// Handles a step-up of a signed-in person. The proof must be as strong as what they enrolled. Returns the new session
/// cookie.
///
/// # Errors
/// [`SigninError::NotProved`], [`SigninError::Throttled`], [`SigninError::Factor`], [`SigninError::Busy`],
/// [`SigninError::SignedOut`].
pub async fn step_up(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    session: SessionId,
    proof: StepUp,
) -> Result<RenewedCookie, SigninError> {
    match proof {
        StepUp::Factor(input) => {
            let proof = factor_proof(app, &actor, ChallengePurpose::StepUp(account), input).await?;
            app.write_deciding(move |tx| ops::step_up_by_factor(tx, &actor, account, session, &proof)).await
        }
        StepUp::Password(typed) => {
            let attempt = app.query_inline(|view| PasswordAttempt::for_step_up(view, &actor, account))?;
            prove_password(app, actor, attempt, &typed, move |tx, actor, person| {
                ops::step_up(tx, actor, person.id, session)
            })
            .await
        }
    }
}
