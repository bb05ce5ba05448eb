//! A way to a provider and back: opened, used once, or refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::error::{OauthError, Refusal};
use super::super::model::{Answered, POSTED_LIFE, Purpose, Started, WAY_LIFE, Way};
use super::super::store::{self, WayRow};
use crate::audit::{self, Event, Outcome};
use crate::base::{AccountId, Actor, Secret};
use crate::config::Provider;
use crate::crypto::{seal, tokens};
use crate::db::{self, Tx, View};

/// Rows that each beginning deletes, so that ways nobody comes back on do not pile up however many are begun.
const SWEPT_AT_BEGINNING: u32 = 4;
/// Rows one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;
/// What a provider sends is a code and a name; more is none.
const POSTED_BYTES_MAX: usize = 8 * 1024;

/// Opens a way: ten minutes, for the browser that holds `binder`.
///
/// # Errors
/// [`db::Error`].
pub fn begin(
    tx: &mut Tx<'_>,
    provider: &str,
    purpose: Purpose,
    account: Option<AccountId>,
    next: &str,
    binder: &str,
) -> Result<Started, db::Error> {
    let state = tokens::random_token(tx.rng());
    let nonce = tokens::random_token(tx.rng());
    let verifier = tokens::random_token(tx.rng());
    let digest = tokens::digest(state.expose());
    let kept = json!({"nonce": nonce.expose(), "verifier": verifier.expose(), "next": next}).to_string();
    let site = tx.site().clone();
    let way = WayRow {
        provider: provider.to_owned(),
        purpose: purpose.as_str().to_owned(),
        binder: tokens::digest(binder),
        sealed: seal::seal(&site.keyring, tx.rng(), &place("sealed", &digest), kept.as_bytes()),
        account,
        created_at: tx.now(),
    };
    store::delete_old_ways(tx, SWEPT_AT_BEGINNING)?;
    store::insert_way(tx, &digest, &way, way.created_at.plus(WAY_LIFE))?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
    Ok(Started { state, nonce, challenge })
}

/// Where a sealed part of a row stands: nobody can move it to another one.
pub(super) fn place(column: &str, digest: &[u8; 32]) -> String {
    format!("oauth_flow|{column}|{}", hex::encode(digest))
}

pub(super) fn opened(view: &View<'_>, column: &str, digest: &[u8; 32], sealed: &[u8]) -> Result<Value, db::Error> {
    let damaged = || db::Error::Damaged(format!("the {column} of a way to a provider"));
    let plain = seal::open(&view.site().keyring, &place(column, digest), sealed).map_err(|_| damaged())?;
    serde_json::from_slice(plain.expose()).map_err(|_| damaged())
}

/// Uses a way up. A refusal is the inner result, because its event must be committed; nothing else changes then.
///
/// # Errors
/// [`OauthError::Signin`] for the store.
pub fn take(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    answered: &Answered,
    binder: Option<&str>,
) -> Result<Result<Way, OauthError>, OauthError> {
    let digest = tokens::digest(&answered.state);
    let found = store::find_way(tx, &digest)?;
    let refusal = match &found {
        None => Some(Refusal::State),
        Some(way) if way.provider != provider.name => Some(Refusal::Provider),
        Some(way) if !is_of(way, binder) => Some(Refusal::Browser),
        Some(_) if !is_from(provider, answered) => Some(Refusal::Issuer),
        Some(_) => None,
    };
    let (way, refusal) = match (found, refusal) {
        (Some(way), None) => (way, None),
        (Some(way), Some(refusal)) => (way, Some(refusal)),
        (None, refusal) => return refuse(tx, actor, provider, None, refusal.unwrap_or(Refusal::State)).map(Err),
    };
    if let Some(refusal) = refusal {
        if refusal == Refusal::Issuer {
            // The right browser brings another's answer: whoever crossed them knows the state by now.
            store::use_way(tx, &digest)?;
        }
        return refuse(tx, actor, provider, None, refusal).map(Err);
    }
    store::use_way(tx, &digest)?;
    let kept = opened(tx, "sealed", &digest, &way.sealed)?;
    let text = |key: &str| kept.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Ok(Way {
        digest,
        purpose: Purpose::parse(&way.purpose).unwrap_or(Purpose::SignIn),
        account: way.account,
        began_at: way.created_at,
        nonce: Secret::new(text("nonce")),
        verifier: Secret::new(text("verifier")),
        next: text("next"),
    }))
}

fn is_of(way: &WayRow, binder: Option<&str>) -> bool {
    binder.is_some_and(|binder| Secret::new(way.binder).matches(&tokens::digest(binder)))
}

/// Whether the answer names the issuer that was asked, where it names one (RFC 9207 §2.4).
fn is_from(provider: &Provider, answered: &Answered) -> bool {
    answered.issuer.as_ref().is_none_or(|issuer| provider.answers_as(issuer))
}

/// Notes an answer that was not believed.
pub(in crate::signin::oauth) fn refuse(
    tx: &mut Tx<'_>,
    actor: &Actor,
    provider: &Provider,
    way: Option<&Way>,
    refusal: Refusal,
) -> Result<OauthError, OauthError> {
    let name = match way.map(|way| way.purpose) {
        Some(Purpose::Connect) => "auth.identity_link_refused",
        Some(Purpose::StepUp) => "auth.stepup_failed",
        Some(Purpose::SignIn) | None => "auth.signin_failed",
    };
    let data = json!({"method": format!("oauth:{}", provider.name), "reason": refusal.as_str()});
    let mut event = Event::new(name).outcome(Outcome::Failure).data(data);
    // Only whose session brings the answer: what is recorded about somebody who is gone would stay for ever.
    if let Some(account) = actor.account() {
        event = event.target(account).subject(account);
    }
    audit::record(tx, actor, event)?;
    Ok(OauthError::Refused(refusal))
}

/// Keeps an answer that came as a form from the provider's site, a minute, for the browser that brings it by itself. The
/// first one counts; one that fits no open way is dropped. Changes nothing else.
///
/// # Errors
/// [`db::Error`].
pub fn post(tx: &mut Tx<'_>, provider: &str, answered: &Answered) -> Result<(), db::Error> {
    let digest = tokens::digest(&answered.state);
    let kept = json!({
        "code": answered.code, "error": answered.error, "iss": answered.issuer, "user": answered.user,
    });
    let kept = kept.to_string();
    if kept.len() > POSTED_BYTES_MAX {
        return Ok(());
    }
    let site = tx.site().clone();
    let sealed = seal::seal(&site.keyring, tx.rng(), &place("posted", &digest), kept.as_bytes());
    let until = tx.now().plus(POSTED_LIFE);
    store::update_posted(tx, &digest, provider, &sealed, until)
}

/// What was posted for this state. `None`: nothing, or too long ago.
pub(in crate::signin::oauth) fn posted(
    view: &View<'_>,
    provider: &str,
    state: &str,
) -> Result<Option<Answered>, db::Error> {
    let digest = tokens::digest(state);
    let Some(sealed) = store::find_posted(view, &digest, provider)? else { return Ok(None) };
    let kept = opened(view, "posted", &digest, &sealed)?;
    let text = |key: &str| kept.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Some(Answered {
        state: state.to_owned(),
        code: text("code").unwrap_or_default(),
        error: text("error").unwrap_or_default(),
        issuer: text("iss"),
        user: text("user").unwrap_or_default(),
    }))
}

/// Deletes ways whose time is over.
///
/// # Errors
/// [`db::Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, db::Error> {
    store::delete_old_ways(tx, PURGE_BATCH_MAX)
}
