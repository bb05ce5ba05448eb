//! Record usage events: one report, or those of one moment together.

mod corrections;
mod reach;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::json;

use self::reach::{Known, Reach, whole_second};
use super::super::events::BillingEvent;
use super::super::ledger::{self, Charge, holds};
use super::super::notices;
use super::authorizations;
use super::error::UsageError;
use super::model::{BatchResult, Fault, Meter, NewEvent, Rejection, Watermark};
use super::store::{self, DayName, EventRow};
use crate::api_keys;
use crate::audit::{self, Event};
use crate::base::{Actor, ApiKeyId, Credits, HoldId, ServiceId, Timestamp, Total, TransactionId, WorkspaceId};
use crate::config::UsageCategory;
use crate::db::{Error, Tx, View};
use crate::idempotency::{self, Answer, IdempotencyError, Request};

/// Since when services must report their usage again, because backups were restored later than `after`. `None`: since
/// ever. The numbers of epochs are not enough for that: a backup that is restored twice, on two bare machines, opens two
/// epochs with the same number.
///
/// # Errors
/// [`Error`].
pub fn watermark(view: &View<'_>, after: Option<Timestamp>) -> Result<Watermark, Error> {
    let epochs = audit::epochs(view)?;
    let news = || epochs.iter().filter(|epoch| after.is_none_or(|after| epoch.opened_at > after));
    let since = news().map(|epoch| epoch.snapshot_made_at).min();
    Ok(Watermark {
        epoch: epochs.last().map_or(1, |epoch| epoch.number),
        restored_at: news().map(|epoch| epoch.opened_at).max(),
        // A whole second, because services may know the time of an acknowledgement from its header Date.
        resend_since: since.map(whole_second),
    })
}

/// Counts, prices and charges a batch of events. An event that could not be parsed is passed as its fault, so that the
/// result refers to every event by its index.
///
/// Each (source, id) of a service is counted once. There is one transaction per workspace, sku and authorization. Missing credit
/// becomes debt. A bad event does not affect the others. Repeating a batch is the same as once.
///
/// # Errors
/// [`UsageError::NotAService`]; [`UsageError::Ledger`]; [`UsageError::Db`]. Nothing was recorded then.
// No permission: `Batch::of` asks whether the actor is a service.
pub fn record_batch(
    tx: &mut Tx<'_>,
    actor: &Actor,
    events: &[Result<NewEvent, Fault>],
) -> Result<BatchResult, UsageError> {
    let mut batch = Batch::of(actor)?;
    let answer = count_events(tx, &mut batch, events)?;
    post_batch(tx, batch)?;
    Ok(answer)
}

/// A batch of events that a service reports.
pub struct Report {
    /// The service.
    pub actor: Actor,
    /// The idempotency key. `None`: the request has none.
    pub repeatable: Option<Request>,
    /// As for [`record_batch`].
    pub events: Vec<Result<NewEvent, Fault>>,
}

/// The answer to a report. `true`: it repeats an earlier one, whose answer this is.
pub type Recorded = Result<(Answer, bool), IdempotencyError<UsageError>>;

