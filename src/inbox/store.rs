//! All SQL of commands, webhook endpoints and deliveries.

use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Row, named_params};

use super::model::{
    Command, CommandFilter, CommandKind, CommandOutcome, Delivery, End, NewCommand, Overdue, WebhookEndpoint,
    WebhookState,
};
use super::tables::{SERVICE_COMMAND, WEBHOOK_DELIVERY, WEBHOOK_ENDPOINT};
use crate::base::{AccountId, CommandId, ServiceId, Timestamp};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const COMMAND: &str = columns!(SERVICE_COMMAND);
const INSERT: &str = insert!(SERVICE_COMMAND);
// Milliseconds, so that a restored backup, which may lack the last commands, gives no number again.
const NEXT_SEQ: &str = "select max(:now, coalesce(max(seq), 0) + 1) from service_command";
const FIND: &str = sql!("select ", COMMAND, " from service_command where id = :id");
const LIST_INBOX: &str = sql!(
    "select ",
    COMMAND,
    "
    from service_command
    where service_id = :service and seq > :after and ended_at is null
    order by seq limit :limit"
);
const LIST_OF_SERVICE: &str = sql!(
    "select ",
    COMMAND,
    "
    from service_command
    where service_id = :service and seq < :before
      and (:filter = 'all' or (:filter = 'failed' and outcome = 'failed')
           or (ended_at is null and (:filter = 'open' or (:filter = 'overdue' and deadline < :now))))
    order by seq desc limit :limit"
);
const LIST_NEEDING_CARE: &str = sql!(
    "select ",
    COMMAND,
    "
    from service_command
    where (ended_at is null and deadline < :now) or outcome = 'failed'
    order by seq limit :limit"
);
const UPDATE_END: &str = "
    update service_command set ended_at = :now, outcome = :outcome, detail = :detail, next_at = null
    where id = :id and ended_at is null";
const CANCEL_OPEN: &str = "
    update service_command set ended_at = :now, outcome = 'cancelled', next_at = null
    where service_id = :service and ended_at is null";
const UPDATE_CANCELLED: &str = "
    update service_command set ended_at = :now, outcome = 'cancelled', next_at = null where id = :id";
const REOPEN: &str = "
    update service_command set ended_at = null, outcome = null, detail = '', next_at = :next_at, delivered_at = null
    where id = :id";
// Two subqueries, because each condition has its own index.
const OVERDUE: &str = "
    select (select count(*) from service_command where ended_at is null and deadline < :now) as overdue,
           (select min(deadline) from service_command where ended_at is null and deadline < :now) as since,
           (select count(*) from service_command where outcome = 'failed') as failed,
           (select count(*) from service_command where ended_at is null) as open";
// One look for each endpoint, however many commands are due.
const LIST_DUE_SERVICES: &str = "
    select e.service_id from webhook_endpoint e
    where e.url is not null and e.gone_at is null
      and exists (select 1 from service_command c where c.service_id = e.service_id and c.next_at <= :now)";
const FIND_DUE: &str = sql!(
    "select ",
    COMMAND,
    "
    from service_command where service_id = :service and next_at <= :now order by next_at, seq limit 1"
);
const UPDATE_OPEN_DUE: &str = "
    update service_command set next_at = :now, attempts = 0
    where service_id = :service and ended_at is null and delivered_at is null";
const UPDATE_WAITING_DUE: &str = "
    update service_command set next_at = :now where service_id = :service and next_at > :now";
const UPDATE_NONE_DUE: &str = "
    update service_command set next_at = null where service_id = :service and next_at is not null";
const UPDATE_DELIVERED: &str = "
    update service_command set attempts = attempts + 1, next_at = null, delivered_at = :now where id = :id";
const UPDATE_ATTEMPTED: &str = "
    update service_command set attempts = attempts + 1, next_at = case when ended_at is null then :next_at end
    where id = :id";
const DELETE_OLD: &str = "
    delete from service_command where id in (
      select id from service_command where ended_at < :before
      union all
      select id from service_command where ended_at is null and deadline is null and created_at < :before
      limit :limit)";
