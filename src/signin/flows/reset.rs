//! A new password with a mailed link.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::ops;
use super::new_password::{account_words, check_new_password};
use crate::accounts::{self, AccountError, LinkPurpose};
use crate::app::App;
use crate::base::{Actor, EmailAddress, Secret, Visitor};
use crate::sessions::LoginThrottle;

/// Mails a reset link if the address has an account. The answer never reveals whether it has.
///
/// # Errors
/// [`AccountError::EmailAddress`] for text that is not an address.
pub async fn request_reset(app: &Arc<App>, visitor: Visitor, email: &str) -> Result<(), SigninError> {
    let address = EmailAddress::parse(email).map_err(|_| AccountError::EmailAddress)?;
    app.write(move |tx| ops::request_reset(tx, &Actor::Anonymous(visitor), &address)).await
}

/// Sets a new password with a reset link. Returns the device cookie for the browser that did it.
///
/// # Errors
/// [`SigninError::Password`]; [`AccountError::LinkRefused`]; [`SigninError::Throttled`] after many refused links.
pub async fn reset(
    app: &Arc<App>,
    visitor: Visitor,
    token: String,
    password: Secret<String>,
) -> Result<Secret<String>, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let (link, throttle) = (token.clone(), LoginThrottle::for_network(&actor));
    let counted = throttle.clone();
    let words = app
        .read_offloaded(move |view| {
            throttle.check::<SigninError>(view)?;
            let account = accounts::find_by_link(view, LinkPurpose::PasswordReset, &link)?;
            account.map_or(Ok(None), |person| Ok::<_, SigninError>(Some(account_words(view, &person)?)))
        })
        .await?;
    let Some(words) = words else {
        app.write(move |tx| counted.note_failure(tx)).await?;
        return Err(AccountError::LinkRefused.into());
    };
    let password = check_new_password(app, password, words).await?;
    let phc = app.passwords().hash(&password).await?;
    app.write(move |tx| ops::reset(tx, &actor, &token, &phc)).await
}