/// Records reports that came at the same moment: one service after the other, and the reports of each in their order.
/// Each gets the answer that it would get from [`record_batch`], and with the same idempotency key as an earlier one the
/// answer of that. The reports of a service share their transactions and one audit event, which counts them. `render`
/// writes the answer.
///
/// # Errors
/// As for [`record_batch`]. Nothing of any report was recorded then.
// No permission: as for `record_batch`.
pub fn record_reports(
    tx: &mut Tx<'_>,
    reports: &[Report],
    render: fn(BatchResult) -> Answer,
) -> Result<Vec<Recorded>, IdempotencyError<UsageError>> {
    let mut by_service: Vec<(usize, &Report)> = reports.iter().enumerate().collect();
    by_service.sort_by_key(|(_, report)| report.actor.service());
    let mut answers = Vec::with_capacity(reports.len());
    let mut current = None;
    for (place, report) in by_service {
        let answer = idempotency::once(tx, report.repeatable.as_ref(), |tx| {
            let batch = batch_of(tx, &mut current, &report.actor)?;
            count_events(tx, batch, &report.events).map(render)
        });
        match answer {
            // These were refused before they changed anything.
            Ok(_) | Err(IdempotencyError::Mismatch | IdempotencyError::Operation(UsageError::NotAService)) => {
                answers.push((place, answer));
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(last) = current {
        post_batch(tx, last).map_err(IdempotencyError::Operation)?;
    }
    answers.sort_unstable_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// The batch of this service. The one of another service is posted first, because both may charge the same wallet.
fn batch_of<'b, 'e>(
    tx: &mut Tx<'_>,
    current: &'b mut Option<Batch<'e>>,
    actor: &'e Actor,
) -> Result<&'b mut Batch<'e>, UsageError> {
    let new = Batch::of(actor)?;
    if let Some(other) = current.take_if(|batch| batch.service != new.service) {
        post_batch(tx, other)?;
    }
    Ok(current.get_or_insert(new))
}

/// Counts the events of one report.
fn count_events<'e>(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'e>,
    events: &'e [Result<NewEvent, Fault>],
) -> Result<BatchResult, UsageError> {
    let mut answer = BatchResult::default();
    for (index, event) in events.iter().enumerate() {
        match count_event(tx, batch, event)? {
            CountOutcome::New => answer.accepted += 1,
            CountOutcome::Duplicate => answer.duplicates += 1,
            CountOutcome::Rejected(fault) => answer.rejected.push(Rejection { index, fault }),
        }
    }
    // A report that only repeats earlier events changes nothing and is not recorded.
    if answer.accepted > 0 || !answer.rejected.is_empty() {
        batch.reports += 1;
        batch.accepted += answer.accepted;
        batch.duplicates += answer.duplicates;
        batch.rejected += answer.rejected.len();
    }
    Ok(answer)
}

/// Posts the charges of a batch, and records it in the audit.
fn post_batch(tx: &mut Tx<'_>, mut batch: Batch<'_>) -> Result<(), UsageError> {
    post_charges(tx, &mut batch)?;
    let Batch { actor, service, reports, accepted, duplicates, rejected, transactions, .. } = batch;
    if reports > 0 {
        let data = json!({
            "reports": reports,
            "accepted": accepted,
            "duplicates": duplicates,
            "rejected": rejected,
            "transactions": transactions,
        });
        audit::record(tx, actor, Event::new(BillingEvent::UsageRecorded).target(service).data(data))?;
    }
    Ok(())
}

/// The state of a batch: one report, or several of one service. Workspaces and meters are read once, however many
/// events name them.
struct Batch<'e> {
    actor: &'e Actor,
    service: ServiceId,
    /// How many reports changed something.
    reports: usize,
    accepted: usize,
    duplicates: usize,
    rejected: usize,
    /// What was posted.
    transactions: usize,
    groups: BTreeMap<GroupName<'e>, Option<Group>>,
    known: Known,
    /// The cost of each key in this batch, for its budget.
    keys: BTreeMap<(ApiKeyId, WorkspaceId), Credits>,
    /// The events of each day in this batch, and their cost.
    days: BTreeMap<DayName<'e>, (i64, Credits)>,
}

impl<'e> Batch<'e> {
    fn of(actor: &'e Actor) -> Result<Self, UsageError> {
        let Actor::Service { service, .. } = actor else { return Err(UsageError::NotAService) };
        Ok(Self {
            actor,
            service: *service,
            reports: 0,
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            transactions: 0,
            groups: BTreeMap::new(),
            known: Known::of(*service),
            keys: BTreeMap::new(),
            days: BTreeMap::new(),
        })
    }
}

/// The events of a group: one workspace, sku and authorization.
type GroupName<'e> = (WorkspaceId, &'e str, Option<HoldId>);

/// The events of one workspace, sku and authorization: one transaction.
struct Group {
    transaction: TransactionId,
    /// The key of the authorization. `None`: it has none, or there is no authorization.
    key: Option<ApiKeyId>,
    workspace_text: String,
    unit: String,
    price: Credits,
    meter: Meter,
    charge: Credits,
    category: UsageCategory,
    /// The time of the latest event.
    latest: Timestamp,
    /// The key of all its events. `None`: none yet, of some or all no key, or several.
    one_key: Option<ApiKeyId>,
    /// `None`: no event yet.
    quantity: Option<Total>,
}

enum CountOutcome {
    New,
    Duplicate,
    Rejected(Fault),
}

fn count_event<'e>(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'e>,
    event: &'e Result<NewEvent, Fault>,
) -> Result<CountOutcome, UsageError> {
    let event = match event {
        Ok(event) => event,
        Err(fault) => return Ok(CountOutcome::Rejected(fault.clone())),
    };
    if let Some(corrected) = &event.corrects {
        return corrections::count_correction(tx, batch, event, corrected);
    }
    match price(tx, batch, event)? {
        Pricing::Priced(priced) => record_event(tx, batch, event, priced),
        // An event that was counted before stays a duplicate, even if its sku, workspace or headroom no longer exists.
        Pricing::Faulty(fault) => find_duplicate(tx, batch.service, event, fault),
    }
}

