//! Authorization requests: started, consumed once, or refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::error::{OauthError, Refusal};
use super::super::events::IdentityEvent;
use super::super::model::{
    AUTHORIZATION_LIFETIME, AuthorizationParams, AuthorizationRequest, AuthorizationResponse, POSTED_RESPONSE_LIFETIME,
    Purpose,
};
use super::super::store::{self, AuthorizationRequestRow};
use crate::audit::{self, Event, EventKind as _, Outcome};
use crate::base::{AccountId, Actor, Secret};
use crate::config::Provider;
use crate::crypto::{seal, tokens};
use crate::db::{self, Decided, Decision, Tx, View};
use crate::signin::events::SigninEvent;

/// Each start deletes up to this many expired rows, so that abandoned requests do not accumulate.
const EXPIRED_DELETED_PER_START: u32 = 4;
/// The most rows that one cleanup deletes.
const PURGE_BATCH_MAX: u32 = 1000;
/// A response is a code and a name. Larger ones are dropped.
const POSTED_BYTES_MAX: usize = 8 * 1024;

/// Starts an authorization request for the browser that holds `state_cookie`. It is valid for ten minutes.
///
/// # Errors
/// [`db::Error`].
pub fn begin(
    tx: &mut Tx<'_>,
    provider: &str,
    purpose: Purpose,
    account: Option<AccountId>,
    next: &str,
    state_cookie: &str,
) -> Result<AuthorizationParams, db::Error> {
    let state = tokens::random_token(tx.rng());
    let nonce = tokens::random_token(tx.rng());
    let verifier = tokens::random_token(tx.rng());
    let digest = tokens::digest(state.expose());
    let kept = json!({"nonce": nonce.expose(), "verifier": verifier.expose(), "next": next}).to_string();
    let site = tx.site().clone();
    let request = AuthorizationRequestRow {
        provider: provider.to_owned(),
        purpose: purpose.as_str().to_owned(),
        state_cookie: tokens::digest(state_cookie),
        sealed: seal::seal(&site.keyring, tx.rng(), &seal_context("sealed", &digest), kept.as_bytes()),
        account,
        created_at: tx.now(),
    };
    store::delete_expired_requests(tx, EXPIRED_DELETED_PER_START)?;
    store::insert_request(tx, &digest, &request, request.created_at.plus(AUTHORIZATION_LIFETIME))?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
    Ok(AuthorizationParams { state, nonce, challenge })
}

/// The associated data of a sealed value. It binds the value to its row and column, so it cannot be moved to another
/// one.
pub(super) fn seal_context(column: &str, digest: &[u8; 32]) -> String {
    format!("oauth_flow|{column}|{}", hex::encode(digest))
}

pub(super) fn unseal(view: &View<'_>, column: &str, digest: &[u8; 32], sealed: &[u8]) -> Result<Value, db::Error> {
    let damaged = || db::Error::Damaged(format!("the {column} of an authorization request"));
    let plain = seal::open(&view.site().keyring, &seal_context(column, digest), sealed).map_err(|_| damaged())?;
    serde_json::from_slice(plain.expose()).map_err(|_| damaged())
}

/// Checks a response against its authorization request and marks the request as used. A refusal is recorded, so it is
/// committed; nothing else changes then.
///
/// # Errors
/// [`OauthError::Signin`] for the store.
// No permission: the state and the cookie prove that the browser began the request.
pub fn consume(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    response: &AuthorizationResponse,
    state_cookie: Option<&str>,
) -> Decided<AuthorizationRequest, OauthError> {
    let digest = tokens::digest(&response.state);
    let stored = store::find_request(tx, &digest)?;
    let refusal = match &stored {
        None => Some(Refusal::State),
        Some(request) if request.provider != provider.name => Some(Refusal::Provider),
        Some(request) if !is_same_browser(request, state_cookie) => Some(Refusal::Browser),
        Some(_) if !issuer_matches(provider, response) => Some(Refusal::Issuer),
        // A code or an error, never both (RFC 6749 §4.1.2).
        Some(_) if !response.code.is_empty() && !response.error.is_empty() => Some(Refusal::Answer),
        Some(_) => None,
    };
    let (request, refusal) = match (stored, refusal) {
        (Some(request), None) => (request, None),
        (Some(request), Some(refusal)) => (request, Some(refusal)),
        (None, refusal) => return refuse(tx, actor, provider, None, refusal.unwrap_or(Refusal::State)),
    };
    if let Some(refusal) = refusal {
        if matches!(refusal, Refusal::Issuer | Refusal::Answer) {
            // The right browser brings the response of another issuer, or one that is no response. Its sender knows the
            // state now, so the request ends.
            store::use_request(tx, &digest)?;
        }
        return refuse(tx, actor, provider, None, refusal);
    }
    store::use_request(tx, &digest)?;
    let kept = unseal(tx, "sealed", &digest, &request.sealed)?;
    let text = |key: &str| kept.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Decision::Done(AuthorizationRequest {
        digest,
        purpose: Purpose::parse(&request.purpose).unwrap_or(Purpose::SignIn),
        account: request.account,
        began_at: request.created_at,
        nonce: Secret::new(text("nonce")),
        verifier: Secret::new(text("verifier")),
        next: text("next"),
    }))
}

