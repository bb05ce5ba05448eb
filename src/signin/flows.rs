//! Coming in, with the slow step (hashing) between a look and one transaction.

use std::sync::Arc;

use super::error::SigninError;
use super::model::{Asker, Presented, SignIn, SignUp, SignedUp, Started, StepUp};
use super::ops;
use crate::accounts::{self, Account, AccountError, LinkPurpose, NewAccount, Username};
use crate::app::App;
use crate::base::{AccountId, Actor, EmailAddress, Secret, SessionId, Visitor};
use crate::config::{Config, SignupMode};
use crate::crypto::{Checked, Password, Strength};
use crate::db::{self, Tx, View};
use crate::factors::{self, Assertion, ChallengeFor, FactorProof};
use crate::invitations::InvitationError;
use crate::sessions::{Guard, Renewed};

/// Takes a sign-up. The answer for an address that has an account is the same as for a new one.
///
/// # Errors
/// [`SigninError::Closed`], [`SigninError::Password`], [`SigninError::Account`] for what was typed wrong;
/// [`SigninError::Busy`] when too many passwords wait.
pub async fn sign_up(app: &Arc<App>, visitor: Visitor, form: SignUp) -> Result<SignedUp, SigninError> {
    let email = EmailAddress::parse(&form.email).map_err(|_| AccountError::EmailAddress)?;
    let username = Username::parse(&form.username).map_err(AccountError::Username)?;
    let signup = &app.config().signup;
    let open = match signup.mode {
        SignupMode::Open => true,
        SignupMode::Domains => signup.domains.contains(&email.domain()),
        SignupMode::Invite | SignupMode::Closed => false,
    };
    if !open && form.claim.is_empty() {
        return Err(SigninError::Closed);
    }
    let password = accepted(app, form.password, own_words(app, username.as_str(), &email)).await?;
    // Hashed before anybody looks whether the address is known, so that both take the same time.
    let phc = app.passwords().hash(&password).await?;
    let new = NewAccount { username, email, is_verified: false, password: Some(phc), is_operator: false };
    app.write(move |tx| ops::sign_up(tx, &Actor::Anonymous(visitor), new, &form.claim)).await
}

/// Takes the sign-up of somebody who holds an invitation; the address is the invitation's, whatever was typed. They are in.
///
/// # Errors
/// [`SigninError::Invitation`] for a link that is not good; [`SigninError::Password`], [`SigninError::Account`] for what was
/// typed wrong, which leaves it good; [`SigninError::Busy`].
pub async fn accept_invitation(
    app: &Arc<App>,
    visitor: Visitor,
    form: SignUp,
    token: String,
) -> Result<Started, SigninError> {
    let email = invited_address(app, token.clone()).await?.ok_or(InvitationError::LinkRefused)?;
    let username = Username::parse(&form.username).map_err(AccountError::Username)?;
    let password = accepted(app, form.password, own_words(app, username.as_str(), &email)).await?;
    let phc = app.passwords().hash(&password).await?;
    let new = NewAccount { username, email, is_verified: false, password: Some(phc), is_operator: false };
    app.write(move |tx| ops::accept_invitation(tx, &Actor::Anonymous(visitor), new, &token)).await
}

/// The address an invitation is for. `None`: its link is not good.
///
/// # Errors
/// [`SigninError::Db`].
pub async fn invited_address(app: &Arc<App>, token: String) -> Result<Option<EmailAddress>, SigninError> {
    app.read_offloaded(move |view| Ok(ops::invited_address(view, &token)?)).await
}

/// Takes a sign-in. Unknown name, wrong password, no password and a suspended account get one answer after one hash.
///
/// # Errors
/// [`SigninError::BadCredentials`], [`SigninError::Throttled`], [`SigninError::Busy`].
pub async fn sign_in(app: &Arc<App>, visitor: Visitor, form: SignIn) -> Result<Started, SigninError> {
    let actor = Actor::Anonymous(visitor);
    // A glance, before anything is waited for: those who must come back later take nobody's turn.
    let (approach, throttled) = app.query_inline(|view| {
        let approach = ops::approach(view, &actor, &form.name)?;
        let throttled = approach.guard.must_wait(view)?;
        Ok((approach, throttled))
    })?;
    if let Some(throttled) = throttled {
        return Err(SigninError::Throttled(throttled));
    }
    let _turn = app.passwords().turn(approach.guard.about()).await?;
    let asked = approach.clone();
    let stored = app.read_offloaded(move |view| ops::password_at_the_door(view, &asked)).await?;
    let checked = app.passwords().check(&form.password, stored.clone()).await?;
    if !checked.is_right() {
        app.write(move |tx| ops::refuse(tx, &actor, &approach)).await?;
        return Err(SigninError::BadCredentials);
    }
    let renewed = if let Checked::RightAndRenewed(phc) = checked { Some(phc) } else { None };
    let hashes = move |tx: &mut Tx<'_>| {
        ops::admit(tx, &actor, &approach, [stored.as_deref(), renewed.as_deref()], form.remember)
    };
    app.write(hashes).await
}