/// What the price list says about an event.
enum Pricing {
    Priced(PricedEvent),
    Faulty(Fault),
}

/// The totals of an event's group if the event is counted.
struct PricedEvent {
    /// What it is charged to. `None`: no authorization.
    authorization: Option<HoldId>,
    /// The key whose budget pays.
    key: Option<ApiKeyId>,
    meter: Meter,
    charge: Credits,
    group_charge: Credits,
    group_quantity: Total,
    headroom: Credits,
}

fn price<'e>(tx: &mut Tx<'_>, batch: &mut Batch<'e>, event: &'e NewEvent) -> Result<Pricing, UsageError> {
    if !event.has_plausible_time(tx.now()) {
        return Ok(Pricing::Faulty(Fault::BadTime));
    }
    let authorization = batch.known.authorization_of(tx, event)?;
    let is_authorized = authorization.is_some() && group_of(tx, batch, event, authorization)?.is_some();
    let needed = if is_authorized { Reach::Taken } else { Reach::Granted };
    if batch.known.reach_of(tx, event.workspace)? < needed {
        return Ok(Pricing::Faulty(Fault::UnknownWorkspace));
    }
    let headroom = batch.known.headroom_of(tx, event.workspace)?;
    let Some(group) = group_of(tx, batch, event, authorization)? else {
        let is_named = authorization.is_some();
        return Ok(Pricing::Faulty(if is_named { Fault::UnknownAuthorization } else { Fault::UnknownSku }));
    };
    if let (Some(reserved), Some(named)) = (group.key, event.key)
        && !api_keys::is_same_family(tx, reserved, named)?
    {
        return Ok(Pricing::Faulty(Fault::BadKey));
    }
    Ok(price_in_group(group, authorization, headroom, event).map_or_else(Pricing::Faulty, Pricing::Priced))
}

fn price_in_group(
    group: &Group,
    authorization: Option<HoldId>,
    headroom: Credits,
    event: &NewEvent,
) -> Result<PricedEvent, Fault> {
    let (meter, charge) = group.meter.plus(group.price, event.quantity).ok_or(Fault::BadQuantity)?;
    let group_quantity = group.quantity.unwrap_or_default().plus(event.quantity);
    let group_charge = group.charge.plus(charge).ok_or(Fault::TooLarge)?;
    let headroom = headroom.minus(charge).filter(|left| *left >= Credits::ZERO).ok_or(Fault::TooLarge)?;
    let key = event.key.or(group.key);
    Ok(PricedEvent { authorization, key, meter, charge, group_charge, group_quantity, headroom })
}

fn record_event<'e>(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'e>,
    event: &'e NewEvent,
    priced: PricedEvent,
) -> Result<CountOutcome, UsageError> {
    let name = (event.workspace, event.sku.as_str(), priced.authorization);
    let Some(Some(group)) = batch.groups.get_mut(&name) else {
        return Ok(CountOutcome::Rejected(Fault::UnknownSku));
    };
    let row = EventRow {
        event,
        service: batch.service,
        authorization: priced.authorization,
        price: group.price,
        charge: priced.charge,
        key: priced.key,
        digest: event.digest(&group.workspace_text),
        transaction: (priced.charge > Credits::ZERO).then_some(group.transaction),
    };
    if !store::insert_event(tx, &row)? {
        return find_duplicate(tx, batch.service, event, Fault::Conflict);
    }
    group.one_key = row.key.filter(|key| group.quantity.is_none() || group.one_key == Some(*key));
    group.meter = priced.meter;
    group.charge = priced.group_charge;
    group.quantity = Some(priced.group_quantity);
    group.latest = group.latest.max(event.occurred_at);
    batch.known.headrooms.insert(event.workspace, priced.headroom);
    let day =
        DayName { workspace: event.workspace, day: event.occurred_at.day_number(), sku: &event.sku, key: row.key };
    let (events, cost) = batch.days.entry(day).or_default();
    *events += 1;
    *cost = cost.plus(priced.charge).unwrap_or(Credits::MAX);
    if let Some(key) = priced.key.filter(|_| priced.charge > Credits::ZERO) {
        let spent = batch.keys.entry((key, event.workspace)).or_insert(Credits::ZERO);
        *spent = spent.plus(priced.charge).unwrap_or(Credits::MAX);
    }
    Ok(CountOutcome::New)
}

