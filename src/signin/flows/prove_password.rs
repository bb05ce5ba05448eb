//! The one flow that proves a typed password.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::ops::PasswordAttempt;
use crate::accounts::Account;
use crate::app::App;
use crate::base::{Actor, Secret};
use crate::crypto::PasswordCheck;
use crate::db::{self, Tx};

/// Proves a typed password: the throttle, then the stored hash, then the check outside the writer, then one write that
/// counts a wrong password or runs `then` after a right one. It takes the same time whether or not there is a hash.
///
/// # Errors
/// [`SigninError::BadCredentials`] for a sign-in and [`SigninError::NotProved`] for a step-up or a deletion;
/// [`SigninError::Throttled`], [`SigninError::Busy`], [`SigninError::SignedOut`]; and the errors of `then`.
pub async fn prove_password<T, E>(
    app: &Arc<App>,
    actor: Actor,
    attempt: PasswordAttempt,
    typed: &Secret<String>,
    then: impl FnOnce(&mut Tx<'_>, &Actor, &Account) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<SigninError> + From<db::Error> + Send + 'static,
{
    // Check the throttle before waiting for a permit: a throttled caller must not delay others.
    if let Some(throttled) = app.query_inline(|view| attempt.throttle().must_wait(view))? {
        return Err(SigninError::Throttled(throttled).into());
    }
    let _permit = app.passwords().permit(attempt.throttle().serial_key()).await.map_err(SigninError::Busy)?;
    let before = attempt.clone();
    let stored = app.read_offloaded(move |view| before.hash_to_check(view)).await?;
    let renewed = match app.passwords().check(typed, stored.clone()).await.map_err(SigninError::Busy)? {
        PasswordCheck::Wrong => return Ok(app.write_deciding(move |tx| attempt.refuse(tx, &actor)).await?),
        PasswordCheck::Correct => None,
        PasswordCheck::CorrectRehashed(phc) => Some(phc),
    };
    app.write(move |tx| {
        let person = attempt.accept(tx, stored.as_deref(), renewed.as_deref())?;
        then(tx, &actor, &person)
    })
    .await
}
