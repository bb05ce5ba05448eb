//! Commands: sent, read, acknowledged, cancelled, sent again, deleted.

use std::time::Duration;

use serde_json::json;

use super::super::model::{
    AckHandler, AckOutcome, Acknowledged, Acknowledgement, Command, CommandFilter, CommandKind, CommandOutcome,
    KEPT_FOR, NewCommand,
};
use super::super::{InboxError, InboxEvent, store};
use super::webhooks::takes_webhooks;
use crate::audit::{self, Event};
use crate::base::{Actor, CommandId, Cursor, PAGE_SIZE_MAX, Page, ServiceId, hours};
use crate::db::{Error, Tx, View};
use crate::{accounts, workspaces};

/// Commands in one answer of the inbox at most.
pub(in crate::inbox) const INBOX_PAGE: u32 = 100;
/// How long a service has to acknowledge a command that tries the connection.
const PING_WITHIN: Duration = hours(1);
/// The maximum number of rows that one call of [`purge_old`] deletes.
const PURGE_BATCH_MAX: u32 = 1_000;

/// Sends a command to a service, in the caller's transaction. After the commit, the service gets it: as a webhook if it
/// receives any, and from its inbox in any case.
///
/// # Errors
/// [`Error`].
pub fn send(tx: &mut Tx<'_>, service: ServiceId, new: &NewCommand) -> Result<CommandId, Error> {
    let now = tx.now();
    let id = CommandId::new(now, tx.rng());
    let next_at = takes_webhooks(tx, service)?.then_some(now);
    let seq = store::next_seq(tx)?;
    store::insert(tx, id, seq, service, new, next_at)?;
    Ok(id)
}

/// Sends a command that asks for nothing, to try the connection. The service has an hour to acknowledge it, and is called for it also
/// if it is not called for now.
///
/// # Errors
/// [`Error`].
pub fn ping(tx: &mut Tx<'_>, service: ServiceId) -> Result<CommandId, Error> {
    let deadline = Some(tx.now().plus(PING_WITHIN));
    let new = NewCommand { kind: CommandKind::TestPing, workspace: None, subject: None, data: json!({}), deadline };
    store::end_pause(tx, service)?;
    send(tx, service, &new)
}

/// What an operator sees on every page while commands are overdue or failed. `None`: there is nothing to show.
///
/// # Errors
/// [`Error`].
pub fn notice(view: &View<'_>, is_operator: bool) -> Result<Option<Vec<String>>, Error> {
    if !is_operator {
        return Ok(None);
    }
    Ok(store::overdue(view)?.notice())
}

/// The open commands of a service after this position (0: all), the oldest first, and whether there are more.
///
/// # Errors
/// [`Error`].
pub fn inbox(view: &View<'_>, service: ServiceId, after: i64) -> Result<(Vec<Command>, bool), Error> {
    let mut commands = store::list_inbox(view, service, after, INBOX_PAGE + 1)?;
    let has_more = commands.len() > INBOX_PAGE as usize;
    commands.truncate(INBOX_PAGE as usize);
    Ok((commands, has_more))
}

/// Stores what the service says about one of its commands, and does what follows from it. A repeated acknowledgement gets the
/// first answer again; one after the deadline is accepted and is late. When the service says that it began, the command stays open
/// and gets the deadline of its kind for that.
///
/// # Errors
/// [`InboxError::NotFound`], also for a command of another service; [`InboxError::AlreadyEnded`] for another outcome than
/// before, and for a cancelled command; [`InboxError::Outcome`] if such a command cannot have it; [`InboxError::Retention`].
// No event: the command has the outcome; what follows from it is recorded by the handler.
pub fn acknowledge(
    tx: &mut Tx<'_>,
    handlers: &[AckHandler],
    service: ServiceId,
    id: CommandId,
    acknowledgement: &Acknowledgement,
) -> Result<Acknowledged, InboxError> {
    let command = store::find(tx, id)?.filter(|command| command.service == service).ok_or(InboxError::NotFound)?;
    if !command.kind.allows(acknowledgement.outcome) {
        return Err(InboxError::Outcome(command.kind));
    }
    let outcome = CommandOutcome::Acknowledged(acknowledgement.outcome);
    let now = tx.now();
    let at = match (&command.end, command.accepted_at) {
        (Some(end), _) if end.outcome == outcome => end.at,
        (Some(end), _) => return Err(InboxError::AlreadyEnded(end.outcome)),
        (None, Some(at)) if acknowledgement.outcome == AckOutcome::InProgress => at,
        (None, _) => {
            if !acknowledgement.has_right_retention(now) {
                return Err(InboxError::Retention);
            }
            if acknowledgement.outcome == AckOutcome::InProgress {
                let within = command.kind.completed_within();
                let deadline = within.map(|within| command.created_at.plus(within));
                store::update_accepted(tx, id, deadline.max(command.deadline))?;
            } else {
                store::update_end(tx, id, outcome, &acknowledgement.detail)?;
            }
            for handler in handlers.iter().filter(|handler| handler.kind == command.kind) {
                (handler.handle)(tx, &command, acknowledgement)?;
            }
            if is_about_erased(tx, &command)? && !is_awaited(&command, acknowledgement) {
                store::empty(tx, id)?;
            }
            now
        }
    };
    let is_late = command.deadline.is_some_and(|deadline| at > deadline);
    Ok(Acknowledged { id, outcome: acknowledgement.outcome, at, is_late })
}