/// The outcome for an event that cannot be counted now: a duplicate, a conflict with an earlier event, or `fault`.
fn find_duplicate(tx: &Tx<'_>, service: ServiceId, event: &NewEvent, fault: Fault) -> Result<CountOutcome, UsageError> {
    Ok(match store::find_digest(tx, service, event)? {
        Some(digest) if digest == event.digest(&event.workspace.to_string()) => CountOutcome::Duplicate,
        Some(_) => CountOutcome::Rejected(Fault::Conflict),
        None => CountOutcome::Rejected(fault),
    })
}

fn group_of<'b, 'e>(
    tx: &mut Tx<'_>,
    batch: &'b mut Batch<'e>,
    event: &'e NewEvent,
    authorization: Option<HoldId>,
) -> Result<Option<&'b Group>, Error> {
    Ok(match batch.groups.entry((event.workspace, event.sku.as_str(), authorization)) {
        Entry::Occupied(entry) => entry.into_mut().as_ref(),
        Entry::Vacant(entry) => match authorization {
            None => entry.insert(new_group(tx, event)?).as_ref(),
            Some(id) => entry.insert(authorized_group(tx, batch.service, event, id)?).as_ref(),
        },
    })
}

/// The group of an authorization: its price holds, whatever the price list says now, also after its end. `None`: the service has
/// no such authorization for the workspace and the sku.
fn authorized_group(tx: &mut Tx<'_>, service: ServiceId, event: &NewEvent, id: HoldId) -> Result<Option<Group>, Error> {
    let found = authorizations::find_of_service(tx, service, id)?;
    let Some(found) = found.filter(|found| found.workspace == event.workspace && found.sku == event.sku) else {
        return Ok(None);
    };
    let now = tx.now();
    Ok(Some(Group {
        transaction: TransactionId::new(now, tx.rng()),
        key: found.key,
        workspace_text: event.workspace.to_string(),
        unit: found.unit,
        price: found.price,
        meter: found.meter,
        charge: Credits::ZERO,
        category: found.category,
        latest: event.occurred_at,
        one_key: None,
        quantity: None,
    }))
}

fn new_group(tx: &mut Tx<'_>, event: &NewEvent) -> Result<Option<Group>, Error> {
    let site = tx.site().clone();
    let Some(listed) = site.config.prices.iter().find(|listed| listed.sku == event.sku) else { return Ok(None) };
    let now = tx.now();
    Ok(Some(Group {
        transaction: TransactionId::new(now, tx.rng()),
        key: None,
        workspace_text: event.workspace.to_string(),
        unit: listed.unit.clone(),
        price: listed.price,
        meter: store::find_meter(tx, event.workspace, &event.sku)?.unwrap_or_default(),
        charge: Credits::ZERO,
        category: listed.category,
        latest: event.occurred_at,
        one_key: None,
        quantity: None,
    }))
}

/// Writes the meters and posts the charges of what was counted.
fn post_charges(tx: &mut Tx<'_>, batch: &mut Batch<'_>) -> Result<(), UsageError> {
    for ((key, workspace), spent) in std::mem::take(&mut batch.keys) {
        api_keys::spend(tx, key, workspace, spent)?;
    }
    for (day, (events, cost)) in std::mem::take(&mut batch.days) {
        store::add_day(tx, batch.service, day, events, cost)?;
    }
    for ((workspace, sku, authorization), group) in std::mem::take(&mut batch.groups) {
        let Some((group, quantity)) = group.and_then(|group| group.quantity.map(|quantity| (group, quantity))) else {
            continue;
        };
        match authorization {
            None => store::replace_meter(tx, workspace, sku, group.meter)?,
            Some(id) => authorizations::update_meter(tx, id, group.meter)?,
        }
        if group.charge == Credits::ZERO {
            continue;
        }
        let details = format!("{sku}: {quantity} × {}", group.unit);
        let idem_key = format!("usage:{}", group.transaction);
        let charge = Charge {
            key: group.one_key,
            occurred_at: Some(group.latest),
            category: group.category,
            ..Charge::new(workspace, group.charge, details, idem_key)
        };
        let posted = match authorization {
            None => ledger::charge_new(tx, batch.actor, group.transaction, charge)?,
            Some(id) => holds::capture(tx, batch.actor, group.transaction, id, charge)?,
        };
        notices::note_charge(tx, workspace, group.charge, posted.balance_after)?;
        batch.transactions += 1;
    }
    Ok(())
}
