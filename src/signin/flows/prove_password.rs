//! The one flow that proves a typed password.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::ops::PasswordAttempt;
use crate::accounts::Account;
use crate::app::{App, NetworkQuota};
use crate::base::{Actor, Secret, seconds};
use crate::crypto::PasswordCheck;
use crate::db::{self, Tx};
use crate::sessions::{RetryAfter, Verdict};

/// Proves a typed password: the throttle, then the stored hash, then the check outside the writer, then one write that
/// counts a wrong password or runs `then` after a right one. It takes the same time whether or not there is a hash.
///
/// # Errors
/// [`SigninError::BadCredentials`] for a sign-in and [`SigninError::NotProved`] for a step-up or a deletion;
/// [`SigninError::MustConfirm`], [`SigninError::Throttled`], [`SigninError::Busy`], [`SigninError::SignedOut`]; and the
/// errors of `then`.
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
    // Check the throttle before waiting for a permit: a throttled caller must not delay others. And again after that:
    // meanwhile, concurrent attempts may have used up what was free.
    admit(app, &actor, &attempt, true).await?;
    let _permit = app.passwords().permit(attempt.throttle().serial_key()).await.map_err(SigninError::Busy)?;
    admit(app, &actor, &attempt, false).await?;
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

/// Passwords of one address that are checked in a minute while its network guesses.
const SLOWED: NetworkQuota = NetworkQuota { name: "slowed sign-ins", per_minute: 10 };
/// The longest time that a sign-in is slowed down, in seconds.
const SLOWED_SECONDS_MAX: u32 = 20;

/// Lets an attempt go on to the check of its password, slows it down (if it `may_pause`), or refuses it. A person who is
/// refused because others guess gets a link that confirms this browser.
async fn admit(app: &Arc<App>, actor: &Actor, attempt: &PasswordAttempt, may_pause: bool) -> Result<(), SigninError> {
    let (verdict, may_mail) =
        app.query_inline(|view| Ok((attempt.throttle().verdict(view)?, attempt.may_mail_link(view)?)))?;
    let otherwise = match verdict {
        Verdict::Check | Verdict::Confirm { is_told: false, .. } => return Ok(()),
        Verdict::Slow if !may_pause => return Ok(()),
        Verdict::Slow => match slow_down(app, actor).await {
            Ok(()) => return Ok(()),
            Err(otherwise) => otherwise,
        },
        Verdict::Confirm { is_told: true, otherwise } => otherwise,
        Verdict::Wait(wait) => return Err(wait.into()),
    };
    if !app.config().sends_mail() {
        return Err(otherwise.into());
    }
    // Most of these attempts are guesses and cause no further mail, so they write nothing.
    if may_mail {
        let (attempt, actor) = (attempt.clone(), actor.clone());
        app.write(move |tx| attempt.mail_link(tx, &actor)).await?;
    }
    Err(SigninError::MustConfirm)
}

/// Waits until this address may have one more password checked.
///
/// # Errors
/// The wait, if it would be too long.
async fn slow_down(app: &App, actor: &Actor) -> Result<(), RetryAfter> {
    let Some(visitor) = actor.visitor() else { return Ok(()) };
    let mut left = SLOWED_SECONDS_MAX;
    while let Err(wait_seconds) = app.admit(SLOWED, visitor) {
        left = left.checked_sub(wait_seconds).ok_or(RetryAfter { wait_seconds })?;
        app.pause(seconds(wait_seconds.into())).await;
    }
    Ok(())
}
