//! Webhooks: what to send next, and what became of it.

use serde_json::json;

use super::super::message::CommandMessage;
use super::super::model::{CallResult, Command, Delivery, next_attempt, pause};
use super::super::signature::signatures;
use super::super::{InboxError, InboxEvent, store};
use super::commands::is_about_erased;
use super::webhooks::signing_secrets;
use crate::audit::{self, Event};
use crate::base::ServiceId;
use crate::base::{Actor, Secret};
use crate::db::{Error, Tx, View};

/// The status with which a service switches its webhooks off.
const GONE: u16 = 410;

/// A webhook to be sent.
pub(in crate::inbox) struct OutgoingWebhook {
    pub command: Command,
    pub url: String,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    pub headers: [(&'static str, String); 3],
    pub body: String,
}

/// The webhook to this service that has been due longest. `None`: none is, or the service is not called for now.
pub(in crate::inbox) fn next_webhook(
    view: &View<'_>,
    service: ServiceId,
) -> Result<Option<OutgoingWebhook>, InboxError> {
    if store::is_paused(view, service)? {
        return Ok(None);
    }
    let Some(command) = store::find_due(view, service)? else { return Ok(None) };
    let Some(url) = store::find_endpoint(view, service)?.and_then(|endpoint| endpoint.url) else { return Ok(None) };
    let body =
        serde_json::to_string(&CommandMessage::from(&command)).map_err(|error| Error::Damaged(error.to_string()))?;
    let (id, seconds) = (command.id.to_string(), view.now().unix_seconds());
    let secrets = signing_secrets(view, service)?;
    let signature =
        signatures(secrets.iter().map(|secret: &Secret<Vec<u8>>| secret.expose().as_slice()), &id, seconds, &body);
    let headers = [("webhook-id", id), ("webhook-timestamp", seconds.to_string()), ("webhook-signature", signature)];
    Ok(Some(OutgoingWebhook { command, url, headers, body }))
}

/// Stores what became of a webhook to this address. After a failure the service is not called for a while, with no command. The first
/// one that is taken after failures makes the others due. After 410, the service gets no more.
pub(in crate::inbox) fn record_delivery(
    tx: &mut Tx<'_>,
    command: &Command,
    url: &str,
    CallResult { delivery, retry_after }: &CallResult,
) -> Result<(), Error> {
    // An erasure may have deleted the command meanwhile.
    let Some(command) = store::find(tx, command.id)? else { return Ok(()) };
    let service = command.service;
    // The answer may be about a person who was erased meanwhile.
    let answer = if is_about_erased(tx, &command)? { String::new() } else { delivery.answer.clone() };
    store::insert_delivery(tx, command.id, &Delivery { answer, ..delivery.clone() })?;
    // The address may have changed or gone meanwhile. Then the answer says nothing about the new one, and when the command is sent
    // next was decided with the change.
    let endpoint = store::find_endpoint(tx, service)?.filter(|endpoint| endpoint.url.as_deref() == Some(url));
    let is_current = endpoint.is_some();
    if delivery.failure.is_none() {
        store::update_delivered(tx, command.id)?;
        if is_current && store::update_working(tx, service)? > 0 {
            store::update_waiting_due(tx, service)?;
        }
        return Ok(());
    }
    let next_at = if is_current { next_attempt(tx.now(), command.attempts + 1) } else { command.next_at };
    store::update_attempted(tx, command.id, next_at)?;
    let Some(endpoint) = endpoint else { return Ok(()) };
    let paused_until = tx.now().plus(pause(endpoint.failures + 1, *retry_after));
    store::update_failing(tx, service, paused_until)?;
    if delivery.status == Some(GONE) {
        store::update_gone(tx, service)?;
        store::update_none_due(tx, service)?;
        let event =
            Event::new(InboxEvent::WebhookGone).target(service).data(json!({"command": command.id.to_string()}));
        audit::record(tx, &Actor::System, event)?;
    }
    Ok(())
}
