//! All SQL of the addresses for webhooks, and of what was sent there.

use std::time::Duration;

use rusqlite::named_params;

use super::super::model::{Delivery, WebhookEndpoint, WebhookState};
use super::super::tables::{WEBHOOK_DELIVERY, WEBHOOK_ENDPOINT};
use crate::base::{CommandId, ServiceId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

// One look for each endpoint, however many commands are due.
const LIST_DUE_SERVICES: &str = "
    select e.service_id from webhook_endpoint e
    where e.url is not null and e.gone_at is null and (e.paused_until is null or e.paused_until <= :now)
      and exists (select 1 from service_command c where c.service_id = e.service_id and c.next_at <= :now)";
const IS_PAUSED: &str = "
    select count(*) from webhook_endpoint where service_id = :service and paused_until > :now";
const ENDPOINT: &str = columns!(WEBHOOK_ENDPOINT, except sealed_secret, sealed_previous);
const INSERT_ENDPOINT: &str = insert!(WEBHOOK_ENDPOINT);
const FIND_ENDPOINT: &str = sql!("select ", ENDPOINT, " from webhook_endpoint where service_id = :service");
const FIND_SECRETS: &str = "
    select sealed_secret, iif(previous_ends_at > :now, sealed_previous, null) as sealed_previous
    from webhook_endpoint where service_id = :service";
const UPDATE_URL: &str = "
    update webhook_endpoint
    set url = :url, changed_at = :now, failing_since = null, gone_at = null, failures = 0, paused_until = null
    where service_id = :service";
const DELETE_ENDPOINT: &str = "delete from webhook_endpoint where service_id = :service";
const UPDATE_SECRET: &str = "
    update webhook_endpoint
    set sealed_previous = :previous, previous_ends_at = :ends_at, sealed_secret = :secret, changed_at = :now
    where service_id = :service";
const UPDATE_FAILING: &str = "
    update webhook_endpoint
    set failing_since = coalesce(failing_since, :now), failures = failures + 1, paused_until = :paused_until
    where service_id = :service";
const END_PAUSE: &str = "update webhook_endpoint set paused_until = null where service_id = :service";
const UPDATE_WORKING: &str = "
    update webhook_endpoint set failing_since = null, failures = 0, paused_until = null
    where service_id = :service and failing_since is not null";
const UPDATE_GONE: &str = "update webhook_endpoint set gone_at = :now where service_id = :service";
const CLEAR_PREVIOUS: &str = "
    update webhook_endpoint set sealed_previous = null, previous_ends_at = null where previous_ends_at <= :now";

const INSERT_DELIVERY: &str = insert!(WEBHOOK_DELIVERY);
const LIST_DELIVERIES: &str = "
    select at, duration_ms, status, answer, failure from webhook_delivery
    where command_id = :command order by id desc limit 100";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    LIST_DUE_SERVICES,
    IS_PAUSED,
    INSERT_ENDPOINT,
    FIND_ENDPOINT,
    FIND_SECRETS,
    UPDATE_URL,
    DELETE_ENDPOINT,
    UPDATE_SECRET,
    UPDATE_FAILING,
    END_PAUSE,
    UPDATE_WORKING,
    UPDATE_GONE,
    CLEAR_PREVIOUS,
    INSERT_DELIVERY,
    LIST_DELIVERIES,
];

/// The services with a webhook that is due.
pub(in crate::inbox) fn list_due_services(view: &View<'_>) -> Result<Vec<ServiceId>, Error> {
    view.list(LIST_DUE_SERVICES, named_params! {":now": view.now()}, only)
}

/// Whether the service is not called for now.
pub(in crate::inbox) fn is_paused(view: &View<'_>, service: ServiceId) -> Result<bool, Error> {
    view.one(IS_PAUSED, named_params! {":service": service, ":now": view.now()}, only).map(|count: i64| count > 0)
}

/// Lets the service be called at once.
pub(in crate::inbox) fn end_pause(tx: &mut Tx<'_>, service: ServiceId) -> Result<(), Error> {
    tx.execute(END_PAUSE, named_params! {":service": service})?;
    Ok(())
}

/// Stores a webhook endpoint, with or without an address.
pub(in crate::inbox) fn insert_endpoint(
    tx: &mut Tx<'_>,
    service: ServiceId,
    url: Option<&str>,
    sealed_secret: &[u8],
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_ENDPOINT,
        values!(WEBHOOK_ENDPOINT => {
            service_id: service,
            url: url,
            sealed_secret: sealed_secret,
            changed_at: now,
        }),
    )?;
    Ok(())
}