const DELETE_OF_SUBJECT: &str = "
    delete from service_command
    where subject_id = :subject and (ended_at is not null or kind <> 'dsr.erase')";
const EMPTY_OF_SUBJECT: &str = "
    update service_command set payload_json = '{}', detail = '' where subject_id = :subject";
const DELETE_DELIVERIES_OF_SUBJECT: &str = "
    delete from webhook_delivery where command_id in (select id from service_command where subject_id = :subject)";

const ENDPOINT: &str = columns!(WEBHOOK_ENDPOINT, except sealed_secret, sealed_previous);
const INSERT_ENDPOINT: &str = insert!(WEBHOOK_ENDPOINT);
const FIND_ENDPOINT: &str = sql!("select ", ENDPOINT, " from webhook_endpoint where service_id = :service");
const FIND_SECRETS: &str = "
    select sealed_secret, iif(previous_ends_at > :now, sealed_previous, null) as sealed_previous
    from webhook_endpoint where service_id = :service";
const UPDATE_URL: &str = "
    update webhook_endpoint set url = :url, changed_at = :now, failing_since = null, gone_at = null
    where service_id = :service";
const UPDATE_SECRET: &str = "
    update webhook_endpoint
    set sealed_previous = :previous, previous_ends_at = :ends_at, sealed_secret = :secret, changed_at = :now
    where service_id = :service";
const UPDATE_FAILING: &str = "
    update webhook_endpoint set failing_since = coalesce(failing_since, :now) where service_id = :service";
const UPDATE_WORKING: &str = "
    update webhook_endpoint set failing_since = null where service_id = :service and failing_since is not null";
const UPDATE_GONE: &str = "update webhook_endpoint set gone_at = :now where service_id = :service";
const CLEAR_PREVIOUS: &str = "
    update webhook_endpoint set sealed_previous = null, previous_ends_at = null where previous_ends_at <= :now";

const INSERT_DELIVERY: &str = insert!(WEBHOOK_DELIVERY);
const LIST_DELIVERIES: &str = "
    select at, duration_ms, status, answer, failure from webhook_delivery
    where command_id = :command order by id desc limit 100";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    NEXT_SEQ,
    FIND,
    LIST_INBOX,
    LIST_OF_SERVICE,
    LIST_NEEDING_CARE,
    UPDATE_END,
    CANCEL_OPEN,
    UPDATE_CANCELLED,
    REOPEN,
    OVERDUE,
    LIST_DUE_SERVICES,
    FIND_DUE,
    UPDATE_OPEN_DUE,
    UPDATE_WAITING_DUE,
    UPDATE_NONE_DUE,
    UPDATE_DELIVERED,
    UPDATE_ATTEMPTED,
    DELETE_OLD,
    DELETE_OF_SUBJECT,
    EMPTY_OF_SUBJECT,
    DELETE_DELIVERIES_OF_SUBJECT,
    INSERT_ENDPOINT,
    FIND_ENDPOINT,
    FIND_SECRETS,
    UPDATE_URL,
    UPDATE_SECRET,
    UPDATE_FAILING,
    UPDATE_WORKING,
    UPDATE_GONE,
    CLEAR_PREVIOUS,
    INSERT_DELIVERY,
    LIST_DELIVERIES,
];

