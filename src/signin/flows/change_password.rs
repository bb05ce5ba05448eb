//! A new password of a person who is signed in.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::ops;
use super::new_password::{account_words, check_new_password};
use crate::accounts;
use crate::app::App;
use crate::base::{AccountId, Actor, Secret, SessionId};
use crate::sessions::RenewedCookie;

/// Sets a new password for a signed-in person after a step-up. Returns the new session cookie.
///
/// # Errors
/// [`SigninError::Password`], [`SigninError::Busy`]; [`SigninError::SignedOut`] if the account or the session no longer
/// exists.
pub async fn change_password(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    session: SessionId,
    password: Secret<String>,
) -> Result<RenewedCookie, SigninError> {
    let words = app
        .read_offloaded(move |view| {
            let person = accounts::find(view, account)?;
            person.map_or(Ok(None), |person| account_words(view, &person).map(Some))
        })
        .await?
        .ok_or(SigninError::SignedOut)?;
    let password = check_new_password(app, password, words).await?;
    let phc = app.passwords().hash(&password).await?;
    app.write(move |tx| ops::change_password(tx, &actor, account, session, &phc)).await
}
