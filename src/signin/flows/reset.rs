//! A new password with a mailed link.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::ops;
use super::new_password::{account_words, check_new_password};
use crate::accounts::{self, AccountError, LinkPurpose};
use crate::app::App;
use crate::base::{Actor, EmailAddress, Secret, Visitor};

/// Mails a reset link if the address has an account. The answer never reveals whether it has.
///
/// # Errors
/// [`AccountError::EmailAddress`] for text that is not an address; [`SigninError::TooManyMails`].
pub async fn request_reset(app: &Arc<App>, visitor: Visitor, email: &str) -> Result<(), SigninError> {
    let address = EmailAddress::parse(email).map_err(|_| AccountError::EmailAddress)?;
    app.write(move |tx| ops::request_reset(tx, &Actor::Anonymous(visitor), &address)).await
}

/// Sets a new password with a reset link. Returns the device cookie for the browser that did it.
///
/// # Errors
/// [`SigninError::Password`]; [`AccountError::LinkRefused`].
pub async fn reset(
    app: &Arc<App>,
    visitor: Visitor,
    token: String,
    password: Secret<String>,
) -> Result<Secret<String>, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let link = token.clone();
    let words = app
        .read_offloaded(move |view| {
            let account = accounts::find_by_link(view, LinkPurpose::PasswordReset, &link)?;
            account.map_or(Ok(None), |person| Ok::<_, SigninError>(Some(account_words(view, &person)?)))
        })
        .await?;
    // Not throttled: 256 bits cannot be guessed, and a good link lets its person in whatever others do.
    let words = words.ok_or(AccountError::LinkRefused)?;
    let password = check_new_password(app, password, words).await?;
    let phc = app.passwords().hash(&password).await?;
    app.write(move |tx| ops::reset(tx, &actor, &token, &phc)).await
}
