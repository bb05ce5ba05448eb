//! The last step of a callback: every check passed, and the external identity signs in, connects or steps up.

use serde_json::json;

use super::super::super::model::{Proof, SignUpGate};
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
use crate::config::{Provider, ProviderKind};
use crate::crypto::seal;
use crate::db::{Decided, Decision, Tx};
use crate::signin::SigninError;
use crate::signin::events::SigninEvent;

/// Completes the request with the external identity. `session`: account and session of the browser, if it has one. A
/// refusal that is recorded is committed.
///
/// # Errors
/// [`OauthError::Signin`] for the store and for what sign-in refuses.
// No permission: the provider has proved the identity; what may happen with it is decided below.
pub fn complete(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    request: &AuthorizationRequest,
    external: &ExternalIdentity,
    session: Option<(AccountId, SessionId)>,
) -> Decided<CallbackOutcome, OauthError> {
    let identity = store::find(tx, &external.issuer, &external.subject)?;
    match (request.purpose, session) {
        (Purpose::StepUp, session) => step_up(tx, actor, provider, request, external, identity.as_ref(), session),
        (Purpose::Connect, Some((account, _))) if request.account == Some(account) => match identity {
            Some(identity) if identity.account == account => Ok(Decision::Done(CallbackOutcome::AlreadyConnected)),
            Some(_) => link_refused(tx, actor, account, external),
            None => {
                store_pending(tx, request, external).map(|()| Decision::Done(CallbackOutcome::ConfirmationRequired))
            }
        },
        // They signed out meanwhile, or another person signed in.
        (Purpose::Connect, _) => refuse(tx, actor, provider, Some(request), Refusal::Browser),
        (Purpose::SignIn, session) => match identity {
            Some(identity) => sign_in_linked(tx, actor, &identity, external),
            None => {
                store_pending(tx, request, external)?;
                unknown_identity(tx, external, session).map(Decision::Done)
            }
        },
    }
}

fn sign_in_linked(
    tx: &mut Tx<'_>,
    actor: &Actor,
    identity: &LinkedIdentity,
    external: &ExternalIdentity,
) -> Decided<CallbackOutcome, OauthError> {
    let person = accounts::find(tx, identity.account)?.ok_or(OauthError::NotFound)?;
    let proof = Proof::provider(&external.provider);
    if person.state == AccountState::Suspended {
        let data = json!({"method": proof.as_str(), "reason": "suspended"});
        let event = Event::new(SigninEvent::Failed).outcome(Outcome::Denied).target(person.id).subject(person.id);
        audit::record(tx, actor, event.data(data))?;
        return Ok(Decision::Refused(OauthError::Suspended));
    }
    store::update_used(tx, identity.id, external)?;
    sign_in(tx, actor, &person, &proof, false)
        .map(|outcome| Decision::Done(CallbackOutcome::SignedIn(outcome)))
        .map_err(OauthError::from)
}

/// No account is connected to the identity. Whether an account has the address is revealed only if the provider
/// verified the address. Otherwise anybody could test addresses.
fn unknown_identity(
    tx: &mut Tx<'_>,
    external: &ExternalIdentity,
    session: Option<(AccountId, SessionId)>,
) -> Result<CallbackOutcome, OauthError> {
    if session.is_some() {
        return Ok(CallbackOutcome::ConfirmationRequired);
    }
    let is_known = match &external.email {
        Some(email) if external.is_verified => accounts::is_email_taken(tx, email)?,
        _ => false,
    };
    if is_known {
        return Ok(CallbackOutcome::SignInRequired);
    }
    if SignUpGate::new(&tx.site().config).is_open() {
        return Ok(CallbackOutcome::UsernameRequired);
    }
    // The person may have an account here to connect.
    Ok(CallbackOutcome::SignInRequired)
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
) -> Decided<CallbackOutcome, OauthError> {
    let Some((account, session)) = session.filter(|(account, _)| request.account == Some(*account)) else {
        return refuse(tx, actor, provider, Some(request), Refusal::Browser);
    };
    if identity.is_none_or(|identity| identity.account != account) {
        return refuse(tx, actor, provider, Some(request), Refusal::OtherIdentity);
    }
    if !is_fresh(tx, provider, request, external) {
        return refuse(tx, actor, provider, Some(request), Refusal::OldProof);
    }
    // A person who has a password or a second factor by now must use it.
    match step_up_by_provider(tx, actor, account, session, &Proof::provider(&external.provider)) {
        Ok(renewed) => Ok(Decision::Done(CallbackOutcome::SteppedUp(renewed))),
        Err(SigninError::NotProved) => Err(OauthError::StrongerProofRequired),
        Err(error) => Err(error.into()),
    }
}

/// Whether the person authenticated at the provider just now. An OpenID issuer was told to ask again, so its token must
/// say when it did, and that must be during this request (OpenID Connect Core §3.1.2.1, `max_age`). The other providers
/// may not say it; then the start of the request counts. A time in the future proves nothing: it would stay fresh for ever.
fn is_fresh(tx: &Tx<'_>, provider: &Provider, request: &AuthorizationRequest, external: &ExternalIdentity) -> bool {
    let proved_at = match provider.kind {
        ProviderKind::Oidc => external.proved_at.filter(|at| *at >= request.began_at.minus(CLOCK_SKEW_MAX)),
        _ => external.proved_at.or(Some(request.began_at)),
    };
    let good_for = tx.site().config.session.step_up_after;
    let latest = tx.now().plus(CLOCK_SKEW_MAX);
    proved_at.is_some_and(|at| at <= latest && tx.now().since(at) < good_for + CLOCK_SKEW_MAX)
}

fn link_refused(
    tx: &mut Tx<'_>,
    actor: &Actor,
    account: AccountId,
    external: &ExternalIdentity,
) -> Decided<CallbackOutcome, OauthError> {
    let data = json!({"method": Proof::provider(&external.provider).as_str(), "reason": "taken"});
    let event = Event::new(IdentityEvent::LinkRefused).outcome(Outcome::Denied).target(account).subject(account);
    audit::record(tx, actor, event.data(data))?;
    Ok(Decision::Refused(OauthError::Taken))
}
