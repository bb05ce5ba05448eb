//! All SQL of commands.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Row, named_params};

use super::super::model::{Command, CommandFilter, CommandKind, CommandOutcome, End, NewCommand, Overdue};
use super::super::tables::SERVICE_COMMAND;
use crate::base::{AccountId, CommandId, ServiceId, Timestamp, WorkspaceId};
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
/// What a [`CommandFilter`] lets pass.
const FILTER: &str = "(:filter = 'all' or (:filter = 'failed' and outcome in ('failed', 'rejected'))
           or (ended_at is null and (:filter = 'open' or (:filter = 'overdue' and deadline < :now))))";
const LIST_OF_SERVICE: &str = sql!(
    "select ",
    COMMAND,
    "
    from service_command
    where service_id = :service and seq < :before
      and ",
    FILTER,
    "
    order by seq desc limit :limit"
);
// Reads the whole table, which has the commands of a month.
const LIST_OF_ALL: &str =
    sql!("select ", COMMAND, " from service_command where ", FILTER, " order by seq desc limit :limit");
const LIST_NEEDING_CARE: &str = sql!(
    "select ",
    COMMAND,
    "
    from service_command
    where (ended_at is null and deadline < :now) or outcome in ('failed', 'rejected')
    order by seq limit :limit"
);
const UPDATE_END: &str = "
    update service_command set ended_at = :now, outcome = :outcome, detail = :detail, next_at = null
    where id = :id and ended_at is null";
const UPDATE_ACCEPTED: &str = "
    update service_command set accepted_at = :now, deadline = :deadline, next_at = null where id = :id and ended_at is null";
const EMPTY: &str = "update service_command set payload_json = '{}', detail = '' where id = :id";
// What they ask for is done no more, so what it was about is not stored for another month.
const CANCEL_OPEN: &str = "
    update service_command set ended_at = :now, outcome = 'cancelled', next_at = null, payload_json = '{}'
    where service_id = :service and ended_at is null";
const UPDATE_CANCELLED: &str = "
    update service_command set ended_at = :now, outcome = 'cancelled', next_at = null where id = :id";
const REOPEN: &str = "
    update service_command
    set ended_at = null, outcome = null, detail = '', next_at = :next_at, delivered_at = null, accepted_at = null, seq = :seq
    where id = :id";
// Two subqueries, because each condition has its own index.
const OVERDUE: &str = "
    select (select count(*) from service_command where ended_at is null and deadline < :now) as overdue,
           (select min(deadline) from service_command where ended_at is null and deadline < :now) as since,
           (select count(*) from service_command where outcome in ('failed', 'rejected')) as failed,
           (select count(*) from service_command where ended_at is null) as open";
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
/// The ids of the commands about a person, and about their workspace. Two look-ups, because each has its own index.
const ABOUT: &str = "
    (select id from service_command where subject_id = :subject
     union
     select id from service_command where workspace_id = :workspace)";
const DELETE_DELIVERIES_ABOUT: &str = sql!("delete from webhook_delivery where command_id in ", ABOUT);
const DELETE_ABOUT: &str = sql!(
    "delete from service_command
    where (ended_at is not null or kind not in ('dsr.erase', 'resource.purge')) and id in ",
    ABOUT
);
// The id of what is to be deleted stays until it is.
const EMPTY_ABOUT: &str = sql!(
    "update service_command set payload_json = case kind when 'resource.purge' then payload_json else '{}' end, detail = ''
    where id in ",
    ABOUT
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    NEXT_SEQ,
    FIND,
    LIST_INBOX,
    LIST_OF_SERVICE,
    LIST_OF_ALL,
    LIST_NEEDING_CARE,
    UPDATE_END,
    UPDATE_ACCEPTED,
    EMPTY,
    CANCEL_OPEN,
    UPDATE_CANCELLED,
    REOPEN,
    OVERDUE,
    FIND_DUE,
    UPDATE_OPEN_DUE,
    UPDATE_WAITING_DUE,
    UPDATE_NONE_DUE,
    UPDATE_DELIVERED,
    UPDATE_ATTEMPTED,
    DELETE_OLD,
    DELETE_DELIVERIES_ABOUT,
    DELETE_ABOUT,
    EMPTY_ABOUT,
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
        id, seq, service_id, kind, workspace_id, subject_id, payload_json, created_at, deadline, accepted_at, ended_at,
        outcome, detail, attempts, next_at, delivered_at
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
        accepted_at: accepted_at.get()?,
        end: at.zip(outcome).map(|(at, outcome)| End { at, outcome, detail }),
        attempts: attempts.get()?,
        next_at: next_at.get()?,
        delivered_at: delivered_at.get()?,
    })
}

/// The number of the next command.
pub(in crate::inbox) fn next_seq(view: &View<'_>) -> Result<i64, Error> {
    let now = view.now();
    view.one(NEXT_SEQ, named_params! {":now": now}, only)
}