impl FromSql for CommandKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for CommandOutcome {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Command> {
    by_name!(row, COMMAND =>
        id, seq, service_id, kind, workspace_id, subject_id, payload_json, created_at, deadline, ended_at, outcome, detail,
        attempts, next_at, delivered_at
    );
    let payload: String = payload_json.get()?;
    let (at, outcome): (Option<Timestamp>, Option<CommandOutcome>) = (ended_at.get()?, outcome.get()?);
    let detail: String = detail.get()?;
    Ok(Command {
        id: id.get()?,
        seq: seq.get()?,
        service: service_id.get()?,
        kind: kind.get()?,
        workspace: workspace_id.get()?,
        subject: subject_id.get()?,
        data: serde_json::from_str(&payload).unwrap_or_default(),
        created_at: created_at.get()?,
        deadline: deadline.get()?,
        end: at.zip(outcome).map(|(at, outcome)| End { at, outcome, detail }),
        attempts: attempts.get()?,
        next_at: next_at.get()?,
        delivered_at: delivered_at.get()?,
    })
}

/// The number of the next command.
pub(super) fn next_seq(view: &View<'_>) -> Result<i64, Error> {
    let now = view.now();
    view.one(NEXT_SEQ, named_params! {":now": now}, only)
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    id: CommandId,
    seq: i64,
    service: ServiceId,
    new: &NewCommand,
    next_at: Option<Timestamp>,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(SERVICE_COMMAND => {
            id: id,
            seq: seq,
            service_id: service,
            kind: new.kind.as_str(),
            workspace_id: new.workspace,
            subject_id: new.subject,
            payload_json: new.data.to_string(),
            created_at: now,
            deadline: new.deadline,
            next_at: next_at,
        }),
    )?;
    Ok(())
}

/// The command with this id. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, id: CommandId) -> Result<Option<Command>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

/// The open commands of a service after this position, the oldest first.
pub(super) fn list_inbox(view: &View<'_>, service: ServiceId, after: i64, limit: u32) -> Result<Vec<Command>, Error> {
    view.list(LIST_INBOX, named_params! {":service": service, ":after": after, ":limit": limit}, read)
}

/// The commands of a service before this position, the newest first.
pub(super) fn list_of_service(
    view: &View<'_>,
    service: ServiceId,
    filter: CommandFilter,
    before: i64,
    limit: u32,
) -> Result<Vec<Command>, Error> {
    let params = named_params! {
        ":service": service, ":filter": filter.as_str(), ":before": before, ":limit": limit, ":now": view.now(),
    };
    view.list(LIST_OF_SERVICE, params, read)
}

/// The commands of all services that are overdue or failed, the oldest first, at most so many.
///
/// # Errors
/// [`Error`].
pub fn list_needing_care(view: &View<'_>, limit: u32) -> Result<Vec<Command>, Error> {
    view.list(LIST_NEEDING_CARE, named_params! {":now": view.now(), ":limit": limit}, read)
}

pub(super) fn update_end(tx: &mut Tx<'_>, id: CommandId, outcome: CommandOutcome, detail: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_END, named_params! {":id": id, ":now": now, ":outcome": outcome.as_str(), ":detail": detail})?;
    Ok(())
}

/// Cancels all open commands of a service, because it was disconnected. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn cancel_open(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(CANCEL_OPEN, named_params! {":service": service, ":now": now})
}

/// Ends a command as cancelled.
pub(super) fn update_cancelled(tx: &mut Tx<'_>, id: CommandId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_CANCELLED, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// Opens a command again, or makes an open one due.
pub(super) fn reopen(tx: &mut Tx<'_>, id: CommandId, next_at: Option<Timestamp>) -> Result<(), Error> {
    tx.execute(REOPEN, named_params! {":id": id, ":next_at": next_at})?;
    Ok(())
}

/// How many commands are overdue, failed and open.
///
/// # Errors
/// [`Error`].
pub fn overdue(view: &View<'_>) -> Result<Overdue, Error> {
    view.one(OVERDUE, named_params! {":now": view.now()}, |row| {
        by_name!(row, OVERDUE => overdue, since, failed, open);
        Ok(Overdue { overdue: overdue.get()?, since: since.get()?, failed: failed.get()?, open: open.get()? })
    })
}

/// The services with a webhook that is due.
pub(super) fn list_due_services(view: &View<'_>) -> Result<Vec<ServiceId>, Error> {
    view.list(LIST_DUE_SERVICES, named_params! {":now": view.now()}, only)
}

/// The command of the service whose webhook has been due longest.
pub(super) fn find_due(view: &View<'_>, service: ServiceId) -> Result<Option<Command>, Error> {
    view.find(FIND_DUE, named_params! {":service": service, ":now": view.now()}, read)
}

/// Makes the open commands due that the service has not taken yet.
pub(super) fn update_open_due(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_OPEN_DUE, named_params! {":service": service, ":now": now})
}

