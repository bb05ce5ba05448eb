//! The flows of sign-up, sign-in and passwords: a read, the slow step (hashing), then one transaction.

use std::sync::Arc;

use super::error::SigninError;
use super::model::{
    FactorInput, PasswordContext, PendingSignUp, Proof, SignIn, SignInOutcome, SignUp, SignUpGate, StepUp,
};
use super::ops::{self, PasswordAttempt};
use crate::accounts::{self, Account, AccountError, LinkPurpose, NewAccount, Username};
use crate::app::App;
use crate::base::{AccountId, Actor, EmailAddress, Secret, SessionId, Visitor};
use crate::config::Config;
use crate::crypto::{Password, PasswordCheck, Strength};
use crate::db::{self, Tx, View};
use crate::factors::{self, Assertion, ChallengePurpose, FactorProof};
use crate::invitations::InvitationError;
use crate::sessions::{LoginThrottle, RenewedCookie};

/// Handles a sign-up. The answer for an address that has an account is the same as for a new one.
///
/// # Errors
/// [`SigninError::Closed`], [`SigninError::Password`], [`SigninError::Account`] for invalid input;
/// [`SigninError::Busy`] when too many passwords wait to be hashed.
pub async fn sign_up(app: &Arc<App>, visitor: Visitor, form: SignUp) -> Result<PendingSignUp, SigninError> {
    let email = EmailAddress::parse(&form.email).map_err(|_| AccountError::EmailAddress)?;
    let username = Username::parse(&form.username).map_err(AccountError::Username)?;
    if form.claim.is_empty() && !SignUpGate::new(app.config()).admits(&email) {
        return Err(SigninError::Closed);
    }
    let password = check_new_password(app, form.password, sign_up_words(app, username.as_str(), &email)).await?;
    // Hash before checking whether the address is known, so that both cases take the same time.
    let phc = app.passwords().hash(&password).await?;
    let new = NewAccount { username, email, is_verified: false, password: Some(phc), is_operator: false };
    app.write(move |tx| ops::sign_up(tx, &Actor::Anonymous(visitor), new, &form.claim)).await
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
    let username = Username::parse(&form.username).map_err(AccountError::Username)?;
    let password = check_new_password(app, form.password, sign_up_words(app, username.as_str(), &email)).await?;
    let phc = app.passwords().hash(&password).await?;
    let new = NewAccount { username, email, is_verified: false, password: Some(phc), is_operator: false };
    app.write(move |tx| ops::accept_invitation(tx, &Actor::Anonymous(visitor), new, &token)).await
}

/// The address an invitation is for. `None`: its link is not valid.
///
/// # Errors
/// [`SigninError::Db`].
pub async fn invited_address(app: &Arc<App>, token: String) -> Result<Option<EmailAddress>, SigninError> {
    app.read_offloaded(move |view| Ok(ops::invited_address(view, &token)?)).await
}

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
async fn factor_proof(
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

/// Handles a step-up of a signed-in person. The proof must be as strong as what they enrolled. Returns the new session
/// cookie.
///
/// # Errors
/// [`SigninError::NotProved`], [`SigninError::Throttled`], [`SigninError::Factor`], [`SigninError::Busy`],
/// [`SigninError::SignedOut`].
pub async fn step_up(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    session: SessionId,
    proof: StepUp,
) -> Result<RenewedCookie, SigninError> {
    match proof {
        StepUp::Factor(input) => {
            let proof = factor_proof(app, &actor, ChallengePurpose::StepUp(account), input).await?;
            app.write_deciding(move |tx| ops::step_up_by_factor(tx, &actor, account, session, &proof)).await
        }
        StepUp::Password(typed) => {
            let attempt = PasswordAttempt::for_step_up(account);
            prove_password(app, actor, attempt, &typed, move |tx, actor, person| {
                ops::step_up(tx, actor, person.id, session)
            })
            .await
        }
    }
}

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

/// Undoes a change of the primary address with the link that was mailed to the previous address. Returns the restored
/// address.
///
/// # Errors
/// [`AccountError::LinkRefused`]; then nothing changed.
pub async fn revert_email(app: &Arc<App>, visitor: Visitor, token: String) -> Result<EmailAddress, SigninError> {
    app.write(move |tx| ops::revert_email(tx, &Actor::Anonymous(visitor), &token)).await
}

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

/// Rates a password by the rules for new passwords while it is typed. Stores and records nothing.
///
/// # Errors
/// [`SigninError::Busy`]; [`SigninError::Db`].
pub async fn rate_password(
    app: &Arc<App>,
    context: PasswordContext,
    password: Secret<String>,
) -> Result<Strength, SigninError> {
    let words = app.read_offloaded(move |view| personal_words(view, context)).await?;
    Ok(app.passwords().rate(password, app.config().passwords.min_length, words).await?)
}

/// The words that a new password must not be built from, as far as the person is known.
fn personal_words(view: &View<'_>, context: PasswordContext) -> Result<Vec<String>, db::Error> {
    let site = host_of(&view.site().config);
    let person = match context {
        PasswordContext::SignedIn(account) => accounts::find(view, account)?,
        PasswordContext::Resetting(token) => accounts::find_by_link(view, LinkPurpose::PasswordReset, &token)?,
        PasswordContext::SigningUp { email, username } => return Ok(vec![site, username, email]),
    };
    person.map_or(Ok(vec![site]), |person| account_words(view, &person))
}

/// Public words about an account, its addresses and the site. A new password must not be built from them.
fn account_words(view: &View<'_>, person: &Account) -> Result<Vec<String>, db::Error> {
    let site = host_of(&view.site().config);
    let mut words = vec![site, person.username.clone(), person.display_name.clone(), person.company.clone()];
    words.extend(accounts::emails(view, person.id)?.into_iter().map(|email| email.address.to_string()));
    Ok(words)
}

/// As [`account_words`], for a person who signs up.
fn sign_up_words(app: &App, username: &str, email: &EmailAddress) -> Vec<String> {
    vec![host_of(app.config()), username.to_owned(), email.to_string()]
}

fn host_of(config: &Config) -> String {
    config.public_url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Checks a new password on the hashing threads.
async fn check_new_password(app: &App, password: Secret<String>, words: Vec<String>) -> Result<Password, SigninError> {
    let min_length = app.config().passwords.min_length;
    Ok(app.passwords().parse(password, min_length, words).await?)
}

/// Checks a new password as the flows do, but blocks; for the command line.
///
/// # Errors
/// [`SigninError::Password`].
pub fn new_password(
    app: &App,
    password: Secret<String>,
    username: &str,
    email: &EmailAddress,
) -> Result<Password, SigninError> {
    let words = sign_up_words(app, username, email);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Password::parse(password, app.config().passwords.min_length, &words).map_err(SigninError::Password)
}
