//! The last step of a callback: every check passed, and the external identity signs in, connects or steps up.

use serde_json::json;

use super::super::super::model::Proof;
use super::super::super::ops::{sign_in, step_up_by_provider};
use super::super::error::{OauthError, Refusal};
use super::super::events::IdentityEvent;
use super::super::model::{
    AuthorizationRequest, CLOCK_SKEW_MAX, CallbackOutcome, ExternalIdentity, LinkedIdentity, PENDING_IDENTITY_LIFETIME,
    Purpose,
};
use super::super::store;
use super::authorization::{refuse, seal_context};
use crate::accounts::{self, AccountState};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, SessionId};
use crate::config::{Provider, ProviderKind, SignupMode};
use crate::crypto::seal;
use crate::db::{self, Tx};
use crate::signin::SigninError;
use crate::signin::events::SigninEvent;

/// Completes the request with the external identity. `session`: account and session of the browser, if it has one. A
/// refusal is the inner result, because its event must be committed.
///
/// # Errors
/// [`OauthError::Signin`] for the store and for what sign-in refuses.
pub fn complete(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    request: &AuthorizationRequest,
    external: &ExternalIdentity,
    session: Option<(AccountId, SessionId)>,
) -> Result<Result<CallbackOutcome, OauthError>, OauthError> {
    let identity = store::find(tx, &external.issuer, &external.subject)?;
    match (request.purpose, session) {
        (Purpose::StepUp, session) => step_up(tx, actor, provider, request, external, identity.as_ref(), session),
        (Purpose::Connect, Some((account, _))) if request.account == Some(account) => match identity {
            Some(identity) if identity.account == account => Ok(Ok(CallbackOutcome::AlreadyConnected)),
            Some(_) => Ok(Err(link_refused(tx, actor, account, external)?)),
            None => store_pending(tx, request, external).map(|()| Ok(CallbackOutcome::ConfirmationRequired)),
        },
        // They signed out meanwhile, or another person signed in.
        (Purpose::Connect, _) => refuse(tx, actor, provider, Some(request), Refusal::Browser).map(Err),
        (Purpose::SignIn, session) => match identity {
            Some(identity) => sign_in_linked(tx, actor, &identity, external),
            None => store_pending(tx, request, external).and_then(|()| unknown_identity(tx, external, session)),
        },
    }
}

fn sign_in_linked(
    tx: &mut Tx<'_>,
    actor: &Actor,
    identity: &LinkedIdentity,
    external: &ExternalIdentity,
) -> Result<Result<CallbackOutcome, OauthError>, OauthError> {
    let person = accounts::find(tx, identity.account)?.ok_or(OauthError::NotFound)?;
    let proof = Proof::provider(&external.provider);
    if person.state == AccountState::Suspended {
        let data = json!({"method": proof.as_str(), "reason": "suspended"});
        let event = Event::new(SigninEvent::Failed).outcome(Outcome::Denied).target(person.id).subject(person.id);
        audit::record(tx, actor, event.data(data))?;
        return Ok(Err(OauthError::Suspended));
    }
    store::update_used(tx, identity.id, external)?;
    Ok(Ok(CallbackOutcome::SignedIn(sign_in(tx, actor, &person, &proof, false)?)))
}

/// No account is connected to the identity. Whether an account has the address is revealed only if the provider
/// verified the address. Otherwise anybody could test addresses.
fn unknown_identity(
    tx: &mut Tx<'_>,
    external: &ExternalIdentity,
    session: Option<(AccountId, SessionId)>,
) -> Result<Result<CallbackOutcome, OauthError>, OauthError> {
    if session.is_some() {
        return Ok(Ok(CallbackOutcome::ConfirmationRequired));
    }
    let is_known = match &external.email {
        Some(email) if external.is_verified => accounts::is_email_taken(tx, email)?,
        _ => false,
    };
    if is_known {
        return Ok(Ok(CallbackOutcome::SignInRequired));
    }
    match tx.site().config.signup.mode {
        // The person may have an account here to connect.
        SignupMode::Invite | SignupMode::Closed => Ok(Ok(CallbackOutcome::SignInRequired)),
        SignupMode::Open | SignupMode::Domains => Ok(Ok(CallbackOutcome::UsernameRequired)),
    }
}

/// Stores the external identity until the person chooses a username or signs in.
fn store_pending(
    tx: &mut Tx<'_>,
    request: &AuthorizationRequest,
    external: &ExternalIdentity,
) -> Result<(), OauthError> {
    let kept = json!({"found": external.to_json(), "next": request.next}).to_string();
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &seal_context("found", &request.digest), kept.as_bytes());
    let until = tx.now().plus(PENDING_IDENTITY_LIFETIME);
    Ok(store::update_external(tx, &request.digest, &sealed, until)?)
}

fn step_up(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    request: &AuthorizationRequest,
    external: &ExternalIdentity,
    identity: Option<&LinkedIdentity>,
    session: Option<(AccountId, SessionId)>,
) -> Result<Result<CallbackOutcome, OauthError>, OauthError> {
    let Some((account, session)) = session.filter(|(account, _)| request.account == Some(*account)) else {
        return refuse(tx, actor, provider, Some(request), Refusal::Browser).map(Err);
    };
    if identity.is_none_or(|identity| identity.account != account) {
        return refuse(tx, actor, provider, Some(request), Refusal::OtherIdentity).map(Err);
    }
    if !is_fresh(tx, provider, request, external) {
        return refuse(tx, actor, provider, Some(request), Refusal::OldProof).map(Err);
    }
    // A person who has a password or a second factor by now must use it.
    match step_up_by_provider(tx, actor, account, session, &Proof::provider(&external.provider)) {
        Ok(renewed) => Ok(Ok(CallbackOutcome::SteppedUp(renewed))),
        Err(SigninError::NotProved) => Ok(Err(OauthError::StrongerProofRequired)),
        Err(error) => Err(error.into()),
    }
}

/// Whether the person authenticated at the provider just now. An OpenID issuer was told to ask again, so its token must
/// say when it did, and that must be during this request (OpenID Connect Core §3.1.2.1, `max_age`). The other providers
/// may not say it; then the start of the request counts.
fn is_fresh(tx: &Tx<'_>, provider: &Provider, request: &AuthorizationRequest, external: &ExternalIdentity) -> bool {
    let proved_at = match provider.kind {
        ProviderKind::Oidc => external.proved_at.filter(|at| *at >= request.began_at.minus(CLOCK_SKEW_MAX)),
        _ => external.proved_at.or(Some(request.began_at)),
    };
    let good_for = tx.site().config.session.step_up_after;
    proved_at.is_some_and(|at| tx.now().since(at) < good_for + CLOCK_SKEW_MAX)
}

fn link_refused(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    external: &ExternalIdentity,
) -> Result<OauthError, db::Error> {
    let data = json!({"method": Proof::provider(&external.provider).as_str(), "reason": "taken"});
    let event = Event::new(IdentityEvent::LinkRefused).outcome(Outcome::Denied).target(account).subject(account);
    audit::record(tx, actor, event.data(data))?;
    Ok(OauthError::Taken)
}
