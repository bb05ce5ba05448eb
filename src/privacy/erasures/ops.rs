//! Ask services to erase a person, store what they say, and decide when the receipt is final.

use std::time::Duration;

use serde_json::json;

use super::super::events::PrivacyEvent;
use super::super::{PrivacyError, store as files};
use super::model::{
    Erased, ErasureAtService, ErasureFilter, ErasureReport, ErasureRow, ServiceAnswer, ServiceRow, Statement,
};
use super::store;
use crate::accounts;
use crate::audit::{self, Event, Part};
use crate::base::{AccountId, Actor, CommandId, RequestId, ServiceId, Timestamp, WorkspaceId, days, hours};
use crate::db::{Error, KeptCopy, Tx, View};
use crate::inbox::{self, AckHandler, AckOutcome, Acknowledgement, Command, CommandKind, NewCommand};
use crate::resources;
use crate::services::{self, Service};

/// How long a service has to say that it erased the person, or that it began.
const ANSWER_WITHIN: Duration = hours(24);
/// When a service is asked again that could not.
const AGAIN_AFTER: Duration = days(1);
/// Erasures that one call of [`list`], [`settle`] or [`ask_again`] reads.
const BATCH_MAX: u32 = 1_000;

/// The services that may have something about a person.
#[derive(Clone, Debug, Default)]
pub(in crate::privacy) struct Targets {
    /// Those that can be asked.
    connected: Vec<ServiceId>,
    /// Those that keep something and are not connected any more.
    disconnected: Vec<ServiceId>,
}

/// The services that may have something about a person: those that keep or kept something for the workspace, and those whose
/// manifest says that they erase and which may touch it. Read before anything is erased. `workspace`: `None` if it is not known.
pub(in crate::privacy) fn targets(view: &View<'_>, workspace: Option<WorkspaceId>) -> Result<Targets, Error> {
    let keeping = match workspace {
        Some(workspace) => resources::services_keeping(view, workspace)?,
        None => Vec::new(),
    };
    let mut targets = Targets::default();
    for service in services::list(view)? {
        let kept = keeping.iter().find(|(id, _)| *id == service.id).map(|(_, has_items)| *has_items);
        if service.disconnected_at.is_some() {
            if kept == Some(true) {
                targets.disconnected.push(service.id);
            }
        } else if kept.is_some() || may_have(view, &service, workspace)? {
            targets.connected.push(service.id);
        }
    }
    Ok(targets)
}

/// Whether the service erases people, and could have met this one.
fn may_have(view: &View<'_>, service: &Service, workspace: Option<WorkspaceId>) -> Result<bool, Error> {
    let can_erase = services::manifest(view, service.id)?.is_some_and(|stored| stored.manifest.can_erase);
    match workspace {
        Some(workspace) => Ok(can_erase && services::may_touch(view, service.id, workspace)?),
        None => Ok(can_erase),
    }
}

/// Stores the receipt of an erasure and asks the services. Returns the names of those that it waits for. The same receipt again
/// changes nothing, and no service is asked twice. `snapshot_replaced_at`: `None` if the published snapshot has the person.
pub(in crate::privacy) fn begin(
    tx: &mut Tx<'_>,
    erased: &Erased,
    targets: &Targets,
    copies: &[KeptCopy],
    snapshot_replaced_at: Option<Timestamp>,
) -> Result<Vec<String>, Error> {
    let copies_until = copies.iter().map(|copy| copy.delete_after).max();
    if store::insert(tx, erased, snapshot_replaced_at, copies_until)? {
        for service in &targets.connected {
            let command = send(tx, *service, erased.account, erased.workspace)?;
            store::insert_service(tx, erased.receipt, *service, Some(command))?;
        }
        for service in &targets.disconnected {
            store::insert_service(tx, erased.receipt, *service, None)?;
        }
    }
    let report = find(tx, erased.receipt)?;
    Ok(report.into_iter().flat_map(|report| report.services).map(|one| one.name).collect())
}

/// Asks a service to erase a person. Only ids: the command outlives the person.
fn send(
    tx: &mut Tx<'_>,
    service: ServiceId,
    account: AccountId,
    workspace: Option<WorkspaceId>,
) -> Result<CommandId, Error> {
    let deadline = Some(tx.now().plus(ANSWER_WITHIN));
    let new = NewCommand { kind: CommandKind::DsrErase, workspace, subject: Some(account), data: json!({}), deadline };
    inbox::send(tx, service, &new)
}

/// What `dsr.erase` does when its service answers: the receipt has the answer, and is final if nothing else is left to do. Twice is
/// the same as once.
pub const ERASE_ACKNOWLEDGED: AckHandler =
    AckHandler { kind: CommandKind::DsrErase, handle: |tx, command, ack| confirm(tx, command, ack) };