/// The webhook endpoint of a service.
pub(in crate::inbox) fn find_endpoint(view: &View<'_>, service: ServiceId) -> Result<Option<WebhookEndpoint>, Error> {
    view.find(FIND_ENDPOINT, named_params! {":service": service}, |row| {
        by_name!(row, FIND_ENDPOINT =>
            service_id, url, previous_ends_at, changed_at, failing_since, gone_at, failures, paused_until);
        let url: Option<String> = url.get()?;
        let (failing, gone): (Option<Timestamp>, Option<Timestamp>) = (failing_since.get()?, gone_at.get()?);
        let state = match (&url, gone, failing) {
            (None, _, _) => WebhookState::None,
            (Some(_), Some(at), _) => WebhookState::Gone(at),
            (Some(_), None, Some(at)) => WebhookState::Failing(at),
            (Some(_), None, None) => WebhookState::Working,
        };
        let service = service_id.get()?;
        Ok(WebhookEndpoint {
            service,
            url,
            state,
            changed_at: changed_at.get()?,
            previous_ends_at: previous_ends_at.get()?,
            failures: failures.get()?,
            paused_until: paused_until.get()?,
        })
    })
}

/// The sealed secrets of an endpoint: the current one, and the previous one if it still signs.
#[allow(clippy::type_complexity)]
pub(in crate::inbox) fn find_secrets(
    view: &View<'_>,
    service: ServiceId,
) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, Error> {
    view.find(FIND_SECRETS, named_params! {":service": service, ":now": view.now()}, |row| {
        by_name!(row, FIND_SECRETS => sealed_secret, sealed_previous);
        Ok((sealed_secret.get()?, sealed_previous.get()?))
    })
}

/// Sets the address of an endpoint, which begins anew.
pub(in crate::inbox) fn update_url(tx: &mut Tx<'_>, service: ServiceId, url: Option<&str>) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_URL, named_params! {":service": service, ":url": url, ":now": now})?;
    Ok(())
}

/// Deletes the address and the secrets.
pub(in crate::inbox) fn delete_endpoint(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    tx.execute(DELETE_ENDPOINT, named_params! {":service": service})
}

/// Replaces the secret. `previous`: the old one, and until when it signs too.
pub(in crate::inbox) fn update_secret(
    tx: &mut Tx<'_>,
    service: ServiceId,
    secret: &[u8],
    previous: Option<(&[u8], Timestamp)>,
) -> Result<(), Error> {
    let now = tx.now();
    let (old, ends_at) = previous.unzip();
    let params = named_params! {
        ":service": service, ":secret": secret, ":previous": old, ":ends_at": ends_at, ":now": now,
    };
    tx.execute(UPDATE_SECRET, params)?;
    Ok(())
}

/// Stores that a webhook was taken. Returns 1 if the one before was not.
pub(in crate::inbox) fn update_working(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    tx.execute(UPDATE_WORKING, named_params! {":service": service})
}

/// Stores that a webhook was not taken, and until when the service is not called.
pub(in crate::inbox) fn update_failing(
    tx: &mut Tx<'_>,
    service: ServiceId,
    paused_until: Timestamp,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_FAILING, named_params! {":service": service, ":now": now, ":paused_until": paused_until})?;
    Ok(())
}

/// Stores that the service has switched its webhooks off.
pub(in crate::inbox) fn update_gone(tx: &mut Tx<'_>, service: ServiceId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_GONE, named_params! {":service": service, ":now": now})?;
    Ok(())
}

/// Deletes previous secrets that no longer sign.
pub(in crate::inbox) fn clear_previous_secrets(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(CLEAR_PREVIOUS, named_params! {":now": now})
}

pub(in crate::inbox) fn insert_delivery(tx: &mut Tx<'_>, command: CommandId, delivery: &Delivery) -> Result<(), Error> {
    tx.execute(
        INSERT_DELIVERY,
        values!(WEBHOOK_DELIVERY => {
            // SQLite gives the next one.
            id: None::<i64>,
            command_id: command,
            at: delivery.at,
            duration_ms: i64::try_from(delivery.duration.as_millis()).unwrap_or(i64::MAX),
            status: delivery.status,
            answer: delivery.answer,
            failure: delivery.failure,
        }),
    )?;
    Ok(())
}

/// The attempts to send a command as a webhook, the newest first, at most 100.
///
/// # Errors
/// [`Error`].
pub fn list_deliveries(view: &View<'_>, command: CommandId) -> Result<Vec<Delivery>, Error> {
    view.list(LIST_DELIVERIES, named_params! {":command": command}, |row| {
        by_name!(row, LIST_DELIVERIES => at, duration_ms, status, answer, failure);
        let millis: i64 = duration_ms.get()?;
        Ok(Delivery {
            at: at.get()?,
            duration: Duration::from_millis(millis.unsigned_abs()),
            status: status.get()?,
            answer: answer.get()?,
            failure: failure.get()?,
        })
    })
}