/// Whether operators need to know what the service said, although the person was erased: why it did not erase them.
fn is_awaited(command: &Command, acknowledgement: &Acknowledgement) -> bool {
    command.kind == CommandKind::DsrErase
        && matches!(acknowledgement.outcome, AckOutcome::Failed | AckOutcome::Rejected)
}

/// Whether the person or the workspace that it is about was erased: then only the ids stay that an open command needs.
pub(super) fn is_about_erased(view: &View<'_>, command: &Command) -> Result<bool, Error> {
    let has_no_workspace = match command.workspace {
        Some(workspace) => workspaces::find(view, workspace)?.is_none(),
        None => false,
    };
    let has_no_person = match command.subject {
        Some(subject) => accounts::find(view, subject)?.is_none(),
        None => false,
    };
    Ok(has_no_workspace || has_no_person)
}

/// Commands of a service, the newest first. `before`: the cursor of the page before.
///
/// # Errors
/// [`Error`].
pub fn list_commands(
    view: &View<'_>,
    service: ServiceId,
    filter: CommandFilter,
    before: Option<Cursor>,
    limit: u32,
) -> Result<Page<Command>, Error> {
    let limit = limit.clamp(1, PAGE_SIZE_MAX);
    let before = before.map_or(i64::MAX, |cursor| cursor.0);
    let rows = store::list_of_service(view, service, filter, before, limit + 1)?;
    Ok(Page::new(rows, limit, |command| command.seq))
}

/// The newest commands, of one service or of all.
///
/// # Errors
/// [`Error`].
// No permission: only the command line of operators calls it.
pub fn newest_commands(
    view: &View<'_>,
    service: Option<ServiceId>,
    filter: CommandFilter,
    limit: u32,
) -> Result<Vec<Command>, Error> {
    match service {
        Some(service) => store::list_of_service(view, service, filter, i64::MAX, limit.min(PAGE_SIZE_MAX)),
        None => store::list_of_all(view, filter, limit.min(PAGE_SIZE_MAX)),
    }
}

/// Sends a command again: an open one, or one that the service could not do, which is open again then. It is sent as a webhook
/// at once if the service receives any, also while the service is not called for now, and has a new position in the inbox.
///
/// # Errors
/// [`InboxError::NotFound`]; [`InboxError::AlreadyEnded`] if it is done or cancelled; [`InboxError::Repeats`] for a deletion that
/// failed.
// No permission: only the command line and the console of operators call it.
pub fn retry_now(tx: &mut Tx<'_>, actor: &Actor, id: CommandId) -> Result<(), InboxError> {
    let command = find_unfinished(tx, id)?;
    if !command.can_retry() {
        return Err(InboxError::Repeats);
    }
    let now = tx.now();
    let next_at = takes_webhooks(tx, command.service)?.then_some(now);
    let seq = store::next_seq(tx)?;
    store::reopen(tx, id, seq, next_at)?;
    store::end_pause(tx, command.service)?;
    audit::record(tx, actor, event_about(InboxEvent::CommandRetried, &command))?;
    Ok(())
}

/// Cancels a command that the service need not do any more: an open one, or one that it could not do.
///
/// # Errors
/// [`InboxError::NotFound`]; [`InboxError::AlreadyEnded`] if it is done or cancelled; [`InboxError::Awaited`] for a deletion, whose
/// resource would be neither there nor gone; [`InboxError::Promised`] for an erasure, whose receipt waits for it.
// No permission: only the command line and the console of operators call it.
pub fn cancel(tx: &mut Tx<'_>, actor: &Actor, id: CommandId) -> Result<(), InboxError> {
    let command = find_unfinished(tx, id)?;
    if command.kind == CommandKind::ResourcePurge && command.end.is_none() {
        return Err(InboxError::Awaited);
    }
    if command.kind == CommandKind::DsrErase && command.end.is_none() {
        return Err(InboxError::Promised);
    }
    store::update_cancelled(tx, id)?;
    if is_about_erased(tx, &command)? {
        store::empty(tx, id)?;
    }
    audit::record(tx, actor, event_about(InboxEvent::CommandCancelled, &command))?;
    Ok(())
}

/// Ends a command as cancelled that its service could not do or refused, because what follows was decided. What the service said about
/// it goes. Another command stays as it is.
///
/// # Errors
/// [`Error`].
// No event: the decision has one.
pub fn close_failed(tx: &mut Tx<'_>, id: CommandId) -> Result<(), Error> {
    if store::find(tx, id)?.is_some_and(|command| command.is_failed()) {
        store::update_cancelled(tx, id)?;
        store::empty(tx, id)?;
    }
    Ok(())
}

/// A command that is open, or that the service could not do.
fn find_unfinished(view: &View<'_>, id: CommandId) -> Result<Command, InboxError> {
    let command = store::find(view, id)?.ok_or(InboxError::NotFound)?;
    match &command.end {
        Some(end) if !command.is_failed() => Err(InboxError::AlreadyEnded(end.outcome)),
        _ => Ok(command),
    }
}

fn event_about(kind: InboxEvent, command: &Command) -> Event {
    let data = json!({"command": command.id.to_string(), "kind": command.kind.as_str()});
    Event::new(kind).target(command.service).data(data)
}

/// Deletes commands that ended more than 30 days ago, and secrets that no longer sign. Returns how many commands.
///
/// # Errors
/// [`Error`].
pub fn purge_old(tx: &mut Tx<'_>) -> Result<usize, Error> {
    let before = tx.now().minus(KEPT_FOR);
    store::clear_previous_secrets(tx)?;
    store::delete_old(tx, before, PURGE_BATCH_MAX)
}