/// Takes the second step of a sign-in. `token`: the half-session's cookie.
///
/// # Errors
/// [`SigninError::HalfOver`]; [`SigninError::Factor`] for what is not right.
pub async fn prove_half(
    app: &Arc<App>,
    visitor: Visitor,
    token: String,
    presented: Presented,
) -> Result<Started, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let asked = token.clone();
    let half = app.read_offloaded(move |view| Ok::<_, SigninError>(factors::half(view, &asked)?)).await?;
    let half = half.ok_or(SigninError::HalfOver)?;
    let proof = proof_of(app, &actor, ChallengeFor::Factor(half.account), presented).await?;
    app.write(move |tx| ops::prove_half(tx, &actor, &token, &proof)).await?
}

/// Takes a sign-in by passkey alone: who it is, is what the passkey says.
///
/// # Errors
/// [`SigninError::Factor`], [`SigninError::BadCredentials`] where the account is not in use.
pub async fn sign_in_by_passkey(
    app: &Arc<App>,
    visitor: Visitor,
    signed: Assertion,
    remember: bool,
) -> Result<Started, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let asserted = factors::flows::check_signed(app, &actor, ChallengeFor::SignIn, signed).await?;
    app.write(move |tx| ops::enter_by_passkey(tx, &actor, asserted, remember)).await?
}

/// What is presented, with a passkey's signature checked.
async fn proof_of(
    app: &Arc<App>,
    actor: &Actor,
    purpose: ChallengeFor,
    presented: Presented,
) -> Result<FactorProof, SigninError> {
    Ok(match presented {
        Presented::Typed(typed) => FactorProof::Typed(typed),
        Presented::Passkey(signed) => {
            FactorProof::Passkey(factors::flows::check_signed(app, actor, purpose, signed).await?)
        }
    })
}

/// Takes a proof by somebody who is signed in, as strong as what they enrolled. Answers their new session cookie.
///
/// # Errors
/// [`SigninError::NotProved`], [`SigninError::Throttled`], [`SigninError::Factor`], [`SigninError::Busy`],
/// [`SigninError::SignedOut`].
pub async fn step_up(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    session: SessionId,
    given: StepUp,
) -> Result<Renewed, SigninError> {
    match given {
        StepUp::Factor(presented) => {
            let proof = proof_of(app, &actor, ChallengeFor::StepUp(account), presented).await?;
            app.write(move |tx| ops::step_up_by_factor(tx, &actor, account, session, &proof)).await?
        }
        StepUp::Password(typed) => step_up_by_password(app, actor, account, session, typed).await,
    }
}

async fn step_up_by_password(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    session: SessionId,
    typed: Secret<String>,
) -> Result<Renewed, SigninError> {
    let guard = Guard::new(account);
    let _turn = app.passwords().turn(guard.about()).await?;
    let stored = app
        .read_offloaded(move |view| {
            ops::must_not_wait(view, &guard)?;
            let is_open = ops::proofs_open(view, account)?.password;
            Ok::<_, SigninError>(if is_open { accounts::password_hash(view, account)? } else { None })
        })
        .await?;
    if app.passwords().verify(&typed, stored).await? {
        return app.write(move |tx| ops::step_up(tx, &actor, account, session)).await;
    }
    app.write(move |tx| ops::refuse_step_up(tx, &actor, account)).await?;
    Err(SigninError::NotProved)
}

/// Sends a reset link where the address has an account. Never tells whether it has.
///
/// # Errors
/// [`AccountError::EmailAddress`] for what is not an address at all.
pub async fn request_reset(app: &Arc<App>, visitor: Visitor, email: &str) -> Result<(), SigninError> {
    let address = EmailAddress::parse(email).map_err(|_| AccountError::EmailAddress)?;
    app.write(move |tx| ops::request_reset(tx, &Actor::Anonymous(visitor), &address)).await
}