/// Makes the commands due that wait for another attempt.
pub(super) fn update_waiting_due(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_WAITING_DUE, named_params! {":service": service, ":now": now})
}

/// Ends the attempts to send webhooks to the service.
pub(super) fn update_none_due(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    tx.execute(UPDATE_NONE_DUE, named_params! {":service": service})
}

/// Stores that the service took the webhook.
pub(super) fn update_delivered(tx: &mut Tx<'_>, id: CommandId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_DELIVERED, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// Stores that the service did not take the webhook.
pub(super) fn update_attempted(tx: &mut Tx<'_>, id: CommandId, next_at: Option<Timestamp>) -> Result<(), Error> {
    tx.execute(UPDATE_ATTEMPTED, named_params! {":id": id, ":next_at": next_at})?;
    Ok(())
}

/// Deletes commands that ended before this time, and older ones that need no acknowledgement. Returns how many.
pub(super) fn delete_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD, named_params! {":before": before, ":limit": limit})
}

/// Deletes the commands about a person, with their deliveries. An open command to erase the person stays until its service has
/// answered, with its ids only.
///
/// # Errors
/// [`Error`].
pub fn delete_of_subject(tx: &mut Tx<'_>, subject: AccountId) -> Result<(), Error> {
    tx.execute(DELETE_DELIVERIES_OF_SUBJECT, named_params! {":subject": subject})?;
    tx.execute(DELETE_OF_SUBJECT, named_params! {":subject": subject})?;
    tx.execute(EMPTY_OF_SUBJECT, named_params! {":subject": subject})?;
    Ok(())
}

/// Stores a webhook endpoint, with or without an address.
pub(super) fn insert_endpoint(
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
pub(super) fn find_endpoint(view: &View<'_>, service: ServiceId) -> Result<Option<WebhookEndpoint>, Error> {
    view.find(FIND_ENDPOINT, named_params! {":service": service}, |row| {
        by_name!(row, FIND_ENDPOINT => service_id, url, previous_ends_at, changed_at, failing_since, gone_at);
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
        })
    })
}

/// The sealed secrets of an endpoint: the current one, and the previous one if it still signs.
#[allow(clippy::type_complexity)]
pub(super) fn find_secrets(view: &View<'_>, service: ServiceId) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, Error> {
    view.find(FIND_SECRETS, named_params! {":service": service, ":now": view.now()}, |row| {
        by_name!(row, FIND_SECRETS => sealed_secret, sealed_previous);
        Ok((sealed_secret.get()?, sealed_previous.get()?))
    })
}

/// Sets the address of an endpoint, which begins anew.
pub(super) fn update_url(tx: &mut Tx<'_>, service: ServiceId, url: Option<&str>) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_URL, named_params! {":service": service, ":url": url, ":now": now})?;
    Ok(())
}

/// Replaces the secret. `previous`: the old one, and until when it signs too.
pub(super) fn update_secret(
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
pub(super) fn update_working(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    tx.execute(UPDATE_WORKING, named_params! {":service": service})
}

/// Stores that a webhook was not taken.
pub(super) fn update_failing(tx: &mut Tx<'_>, service: ServiceId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_FAILING, named_params! {":service": service, ":now": now})?;
    Ok(())
}

/// Stores that the service has switched its webhooks off.
pub(super) fn update_gone(tx: &mut Tx<'_>, service: ServiceId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_GONE, named_params! {":service": service, ":now": now})?;
    Ok(())
}

/// Deletes previous secrets that no longer sign.
pub(super) fn clear_previous_secrets(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(CLEAR_PREVIOUS, named_params! {":now": now})
}

pub(super) fn insert_delivery(tx: &mut Tx<'_>, command: CommandId, delivery: &Delivery) -> Result<(), Error> {
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