pub(in crate::inbox) fn insert(
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
pub(in crate::inbox) fn list_inbox(
    view: &View<'_>,
    service: ServiceId,
    after: i64,
    limit: u32,
) -> Result<Vec<Command>, Error> {
    view.list(LIST_INBOX, named_params! {":service": service, ":after": after, ":limit": limit}, read)
}

/// The commands of a service before this position, the newest first.
pub(in crate::inbox) fn list_of_service(
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

/// The newest commands of all services.
pub(in crate::inbox) fn list_of_all(view: &View<'_>, filter: CommandFilter, limit: u32) -> Result<Vec<Command>, Error> {
    let params = named_params! {":filter": filter.as_str(), ":limit": limit, ":now": view.now()};
    view.list(LIST_OF_ALL, params, read)
}

/// The commands of all services that are overdue or failed, the oldest first, at most so many.
///
/// # Errors
/// [`Error`].
pub fn list_needing_care(view: &View<'_>, limit: u32) -> Result<Vec<Command>, Error> {
    view.list(LIST_NEEDING_CARE, named_params! {":now": view.now(), ":limit": limit}, read)
}

pub(in crate::inbox) fn update_end(
    tx: &mut Tx<'_>,
    id: CommandId,
    outcome: CommandOutcome,
    detail: &str,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_END, named_params! {":id": id, ":now": now, ":outcome": outcome.as_str(), ":detail": detail})?;
    Ok(())
}

/// Stores that the service began, and until when it has to be done. It took the command, so no webhook is sent any more.
pub(in crate::inbox) fn update_accepted(
    tx: &mut Tx<'_>,
    id: CommandId,
    deadline: Option<Timestamp>,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_ACCEPTED, named_params! {":id": id, ":now": now, ":deadline": deadline})?;
    Ok(())
}

/// Empties what it says about the person, who was erased.
pub(in crate::inbox) fn empty(tx: &mut Tx<'_>, id: CommandId) -> Result<(), Error> {
    tx.execute(EMPTY, named_params! {":id": id})?;
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
pub(in crate::inbox) fn update_cancelled(tx: &mut Tx<'_>, id: CommandId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_CANCELLED, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// Opens a command again, or makes an open one due, at a new position: a reader that has read the inbox up to here gets it again.
pub(in crate::inbox) fn reopen(
    tx: &mut Tx<'_>,
    id: CommandId,
    seq: i64,
    next_at: Option<Timestamp>,
) -> Result<(), Error> {
    tx.execute(REOPEN, named_params! {":id": id, ":seq": seq, ":next_at": next_at})?;
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

/// The command of the service whose webhook has been due longest.
pub(in crate::inbox) fn find_due(view: &View<'_>, service: ServiceId) -> Result<Option<Command>, Error> {
    view.find(FIND_DUE, named_params! {":service": service, ":now": view.now()}, read)
}

/// Makes the open commands due that the service has not taken yet.
pub(in crate::inbox) fn update_open_due(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_OPEN_DUE, named_params! {":service": service, ":now": now})
}

/// Makes the commands due that wait for another attempt.
pub(in crate::inbox) fn update_waiting_due(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    let now = tx.now();
    tx.execute(UPDATE_WAITING_DUE, named_params! {":service": service, ":now": now})
}

/// Ends the attempts to send webhooks to the service.
pub(in crate::inbox) fn update_none_due(tx: &mut Tx<'_>, service: ServiceId) -> Result<usize, Error> {
    tx.execute(UPDATE_NONE_DUE, named_params! {":service": service})
}

/// Stores that the service took the webhook.
pub(in crate::inbox) fn update_delivered(tx: &mut Tx<'_>, id: CommandId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(UPDATE_DELIVERED, named_params! {":id": id, ":now": now})?;
    Ok(())
}

/// Stores that the service did not take the webhook.
pub(in crate::inbox) fn update_attempted(
    tx: &mut Tx<'_>,
    id: CommandId,
    next_at: Option<Timestamp>,
) -> Result<(), Error> {
    tx.execute(UPDATE_ATTEMPTED, named_params! {":id": id, ":next_at": next_at})?;
    Ok(())
}

/// Deletes commands that ended before this time, and older ones that need no acknowledgement. Returns how many.
pub(in crate::inbox) fn delete_old(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    tx.execute(DELETE_OLD, named_params! {":before": before, ":limit": limit})
}

/// Deletes the commands about a person and about their workspace, with their deliveries. An open command to erase the person, or to
/// delete a resource for good, stays until its service has answered, with the ids that the service needs for it.
///
/// # Errors
/// [`Error`].
pub fn delete_about(tx: &mut Tx<'_>, subject: AccountId, workspace: Option<WorkspaceId>) -> Result<(), Error> {
    for statement in [DELETE_DELIVERIES_ABOUT, DELETE_ABOUT, EMPTY_ABOUT] {
        tx.execute(statement, named_params! {":subject": subject, ":workspace": workspace})?;
    }
    Ok(())
}