fn confirm(tx: &mut Tx<'_>, command: &Command, ack: &Acknowledgement) -> Result<(), Error> {
    let Some((receipt, service)) = store::find_by_command(tx, command.id)? else { return Ok(()) };
    let answer = match (ack.outcome, ack.retention) {
        // The command says it.
        (AckOutcome::InProgress, _) => return Ok(()),
        (AckOutcome::Retained, Some(kept)) => ServiceAnswer::Retained(kept),
        (AckOutcome::Done | AckOutcome::Retained, _) => ServiceAnswer::Completed,
        // The command has the reason, until that is settled.
        (AckOutcome::Rejected, _) => ServiceAnswer::Rejected(String::new()),
        (AckOutcome::Failed, _) => ServiceAnswer::Failed(String::new()),
    };
    store::update_answer(tx, receipt, service, &answer)?;
    // What the service said in its own words may be about the person, so the audit has the answer only.
    let data = json!({"service": service.to_string(), "answer": answer.as_str()});
    audit::record(tx, &Actor::System, Event::new(PrivacyEvent::ErasureAnswered).target(receipt).data(data))?;
    if let Some(row) = store::find(tx, receipt)? {
        settle_one(tx, row)?;
    }
    Ok(())
}

/// An operator attests that a service has nothing of the person any more, which cannot say so itself: it is disconnected, or it
/// refused.
///
/// # Errors
/// [`PrivacyError::NotFound`]: the actor is no operator. [`PrivacyError::NoErasure`], [`PrivacyError::NoSuchService`];
/// [`PrivacyError::AnswersItself`] for a service that can answer or has answered.
pub fn attest(
    tx: &mut Tx<'_>,
    actor: &Actor,
    receipt: RequestId,
    service: &str,
    statement: &Statement,
) -> Result<ErasureReport, PrivacyError> {
    if !accounts::is_operator(tx, actor)? {
        return Err(PrivacyError::NotFound);
    }
    let report = find(tx, receipt)?.ok_or(PrivacyError::NoErasure)?;
    let is_named = |one: &&ErasureAtService| one.name == service.trim() || one.service.to_string() == service.trim();
    // Of several with this name, the one that waits.
    let mut named = report.services.iter().filter(is_named).collect::<Vec<_>>();
    named.sort_by_key(|one| !one.answer.needs_operator());
    let one = named.first().ok_or(PrivacyError::NoSuchService)?;
    if !one.answer.needs_operator() {
        return Err(PrivacyError::AnswersItself);
    }
    store::update_answer(tx, receipt, one.service, &ServiceAnswer::Attested)?;
    if let Some(command) = one.command {
        inbox::close_failed(tx, command)?;
    }
    let event = Event::new(PrivacyEvent::ErasureAttested)
        .target(receipt)
        .data(json!({"service": one.service.to_string()}))
        .private(Part::Text, json!({"statement": statement.as_str()}));
    audit::record(tx, actor, event)?;
    if let Some(row) = store::find(tx, receipt)? {
        settle_one(tx, row)?;
    }
    find(tx, receipt)?.ok_or(PrivacyError::NoErasure)
}

/// The erasure with this receipt. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, receipt: RequestId) -> Result<Option<ErasureReport>, Error> {
    store::find(view, receipt)?.map(|row| Reader::new(view)?.report(row)).transpose()
}

/// Erasures: the newest ones first, or the open ones, the oldest first. At most 1,000.
///
/// # Errors
/// [`Error`].
// No permission: only the command line and the console of operators call it.
pub fn list(view: &View<'_>, filter: ErasureFilter, limit: u32) -> Result<Vec<ErasureReport>, Error> {
    let rows = store::list(view, filter, limit.min(BATCH_MAX))?;
    let reader = Reader::new(view)?;
    rows.into_iter().map(|row| reader.report(row)).collect()
}

/// What operators have to do about erasures. `None`: nothing.
///
/// # Errors
/// [`Error`].
// No permission: only the console of operators calls it.
pub fn notice(view: &View<'_>) -> Result<Option<String>, Error> {
    let open = list(view, ErasureFilter::Open, BATCH_MAX)?;
    Ok(match open.iter().filter(|one| one.needs_operator()).count() {
        0 => None,
        1 => {
            Some("An erasure waits for you: a service was disconnected before it answered, or has refused.".to_owned())
        }
        count => Some(format!(
            "{count} erasures wait for you: services were disconnected before they answered, or have refused."
        )),
    })
}

/// Whether [`settle`] or [`ask_again`] would change something, so that an idle appliance writes nothing.
///
/// # Errors
/// [`Error`].
pub fn has_something_to_do(view: &View<'_>) -> Result<bool, Error> {
    let now = view.now();
    let open = list(view, ErasureFilter::Open, BATCH_MAX)?;
    Ok(open.iter().any(|one| one.is_complete() || one.services.iter().any(|one| is_to_be_asked_again(one, now))))
}

/// Makes the receipts final for which nothing is left to do.
///
/// # Errors
/// [`Error`].
// No permission: the system does it.
pub fn settle(tx: &mut Tx<'_>) -> Result<(), Error> {
    store::list(tx, ErasureFilter::Open, BATCH_MAX)?.into_iter().try_for_each(|row| settle_one(tx, row))
}

