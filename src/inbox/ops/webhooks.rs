//! Where services receive webhooks, and the secrets that sign these.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::model::{WebhookEndpoint, WebhookState};
use super::super::{InboxError, InboxEvent, store};
use crate::audit::{self, Event, Part};
use crate::base::{Actor, Secret, ServiceId, days};
use crate::crypto::seal;
use crate::db::{Error, Tx, View};
use crate::outbound::check_webhook_url;

/// The prefix of webhook secrets (Standard Webhooks 1.0).
const SECRET_PREFIX: &str = "whsec_";
/// The bytes of a new secret: Standard Webhooks allows 24 to 64.
const SECRET_BYTES: usize = 32;
/// The longest address, in characters.
const URL_MAX: usize = 2_048;
/// How long a replaced secret may sign too.
const OVERLAP_MAX: Duration = days(7);

/// The webhook endpoint of a service. `None`: it never had one.
///
/// # Errors
/// [`Error`].
pub fn webhook(view: &View<'_>, service: ServiceId) -> Result<Option<WebhookEndpoint>, Error> {
    let endpoint = store::find_endpoint(view, service)?;
    Ok(endpoint.map(|mut endpoint| {
        endpoint.previous_ends_at = endpoint.previous_ends_at.filter(|end| view.now() < *end);
        endpoint
    }))
}

/// Whether commands are sent to the service as webhooks.
pub(super) fn takes_webhooks(view: &View<'_>, service: ServiceId) -> Result<bool, Error> {
    let endpoint = store::find_endpoint(view, service)?;
    Ok(endpoint.is_some_and(|one| matches!(one.state, WebhookState::Working | WebhookState::Failing(_))))
}

/// Gives a service a webhook secret before it has an address, for example when it is enrolled. `None`: it has one already.
///
/// # Errors
/// [`Error`].
// The caller records the event: a service is enrolled.
pub fn create_webhook_secret(tx: &mut Tx<'_>, service: ServiceId) -> Result<Option<Secret<String>>, Error> {
    if store::find_endpoint(tx, service)?.is_some() {
        return Ok(None);
    }
    let (secret, sealed) = new_secret(tx, service);
    store::insert_endpoint(tx, service, None, &sealed)?;
    Ok(Some(secret))
}

/// Sets where a service receives webhooks, or that it receives none. Open commands that it has not taken are sent there.
/// Returns the secret that signs them if the service had none; otherwise it stays the same. An address that it has already
/// changes nothing, except that it is called again at once; but it ends that the service has switched its webhooks off.
///
/// # Errors
/// [`InboxError::Url`], [`InboxError::UrlForm`].
// No permission: the service itself sets its address, or an operator at the command line or in the console.
pub fn set_webhook(
    tx: &mut Tx<'_>,
    actor: &Actor,
    service: ServiceId,
    url: Option<&str>,
) -> Result<Option<Secret<String>>, InboxError> {
    if let Some(url) = url {
        if url.chars().count() > URL_MAX
            || url.contains('#')
            || url.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(InboxError::UrlForm);
        }
        check_webhook_url(&tx.site().config, url)?;
    }
    let before = store::find_endpoint(tx, service)?;
    let had_url = before.as_ref().is_some_and(|one| one.url.is_some());
    let is_gone = before.as_ref().is_some_and(|one| matches!(one.state, WebhookState::Gone(_)));
    let is_same = before.as_ref().and_then(|one| one.url.as_deref()) == url && !is_gone;
    if is_same {
        // Who sets it says that it works: it is tried now, not when the pause after the last failure ends.
        store::end_pause(tx, service)?;
        return Ok(None);
    }
    let mut secret = None;
    if before.is_some() {
        store::update_url(tx, service, url)?;
    } else {
        let (new, sealed) = new_secret(tx, service);
        store::insert_endpoint(tx, service, url, &sealed)?;
        secret = Some(new);
    }
    let event = match url {
        Some(url) => {
            store::update_open_due(tx, service)?;
            Event::new(InboxEvent::WebhookSet).private(Part::Text, json!({"url": url}))
        }
        None => {
            store::update_none_due(tx, service)?;
            Event::new(InboxEvent::WebhookRemoved)
        }
    };
    // The address of before gets nothing any more, also in a restored backup.
    let event = if had_url { event.ends_access() } else { event };
    audit::record(tx, actor, event.target(service))?;
    Ok(secret)
}

/// Replaces the secret that signs the webhooks of a service. For `overlap`, both sign. Returns the new one.
///
/// # Errors
/// [`InboxError::NoSecret`]; [`InboxError::Overlap`] for more than a week.
// No permission: only the command line and the console of operators call it.
pub fn rotate_webhook_secret(
    tx: &mut Tx<'_>,
    actor: &Actor,
    service: ServiceId,
    overlap: Duration,
) -> Result<Secret<String>, InboxError> {
    if overlap > OVERLAP_MAX {
        return Err(InboxError::Overlap);
    }
    let (current, _) = store::find_secrets(tx, service)?.ok_or(InboxError::NoSecret)?;
    // A secret is sealed for its column, so it is sealed again for the other one.
    let old = open(tx, service, "sealed_secret", &current)?;
    let ends_at = tx.now().plus(overlap);
    let previous = seal_in(tx, service, "sealed_previous", old.expose());
    let (secret, sealed) = new_secret(tx, service);
    let previous = (!overlap.is_zero()).then_some((previous.as_slice(), ends_at));
    store::update_secret(tx, service, &sealed, previous)?;
    let event =
        Event::new(InboxEvent::WebhookSecretRotated).target(service).data(json!({"old_ends_at": ends_at.rfc3339()}));
    audit::record(tx, actor, event)?;
    Ok(secret)
}

/// The secrets that sign the webhooks of a service now: the current one, and the previous one until its end.
pub(super) fn signing_secrets(view: &View<'_>, service: ServiceId) -> Result<Vec<Secret<Vec<u8>>>, InboxError> {
    let Some((current, previous)) = store::find_secrets(view, service)? else { return Ok(Vec::new()) };
    let mut secrets = vec![open(view, service, "sealed_secret", &current)?];
    if let Some(previous) = previous {
        secrets.push(open(view, service, "sealed_previous", &previous)?);
    }
    Ok(secrets)
}

/// A new secret as text, and its bytes sealed.
fn new_secret(tx: &mut Tx<'_>, service: ServiceId) -> (Secret<String>, Vec<u8>) {
    let bytes: [u8; SECRET_BYTES] = tx.rng().bytes();
    let sealed = seal_in(tx, service, "sealed_secret", &bytes);
    (Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))), sealed)
}

fn seal_in(tx: &mut Tx<'_>, service: ServiceId, column: &str, bytes: &[u8]) -> Vec<u8> {
    let site = tx.site().clone();
    seal::seal(&site.keyring, tx.rng(), &sealing_context(service, column), bytes)
}

fn open(view: &View<'_>, service: ServiceId, column: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, InboxError> {
    seal::open(&view.site().keyring, &sealing_context(service, column), sealed).map_err(|_| InboxError::Sealed)
}

fn sealing_context(service: ServiceId, column: &str) -> String {
    format!("webhook_endpoint|{column}|{service}")
}