/// Sets a new password with a reset link. Answers the device cookie of the browser that did it.
///
/// # Errors
/// [`SigninError::Password`]; [`AccountError::LinkRefused`]; [`SigninError::Throttled`] after many links that were refused.
pub async fn reset(
    app: &Arc<App>,
    visitor: Visitor,
    token: String,
    password: Secret<String>,
) -> Result<Secret<String>, SigninError> {
    let actor = Actor::Anonymous(visitor);
    let (asked, guard) = (token.clone(), Guard::of_network(&actor));
    let counted = guard.clone();
    let words = app
        .read_offloaded(move |view| {
            ops::must_not_wait(view, &guard)?;
            let account = accounts::find_by_link(view, LinkPurpose::PasswordReset, &asked)?;
            account.map_or(Ok(None), |person| Ok::<_, SigninError>(Some(words_about(view, &person)?)))
        })
        .await?;
    let Some(words) = words else {
        app.write(move |tx| counted.note_failure(tx)).await?;
        return Err(AccountError::LinkRefused.into());
    };
    let password = accepted(app, password, words).await?;
    let phc = app.passwords().hash(&password).await?;
    app.write(move |tx| ops::reset(tx, &actor, &token, &phc)).await
}

/// Undoes a change of the primary address with the link that the address before was sent. Answers the restored address.
///
/// # Errors
/// [`AccountError::LinkRefused`]; nothing happened then.
pub async fn revert_email(app: &Arc<App>, visitor: Visitor, token: String) -> Result<EmailAddress, SigninError> {
    app.write(move |tx| ops::revert_email(tx, &Actor::Anonymous(visitor), &token)).await
}

/// Sets a new password for somebody who is signed in and just proved it. Answers their new session cookie.
///
/// # Errors
/// [`SigninError::Password`], [`SigninError::Busy`]; [`SigninError::SignedOut`] where account or session are gone.
pub async fn change_password(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    session: SessionId,
    password: Secret<String>,
) -> Result<Renewed, SigninError> {
    let words = app
        .read_offloaded(move |view| {
            let person = accounts::find(view, account)?;
            person.map_or(Ok(None), |person| words_about(view, &person).map(Some))
        })
        .await?
        .ok_or(SigninError::SignedOut)?;
    let password = accepted(app, password, words).await?;
    let phc = app.passwords().hash(&password).await?;
    app.write(move |tx| ops::change_password(tx, &actor, account, session, &phc)).await
}

/// Rates what somebody types, by the rule of a new password. Keeps and records nothing.
///
/// # Errors
/// [`SigninError::Busy`]; [`SigninError::Db`].
pub async fn rate_password(app: &Arc<App>, asker: Asker, password: Secret<String>) -> Result<Strength, SigninError> {
    let words = app.read_offloaded(move |view| words_beside(view, asker)).await?;
    Ok(app.passwords().rate(password, app.config().passwords.min_length, words).await?)
}

/// What others know of whoever types, as far as we know who it is.
fn words_beside(view: &View<'_>, asker: Asker) -> Result<Vec<String>, db::Error> {
    let site = host_of(&view.site().config);
    let person = match asker {
        Asker::SignedIn(account) => accounts::find(view, account)?,
        Asker::Resetting(token) => accounts::find_by_link(view, LinkPurpose::PasswordReset, &token)?,
        Asker::SigningUp { email, username } => return Ok(vec![site, username, email]),
    };
    person.map_or(Ok(vec![site]), |person| words_about(view, &person))
}

/// What others know of a person: no password is made of it.
fn words_about(view: &View<'_>, person: &Account) -> Result<Vec<String>, db::Error> {
    let site = host_of(&view.site().config);
    let mut words = vec![site, person.username.clone(), person.display_name.clone(), person.company.clone()];
    words.extend(accounts::emails(view, person.id)?.into_iter().map(|email| email.address.to_string()));
    Ok(words)
}

/// As [`words_about`], of somebody who is about to have an account.
fn own_words(app: &App, username: &str, email: &EmailAddress) -> Vec<String> {
    vec![host_of(app.config()), username.to_owned(), email.to_string()]
}

fn host_of(config: &Config) -> String {
    config.public_url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Checks a new password, on the threads that hash.
async fn accepted(app: &App, password: Secret<String>, words: Vec<String>) -> Result<Password, SigninError> {
    let min_length = app.config().passwords.min_length;
    app.passwords().parse(password, min_length, words).await?.map_err(SigninError::Password)
}

/// As the flows check a new password, for the command line.
///
/// # Errors
/// [`SigninError::Password`].
pub fn new_password(
    app: &App,
    password: Secret<String>,
    username: &str,
    email: &EmailAddress,
) -> Result<Password, SigninError> {
    let words = own_words(app, username, email);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Password::parse(password, app.config().passwords.min_length, &words).map_err(SigninError::Password)
}
