//! Signing in: the first step, the second step, and a passkey that is both.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::model::{FactorInput, Proof, SignIn, SignInOutcome};
use super::super::ops::{self, PasswordAttempt};
use super::prove_password::prove_password;
use crate::app::App;
use crate::base::{Actor, Visitor};
use crate::factors::{self, Assertion, ChallengePurpose, FactorProof};

/// Handles a sign-in by password. An unknown name, a wrong password, an account without a password and a suspended
/// account all get the same answer after one hash.
///
/// # Errors
/// [`SigninError::BadCredentials`], [`SigninError::Throttled`], [`SigninError::Busy`].
pub async fn sign_in(app: &Arc<App>, visitor: Visitor, form: SignIn) -> Result<SignInOutcome, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let attempt = app.query_inline(|view| PasswordAttempt::for_sign_in(view, &actor, &form.name))?;
    let remember = form.remember;
    prove_password(app, actor, attempt, &form.password, move |tx, actor, person| {
        ops::sign_in(tx, actor, person, &Proof::Password, remember)
    })
    .await
}

/// Handles the second step of a sign-in. `token`: the cookie of the pending sign-in.
///
/// # Errors
/// [`SigninError::PendingSignInOver`]; [`SigninError::Factor`] for a refused factor.
pub async fn prove_factor(
    app: &Arc<App>,
    visitor: Visitor,
    token: String,
    input: FactorInput,
) -> Result<SignInOutcome, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let cookie = token.clone();
    let pending =
        app.read_offloaded(move |view| Ok::<_, SigninError>(factors::pending_sign_in(view, &cookie)?)).await?;
    let pending = pending.ok_or(SigninError::PendingSignInOver)?;
    let proof = factor_proof(app, &actor, ChallengePurpose::Factor(pending.account), input).await?;
    app.write_deciding(move |tx| ops::prove_factor(tx, &actor, &token, &proof)).await
}

/// Handles a sign-in by passkey alone. The passkey names the account.
///
/// # Errors
/// [`SigninError::Factor`]; [`SigninError::BadCredentials`] if the account is not active.
pub async fn sign_in_by_passkey(
    app: &Arc<App>,
    visitor: Visitor,
    signed: Assertion,
    remember: bool,
) -> Result<SignInOutcome, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let asserted = factors::flows::check_assertion(app, &actor, ChallengePurpose::SignIn, signed).await?;
    app.write_deciding(move |tx| ops::sign_in_by_passkey(tx, &actor, asserted, remember)).await
}

/// Turns the input into a proof. The signature of a passkey is checked here.
pub(super) async fn factor_proof(
    app: &Arc<App>,
    actor: &Actor,
    purpose: ChallengePurpose,
    input: FactorInput,
) -> Result<FactorProof, SigninError> {
    Ok(match input {
        FactorInput::Typed(typed) => FactorProof::Typed(typed),
        FactorInput::Passkey(signed) => {
            FactorProof::Passkey(factors::flows::check_assertion(app, actor, purpose, signed).await?)
        }
    })
}
