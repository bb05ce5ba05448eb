//! Passkeys. The signature is checked outside the writer; the challenge is deleted first, so it can be answered once
//! only.

use std::sync::Arc;

use super::ceremony::{self, AuthenticatorResponse, NewCredential};
use super::error::FactorError;
use super::model::{Assertion, ChallengePurpose, VerifiedAssertion};
use super::{ops, store};
use crate::app::App;
use crate::base::{AccountId, Actor};
use crate::db::Decision;
use crate::threads;

/// A passkey whose registration was checked; see [`super::add_passkey`].
pub struct RegisteredPasskey(NewCredential);

impl RegisteredPasskey {
    pub(super) fn credential(&self) -> &NewCredential {
        &self.0
    }
}

async fn take_state(app: &App, purpose: ChallengePurpose, ticket: &str) -> Result<String, FactorError> {
    let ticket = ticket.to_owned();
    let state = app.write(move |tx| Ok::<_, FactorError>(ops::take_challenge(tx, purpose, &ticket)?)).await?;
    state.ok_or_else(|| FactorError::PasskeyRefused("the challenge is unknown or has expired".into()))
}

/// Runs one or two milliseconds of arithmetic on a blocking thread, so that other requests do not wait for it.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FactorError> + Send + 'static,
) -> Result<T, FactorError> {
    let done = threads::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(FactorError::PasskeyRefused("the check was interrupted".into())))
}

/// Checks the response of a browser to a challenge for a new passkey.
///
/// # Errors
/// [`FactorError::PasskeyRefused`].
pub async fn check_registration(
    app: &Arc<App>,
    account: AccountId,
    response: Assertion,
) -> Result<RegisteredPasskey, FactorError> {
    let state = take_state(app, ChallengePurpose::Registration(account), &response.ticket).await?;
    let own = app.clone();
    run_blocking(move || {
        ceremony::finish_registration(own.config(), &state, &response.credential).map(RegisteredPasskey)
    })
    .await
}

/// Checks an assertion: the challenge is ours, is not answered yet and has this purpose; the passkey is known and
/// belongs to the account that it names (and to the person of the challenge, if there is one); and the signature is
/// right. A refusal is recorded.
///
/// # Errors
/// [`FactorError::PasskeyRefused`], [`FactorError::PasskeyCopied`].
pub async fn check_assertion(
    app: &Arc<App>,
    actor: &Actor,
    purpose: ChallengePurpose,
    assertion: Assertion,
) -> Result<VerifiedAssertion, FactorError> {
    let mut known = None;
    let outcome = try_assertion(app, purpose, assertion, &mut known).await;
    if let Err(why @ (FactorError::PasskeyRefused(_) | FactorError::PasskeyCopied)) = outcome {
        let actor = actor.clone();
        return app
            .write_deciding(move |tx| {
                ops::refuse_passkey(tx, &actor, known, &why)?;
                Ok(Decision::Refused(why))
            })
            .await;
    }
    outcome
}

async fn try_assertion(
    app: &Arc<App>,
    purpose: ChallengePurpose,
    assertion: Assertion,
    known: &mut Option<(crate::base::PasskeyId, AccountId)>,
) -> Result<VerifiedAssertion, FactorError> {
    let refused = |why: &str| FactorError::PasskeyRefused(why.to_owned());
    let state = take_state(app, purpose, &assertion.ticket).await?;
    let response = AuthenticatorResponse::parse(&assertion.credential)?;
    let id = response.credential_id().to_vec();
    let credential = app.read_offloaded(move |view| Ok::<_, FactorError>(store::find_credential(view, &id)?)).await?;
    let credential = credential.ok_or_else(|| refused("no account has this passkey"))?;
    let (passkey, account) = (credential.id, credential.account);
    *known = Some((passkey, account));
    let (_, expected) = purpose.parts();
    if expected.is_some_and(|expected| expected != account) {
        return Err(refused("it belongs to another account"));
    }
    // Without a typed name, the response must name the account (§7.2 step 6).
    match response.user_handle() {
        Some(handle) if handle != credential.handle => {
            return Err(refused("the user handle belongs to another account"));
        }
        None if expected.is_none() => return Err(refused("the user handle is missing")),
        _ => {}
    }
    let own = app.clone();
    let check = move || ceremony::finish_assertion(own.config(), &state, &response, &credential.credential_json);
    let result = run_blocking(check).await?;
    Ok(VerifiedAssertion {
        passkey,
        account,
        sign_count: result.sign_count,
        is_backed_up: result.is_backed_up,
        credential_json: result.credential_json,
    })
}