fn is_same_browser(request: &AuthorizationRequestRow, state_cookie: Option<&str>) -> bool {
    state_cookie.is_some_and(|state_cookie| Secret::new(request.state_cookie).matches(&tokens::digest(state_cookie)))
}

/// Whether the response names the right issuer, or none (RFC 9207 §2.4).
fn issuer_matches(provider: &Provider, response: &AuthorizationResponse) -> bool {
    response.issuer.as_ref().is_none_or(|issuer| provider.accepts_issuer(issuer))
}

/// Records a refused response. The refusal is committed.
// No permission: it only records a refusal.
pub(in crate::signin::oauth) fn refuse<T>(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    request: Option<&AuthorizationRequest>,
    refusal: Refusal,
) -> Decided<T, OauthError> {
    let kind = match request.map(|request| request.purpose) {
        Some(Purpose::Connect) => IdentityEvent::LinkRefused.event_type(),
        Some(Purpose::StepUp) => SigninEvent::StepUpFailed.event_type(),
        Some(Purpose::SignIn) | None => SigninEvent::Failed.event_type(),
    };
    let mut data = json!({"method": format!("oauth:{}", provider.name), "reason": refusal.as_str()});
    if let Some(member) = refusal.member() {
        data["member"] = json!(member);
    }
    let mut event = Event::new(kind).outcome(Outcome::Failure).data(data);
    // The subject is only the person of the session: an event about an erased person would stay forever.
    if let Some(account) = actor.account() {
        event = event.target(account).subject(account);
    }
    audit::record(tx, actor, event)?;
    Ok(Decision::Refused(OauthError::Refused(refusal)))
}

/// Stores a response that came as a form from the site of the provider, for one minute, until the browser follows the
/// redirect with its cookies. The first response counts; one that matches no open request is dropped. Changes nothing
/// else.
///
/// # Errors
/// [`db::Error`].
pub fn keep_posted(tx: &mut Tx<'_>, provider: &str, response: &AuthorizationResponse) -> Result<(), db::Error> {
    let digest = tokens::digest(&response.state);
    let kept = json!({
        "code": response.code, "error": response.error, "iss": response.issuer, "user": response.user,
    });
    let kept = kept.to_string();
    if kept.len() > POSTED_BYTES_MAX {
        return Ok(());
    }
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &seal_context("posted", &digest), kept.as_bytes());
    let until = tx.now().plus(POSTED_RESPONSE_LIFETIME);
    store::update_posted(tx, &digest, provider, &sealed, until)
}

/// The response that was posted for this state. `None`: there is none, or it expired.
pub(in crate::signin::oauth) fn find_posted(
    view: &View<'_>,
    provider: &str,
    state: &str,
) -> Result<Option<AuthorizationResponse>, db::Error> {
    let digest = tokens::digest(state);
    let Some(sealed) = store::find_posted(view, &digest, provider)? else { return Ok(None) };
    let kept = unseal(view, "posted", &digest, &sealed)?;
    let text = |key: &str| kept.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Some(AuthorizationResponse {
        state: state.to_owned(),
        code: text("code").unwrap_or_default(),
        error: text("error").unwrap_or_default(),
        issuer: text("iss"),
        user: text("user").unwrap_or_default(),
    }))
}

/// Deletes expired authorization requests. Returns how many.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    store::delete_expired_requests(tx, PURGE_BATCH_MAX)
}