fn settle_one(tx: &mut Tx<'_>, row: ErasureRow) -> Result<(), Error> {
    let report = Reader::new(tx)?.report(row)?;
    if !report.is_complete() || !store::update_final(tx, report.erased.receipt)? {
        return Ok(());
    }
    let data = json!({"services": report.services.len()});
    audit::record(
        tx,
        &Actor::System,
        Event::new(PrivacyEvent::ErasureCompleted).target(report.erased.receipt).data(data),
    )
}

/// Asks services again that could not erase a day ago, and those whose command is not there any more.
///
/// # Errors
/// [`Error`].
// No permission: the system does it. No event: the answer has one.
pub fn ask_again(tx: &mut Tx<'_>) -> Result<(), Error> {
    let now = tx.now();
    for report in list(tx, ErasureFilter::Open, BATCH_MAX)? {
        for one in report.services.iter().filter(|one| is_to_be_asked_again(one, now)) {
            if let Some(failed) = one.command {
                inbox::close_failed(tx, failed)?;
            }
            let command = send(tx, one.service, report.erased.account, report.erased.workspace)?;
            store::update_command(tx, report.erased.receipt, one.service, command)?;
        }
    }
    Ok(())
}

fn is_to_be_asked_again(one: &ErasureAtService, now: Timestamp) -> bool {
    match (&one.answer, one.answered_at) {
        (ServiceAnswer::Failed(_), Some(at)) => at.plus(AGAIN_AFTER) <= now,
        // Its command ended without an answer, for example in a part of the database that was lost.
        (ServiceAnswer::Requested, _) => one.due_at.is_none(),
        _ => false,
    }
}

/// Puts what several tables have into a report.
struct Reader<'v, 'c> {
    view: &'v View<'c>,
    services: Vec<Service>,
}

impl<'v, 'c> Reader<'v, 'c> {
    fn new(view: &'v View<'c>) -> Result<Self, Error> {
        Ok(Self { view, services: services::list(view)? })
    }

    fn report(&self, row: ErasureRow) -> Result<ErasureReport, Error> {
        let pending = files::find_pending(self.view, row.erased.receipt)?;
        let items = match row.erased.workspace.filter(|_| row.final_at.is_none()) {
            Some(workspace) => resources::count_unconfirmed(self.view, workspace)?,
            None => 0,
        };
        let rows = store::list_services(self.view, row.erased.receipt)?;
        let mut services = rows.into_iter().map(|one| self.at_service(one)).collect::<Result<Vec<_>, _>>()?;
        services.sort_by(|a, b| (&a.name, a.service).cmp(&(&b.name, b.service)));
        Ok(ErasureReport {
            erased: row.erased,
            is_log_emptied: pending.is_none_or(|pending| pending.log_emptied),
            is_snapshot_replaced: pending.is_none_or(|pending| pending.snapshot_replaced),
            snapshot_replaced_at: row.snapshot_replaced_at,
            copies_until: row.copies_until,
            items,
            services,
            final_at: row.final_at,
        })
    }

    fn at_service(&self, row: ServiceRow) -> Result<ErasureAtService, Error> {
        let service = self.services.iter().find(|service| service.id == row.service);
        let command = row.command.map(|id| inbox::find_command(self.view, id)).transpose()?.flatten();
        let reason = command.as_ref().and_then(|command| command.end.as_ref()).map(|end| end.detail.clone());
        let open = command.filter(|command| command.end.is_none());
        let is_connected = service.is_some_and(|service| service.disconnected_at.is_none());
        let (answer, answered_at) = match (row.answer, &open) {
            // An operator sent a refused or failed one again.
            (_, Some(command)) => {
                let answer = match command.accepted_at {
                    _ if command.is_overdue(self.view.now()) => ServiceAnswer::Overdue,
                    Some(_) => ServiceAnswer::InProgress,
                    None => ServiceAnswer::Requested,
                };
                (answer, command.accepted_at)
            }
            (Some((ServiceAnswer::Failed(_) | ServiceAnswer::Rejected(_), at)), None) if !is_connected => {
                (ServiceAnswer::Disconnected, Some(at))
            }
            (Some((ServiceAnswer::Rejected(_), at)), None) => {
                (ServiceAnswer::Rejected(reason.unwrap_or_default()), Some(at))
            }
            (Some((ServiceAnswer::Failed(_), at)), None) => {
                (ServiceAnswer::Failed(reason.unwrap_or_default()), Some(at))
            }
            (Some((answer, at)), None) => (answer, Some(at)),
            (None, None) if is_connected => (ServiceAnswer::Requested, None),
            (None, None) => (ServiceAnswer::Disconnected, None),
        };
        Ok(ErasureAtService {
            service: row.service,
            name: service.map_or_else(|| row.service.to_string(), |service| service.name.clone()),
            requested_at: row.requested_at,
            command: row.command,
            due_at: open.and_then(|command| command.deadline),
            answer,
            answered_at,
        })
    }
}
