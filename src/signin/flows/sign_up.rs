//! Signing up: by oneself, with an invitation, and as the first operator.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::model::{PendingSignUp, SignInOutcome, SignUp, SignUpGate};
use super::super::ops;
use super::new_password::{check_new_password, sign_up_words};
use crate::accounts::{AccountError, NewAccount, Username};
use crate::app::App;
use crate::base::{Actor, EmailAddress, Visitor};
use crate::invitations::InvitationError;

/// Handles a sign-up. The answer for an address that has an account is the same as for a new one.
///
/// # Errors
/// [`SigninError::Closed`], [`SigninError::Password`], [`SigninError::Account`] for invalid input;
/// [`SigninError::Busy`] when too many passwords wait to be hashed.
pub async fn sign_up(app: &Arc<App>, visitor: Visitor, form: SignUp) -> Result<PendingSignUp, SigninError> {
    let email = EmailAddress::parse(&form.email).map_err(|_| AccountError::EmailAddress)?;
    if !SignUpGate::new(app.config()).admits(&email) {
        return Err(SigninError::Closed);
    }
    // Hashed before it is checked whether the address is known, so that both cases take the same time.
    let new = new_account(app, form, email).await?;
    app.write(move |tx| ops::sign_up(tx, &Actor::Anonymous(visitor), &new)).await
}

/// Handles the sign-up of the first operator with the link of the machine, whatever the sign-up mode is. The person is
/// signed in; the address is not verified.
///
/// # Errors
/// [`AccountError::LinkRefused`] for a link that is not valid; [`SigninError::Password`], [`SigninError::Account`] for
/// invalid input, after which the link is still valid; [`SigninError::Busy`].
pub async fn claim_operator(
    app: &Arc<App>,
    visitor: Visitor,
    form: SignUp,
    claim: String,
) -> Result<SignInOutcome, SigninError> {
    let email = EmailAddress::parse(&form.email).map_err(|_| AccountError::EmailAddress)?;
    let new = NewAccount { is_operator: true, ..new_account(app, form, email).await? };
    app.write(move |tx| ops::claim_operator(tx, &Actor::Anonymous(visitor), new, &claim)).await
}

/// Handles the sign-up of a person with an invitation. The address is the one of the invitation, whatever the form
/// says. The person is signed in.
///
/// # Errors
/// [`SigninError::Invitation`] for a link that is not valid; [`SigninError::Password`], [`SigninError::Account`] for
/// invalid input, after which the link is still valid; [`SigninError::Busy`].
pub async fn accept_invitation(
    app: &Arc<App>,
    visitor: Visitor,
    form: SignUp,
    token: String,
) -> Result<SignInOutcome, SigninError> {
    let email = invited_address(app, token.clone()).await?.ok_or(InvitationError::LinkRefused)?;
    let new = new_account(app, form, email).await?;
    app.write(move |tx| ops::accept_invitation(tx, &Actor::Anonymous(visitor), new, &token)).await
}

/// Checks the username and the password of a new account, and hashes the password. `email` is the address that counts.
async fn new_account(app: &Arc<App>, form: SignUp, email: EmailAddress) -> Result<NewAccount, SigninError> {
    let username = Username::parse(&form.username).map_err(AccountError::Username)?;
    let password = check_new_password(app, form.password, sign_up_words(app, username.as_str(), &email)).await?;
    let phc = app.passwords().hash(&password).await?;
    Ok(NewAccount { username, email, is_verified: false, password: Some(phc), is_operator: false })
}

/// The address an invitation is for. `None`: its link is not valid.
///
/// # Errors
/// [`SigninError::Db`].
pub async fn invited_address(app: &Arc<App>, token: String) -> Result<Option<EmailAddress>, SigninError> {
    app.read_offloaded(move |view| Ok(ops::invited_address(view, &token)?)).await
}
