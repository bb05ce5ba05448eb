//! Signing up: by oneself, with an invitation, and as the first operator.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::model::{PendingSignUp, SignInOutcome, SignUp, SignUpGate, WaitingSignUp};
use super::super::ops;
use super::new_password::{check_new_password, sign_up_words};
use crate::accounts::{self, AccountError, NewAccount, Username};
use crate::app::App;
use crate::base::{AccountId, Actor, EmailAddress, Visitor};
use crate::crypto::{Password, PasswordCheck};
use crate::invitations::InvitationError;
use crate::sessions;

/// Handles a sign-up. The answer for an address that has an account is the same as for a new one. `own`: an earlier sign-up
/// of this browser, which waits for its code; this one replaces it.
///
/// # Errors
/// [`SigninError::Closed`], [`SigninError::Password`], [`SigninError::Account`] for invalid input, and
/// [`SigninError::Several`] of them; [`SigninError::TooManyMails`]; [`SigninError::Busy`] when too many passwords wait to be
/// hashed.
pub async fn sign_up(
    app: &Arc<App>,
    visitor: Visitor,
    form: SignUp,
    own: Option<AccountId>,
) -> Result<PendingSignUp, SigninError> {
    let gate = SignUpGate::new(app.config());
    if !gate.is_open() {
        return Err(SigninError::Closed);
    }
    let actor = Actor::Anonymous(visitor);
    let own = match own {
        Some(own) => Some(own),
        None => same_sign_up(app, &form).await?,
    };
    let email =
        parse_address(&form.email).and_then(|email| gate.admits(&email).then_some(email).ok_or(SigninError::Closed));
    let valid = check(app, form, email, own).await?;
    // Before the hash, which is slow.
    let (asking, address) = (actor.clone(), valid.email.clone());
    app.read_offloaded(move |view| sessions::check_mail::<SigninError>(view, &asking, &address, None)).await?;
    // Hash before checking whether the address is known, so that both cases take the same time.
    let new = valid.hash(app, false).await?;
    app.write(move |tx| ops::sign_up(tx, &actor, &new, own)).await
}

/// Handles the sign-up of the first operator with the link of the machine, whatever the sign-up mode is. The person is
/// signed in; the address is not verified.
///
/// # Errors
/// [`AccountError::LinkRefused`] for a link that is not valid; [`SigninError::Password`], [`SigninError::Account`] and
/// [`SigninError::Several`] for invalid input, after which the link is still valid; [`SigninError::Busy`].
pub async fn claim_operator(
    app: &Arc<App>,
    visitor: Visitor,
    form: SignUp,
    claim: String,
) -> Result<SignInOutcome, SigninError> {
    let token = claim.clone();
    if !app.read_offloaded(move |view| Ok::<_, SigninError>(ops::is_claim_valid(view, &token)?)).await? {
        return Err(AccountError::LinkRefused.into());
    }
    let email = parse_address(&form.email);
    let new = check(app, form, email, None).await?.hash(app, true).await?;
    app.write(move |tx| ops::claim_operator(tx, &Actor::Anonymous(visitor), new, &claim)).await
}

/// Handles the sign-up of a person with an invitation. The address is the one of the invitation, whatever the form
/// says. The person is signed in.
///
/// # Errors
/// [`SigninError::Invitation`] for a link that is not valid; [`SigninError::Password`], [`SigninError::Account`] and
/// [`SigninError::Several`] for invalid input, after which the link is still valid; [`SigninError::Busy`].
pub async fn accept_invitation(
    app: &Arc<App>,
    visitor: Visitor,
    form: SignUp,
    token: String,
) -> Result<SignInOutcome, SigninError> {
    let email = invited_address(app, token.clone()).await?.ok_or(InvitationError::LinkRefused)?;
    let new = check(app, form, Ok(email), None).await?.hash(app, false).await?;
    app.write(move |tx| ops::accept_invitation(tx, &Actor::Anonymous(visitor), new, &token)).await
}

/// The address an invitation is for. `None`: its link is not valid.
///
/// # Errors
/// [`SigninError::Db`].
pub async fn invited_address(app: &Arc<App>, token: String) -> Result<Option<EmailAddress>, SigninError> {
    app.read_offloaded(move |view| Ok(ops::invited_address(view, &token)?)).await
}

fn parse_address(typed: &str) -> Result<EmailAddress, SigninError> {
    EmailAddress::parse(typed).map_err(|_| AccountError::EmailAddress.into())
}

/// A sign-up form without faults.
struct ValidSignUp {
    email: EmailAddress,
    username: Username,
    password: Password,
}

impl ValidSignUp {
    async fn hash(self, app: &App, is_operator: bool) -> Result<NewAccount, SigninError> {
        let phc = app.passwords().hash(&self.password).await?;
        let Self { email, username, .. } = self;
        Ok(NewAccount { username, email, is_verified: false, password: Some(phc), is_operator })
    }
}

/// Checks every field, so that the person learns of all faults at once.
async fn check(
    app: &Arc<App>,
    form: SignUp,
    email: Result<EmailAddress, SigninError>,
    own: Option<AccountId>,
) -> Result<ValidSignUp, SigninError> {
    let username = Username::parse(&form.username).map_err(AccountError::Username);
    let username = match username {
        Ok(name) => app.read_offloaded(move |view| accounts::must_be_free(view, &name, own).map(|()| name)).await,
        Err(fault) => Err(fault),
    };
    // The words as they were typed, as in the rating while people type.
    let typed_address = email.as_ref().map_or(form.email, EmailAddress::to_string);
    let password = check_new_password(app, form.password, sign_up_words(app, &form.username, &typed_address)).await;
    match (email, username, password) {
        (Ok(email), Ok(username), Ok(password)) => Ok(ValidSignUp { email, username, password }),
        (_, Err(AccountError::Db(error)), _) => Err(error.into()),
        (_, _, Err(busy @ SigninError::Busy(_))) => Err(busy),
        (email, username, password) => {
            let faults = [email.err(), username.err().map(SigninError::from), password.err()];
            let mut faults: Vec<SigninError> = faults.into_iter().flatten().collect();
            Err(if faults.len() == 1 { faults.remove(0) } else { SigninError::Several(faults) })
        }
    }
}

/// The sign-up with the same username, address and password that waits for its code: its person starts again in another
/// browser. Its password can be guessed as often as its code.
async fn same_sign_up(app: &Arc<App>, form: &SignUp) -> Result<Option<AccountId>, SigninError> {
    let Ok(address) = EmailAddress::parse(&form.email) else { return Ok(None) };
    let username = form.username.trim().to_owned();
    let waiting = app.read_offloaded(move |view| ops::waiting_sign_up(view, &username, &address)).await?;
    let Some(WaitingSignUp { account, serial_key, password }) = waiting else { return Ok(None) };
    let _permit = app.passwords().permit(&serial_key).await?;
    if app.passwords().check(&form.password, password).await? != PasswordCheck::Wrong {
        return Ok(Some(account));
    }
    app.write(move |tx| ops::note_wrong_sign_up(tx, account)).await?;
    Ok(None)
}
