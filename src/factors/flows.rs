//! Passkeys, with the signature checked outside the writer: the challenge is taken away first, whatever follows.

use std::sync::Arc;

use super::ceremony::{self, Answer, Made};
use super::error::FactorError;
use super::model::{Asserted, Assertion, ChallengeFor};
use super::ops;
use crate::app::App;
use crate::base::{AccountId, Actor};
use crate::threads;

/// A passkey whose making was checked; see [`super::add_passkey`].
pub struct MadePasskey(Made);

impl MadePasskey {
    pub(super) fn parts(&self) -> &Made {
        &self.0
    }
}

async fn state_of(app: &App, purpose: ChallengeFor, ticket: &str) -> Result<String, FactorError> {
    let ticket = ticket.to_owned();
    let state = app.write(move |tx| Ok::<_, FactorError>(ops::take_challenge(tx, purpose, &ticket)?)).await?;
    state.ok_or_else(|| FactorError::PasskeyRefused("no such challenge, or its time is over".into()))
}

/// Runs what takes a millisecond or two of arithmetic where others do not wait for it.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FactorError> + Send + 'static,
) -> Result<T, FactorError> {
    let done = threads::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(FactorError::PasskeyRefused("the check was interrupted".into())))
}

/// Checks what a browser made of a challenge for a new passkey.
///
/// # Errors
/// [`FactorError::PasskeyRefused`].
pub async fn check_made(app: &Arc<App>, account: AccountId, made: Assertion) -> Result<MadePasskey, FactorError> {
    let state = state_of(app, ChallengeFor::Adding(account), &made.ticket).await?;
    let own = app.clone();
    run_blocking(move || ceremony::finish_adding(own.config(), &state, &made.credential).map(MadePasskey)).await
}

/// Checks a signature: the challenge is ours, unanswered and for this purpose, the passkey is known and belongs to whom it
/// says (and to the person, where one is known), and everything it signed is right. A refusal is recorded.
///
/// # Errors
/// [`FactorError::PasskeyRefused`], [`FactorError::PasskeyCopied`].
pub async fn check_signed(
    app: &Arc<App>,
    actor: &Actor,
    purpose: ChallengeFor,
    signed: Assertion,
) -> Result<Asserted, FactorError> {
    let mut known = None;
    let outcome = try_signed(app, purpose, signed, &mut known).await;
    if let Err(why @ (FactorError::PasskeyRefused(_) | FactorError::PasskeyCopied)) = outcome {
        let actor = actor.clone();
        return app
            .write(move |tx| {
                ops::refuse_passkey(tx, &actor, known, &why)?;
                Ok::<_, FactorError>(why)
            })
            .await
            .and_then(Err);
    }
    outcome
}

async fn try_signed(
    app: &Arc<App>,
    purpose: ChallengeFor,
    signed: Assertion,
    known: &mut Option<(crate::base::PasskeyId, AccountId)>,
) -> Result<Asserted, FactorError> {
    let refused = |why: &str| FactorError::PasskeyRefused(why.to_owned());
    let state = state_of(app, purpose, &signed.ticket).await?;
    let answer = Answer::parse(&signed.credential)?;
    let id = answer.credential_id().to_vec();
    let found = app.read_offloaded(move |view| Ok::<_, FactorError>(ops::find_credential(view, &id)?)).await?;
    let credential = found.ok_or_else(|| refused("nobody has this passkey"))?;
    let (passkey, account) = (credential.id, credential.account);
    *known = Some((passkey, account));
    let (_, expected) = purpose.parts();
    if expected.is_some_and(|expected| expected != account) {
        return Err(refused("it is somebody else's"));
    }
    // Without a name typed, the passkey itself must say whose it is (§7.2 step 6).
    match answer.user_handle() {
        Some(handle) if handle != credential.handle => return Err(refused("the user handle is another person's")),
        None if expected.is_none() => return Err(refused("the user handle is missing")),
        _ => {}
    }
    let own = app.clone();
    let check = move || ceremony::finish_asserting(own.config(), &state, &answer, &credential.credential_json);
    let right = run_blocking(check).await?;
    Ok(Asserted {
        passkey,
        account,
        sign_count: right.sign_count,
        is_backed_up: right.is_backed_up,
        credential_json: right.credential_json,
    })
}
