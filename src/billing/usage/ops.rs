//! Record a batch.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::json;

use super::super::ledger::{self, Charge};
use super::error::UsageError;
use super::model::{BatchAnswer, Fault, Meter, NewEvent, Rejected};
use super::store::{self, EventRow};
use crate::audit::{self, Event};
use crate::base::{Actor, ApiKeyId, Credits, ServiceId, Total, TransactionId, WorkspaceId};
use crate::db::{Error, Tx};
use crate::{api_keys, workspaces};

/// Counts, prices and charges a batch of events; what could not be read at the door comes along as its fault, so that
/// the answer names every event by its place.
///
/// Each (source, id) counts once for ever. There is one transaction per workspace and sku; missing credit is owed. One
/// bad event does not stop the others. Repeating a batch is the same as once.
///
/// # Errors
/// [`UsageError::NotAService`]; [`UsageError::Db`]. Nothing was recorded then.
pub fn record_batch(
    tx: &mut Tx<'_>,
    actor: &Actor,
    events: &[Result<NewEvent, Fault>],
) -> Result<BatchAnswer, UsageError> {
    let Actor::Service { service, .. } = actor else { return Err(UsageError::NotAService) };
    let mut answer = BatchAnswer::default();
    let mut batch = Batch { service: *service, groups: BTreeMap::new(), rooms: BTreeMap::new(), keys: BTreeMap::new() };

    for (index, event) in events.iter().enumerate() {
        match count(tx, &mut batch, event)? {
            Counted::New => answer.accepted += 1,
            Counted::Before => answer.duplicates += 1,
            Counted::Not(fault) => answer.rejected.push(Rejected { index, fault }),
        }
    }
    let transactions = settle(tx, actor, batch)?;

    // A batch that was all repetition changed nothing, and leaves nothing.
    if answer.accepted > 0 || !answer.rejected.is_empty() {
        let data = json!({
            "accepted": answer.accepted,
            "duplicates": answer.duplicates,
            "rejected": answer.rejected.len(),
            "transactions": transactions,
        });
        audit::record(tx, actor, Event::new("usage.batch_recorded").target(service).data(data))?;
    }
    Ok(answer)
}

/// What a batch knows while it is read: workspaces and meters are looked up once, however many events name them.
struct Batch<'e> {
    service: ServiceId,
    groups: BTreeMap<(WorkspaceId, &'e str), Option<Group>>,
    /// How much more each workspace can be charged. `None`: there is no such workspace.
    rooms: BTreeMap<WorkspaceId, Option<Credits>>,
    /// What the use of each key cost, for its budget.
    keys: BTreeMap<(ApiKeyId, WorkspaceId), Credits>,
}

/// The events of one workspace and sku: one transaction.
struct Group {
    transaction: TransactionId,
    workspace_text: String,
    unit: String,
    price: Credits,
    meter: Meter,
    charge: Credits,
    /// `None`: no event yet.
    quantity: Option<Total>,
}

enum Counted {
    New,
    Before,
    Not(Fault),
}

fn count<'e>(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'e>,
    event: &'e Result<NewEvent, Fault>,
) -> Result<Counted, UsageError> {
    let event = match event {
        Ok(event) => event,
        Err(fault) => return Ok(Counted::Not(fault.clone())),
    };
    match price(tx, batch, event)? {
        Ok(priced) => keep(tx, batch, event, priced),
        // What was counted before stays counted, even if its sku, its workspace or its room is gone since.
        Err(fault) => known(tx, event, fault),
    }
}

/// An event's place in its group, were it counted.
struct Priced {
    meter: Meter,
    charge: Credits,
    group_charge: Credits,
    group_quantity: Total,
    room: Credits,
}

fn price<'e>(tx: &mut Tx<'_>, batch: &mut Batch<'e>, event: &'e NewEvent) -> Result<Result<Priced, Fault>, UsageError> {
    if event.is_too_far_ahead(tx.now()) {
        return Ok(Err(Fault::BadTime));
    }
    let Some(room) = room_of(tx, batch, event.workspace)? else { return Ok(Err(Fault::UnknownWorkspace)) };
    let Some(group) = group_of(tx, batch, event)? else { return Ok(Err(Fault::UnknownSku)) };
    Ok(place(group, room, event))
}

fn place(group: &Group, room: Credits, event: &NewEvent) -> Result<Priced, Fault> {
    let (meter, charge) = group.meter.plus(group.price, event.quantity).ok_or(Fault::BadQuantity)?;
    let group_quantity = group.quantity.unwrap_or_default().plus(event.quantity);
    let group_charge = group.charge.plus(charge).ok_or(Fault::TooLarge)?;
    let room = room.minus(charge).filter(|left| *left >= Credits::ZERO).ok_or(Fault::TooLarge)?;
    Ok(Priced { meter, charge, group_charge, group_quantity, room })
}

fn keep<'e>(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'e>,
    event: &'e NewEvent,
    priced: Priced,
) -> Result<Counted, UsageError> {
    let Some(Some(group)) = batch.groups.get_mut(&(event.workspace, event.sku.as_str())) else {
        return Ok(Counted::Not(Fault::UnknownSku));
    };
    let row = EventRow {
        event,
        service: batch.service,
        price: group.price,
        charge: priced.charge,
        digest: event.digest(&group.workspace_text),
        transaction: (priced.charge > Credits::ZERO).then_some(group.transaction),
    };
    if !store::insert_event(tx, &row)? {
        return known(tx, event, Fault::Conflict);
    }
    group.meter = priced.meter;
    group.charge = priced.group_charge;
    group.quantity = Some(priced.group_quantity);
    batch.rooms.insert(event.workspace, Some(priced.room));
    if let Some(key) = event.key.filter(|_| priced.charge > Credits::ZERO) {
        let spent = batch.keys.entry((key, event.workspace)).or_insert(Credits::ZERO);
        *spent = spent.plus(priced.charge).unwrap_or(Credits::MAX);
    }
    Ok(Counted::New)
}

/// An event that cannot be counted now: it was before, or another of its name was, or `fault` is the reason.
fn known(tx: &Tx<'_>, event: &NewEvent, fault: Fault) -> Result<Counted, UsageError> {
    Ok(match store::find_digest(tx, event)? {
        Some(digest) if digest == event.digest(&event.workspace.to_string()) => Counted::Before,
        Some(_) => Counted::Not(Fault::Conflict),
        None => Counted::Not(fault),
    })
}

fn room_of(tx: &mut Tx<'_>, batch: &mut Batch<'_>, workspace: WorkspaceId) -> Result<Option<Credits>, UsageError> {
    if let Some(room) = batch.rooms.get(&workspace) {
        return Ok(*room);
    }
    let room = match workspaces::find(tx, workspace)? {
        None => None,
        Some(_) => {
            // Expired credit goes first: the charge at the end would do it too, and then there would be less room.
            ledger::expire_of(tx, workspace)?;
            let balance = ledger::balance(tx, workspace)?;
            // A wallet may go down to the opposite of the largest amount; one in credit has room for any amount.
            Some(Credits::MAX.plus(balance).unwrap_or(Credits::MAX))
        }
    };
    batch.rooms.insert(workspace, room);
    Ok(room)
}

fn group_of<'b, 'e>(
    tx: &mut Tx<'_>,
    batch: &'b mut Batch<'e>,
    event: &'e NewEvent,
) -> Result<Option<&'b Group>, Error> {
    let place = (event.workspace, event.sku.as_str());
    Ok(match batch.groups.entry(place) {
        Entry::Occupied(known) => known.into_mut().as_ref(),
        Entry::Vacant(unknown) => unknown.insert(new_group(tx, event)?).as_ref(),
    })
}

fn new_group(tx: &mut Tx<'_>, event: &NewEvent) -> Result<Option<Group>, Error> {
    let site = tx.site().clone();
    let Some(listed) = site.config.prices.iter().find(|listed| listed.sku == event.sku) else { return Ok(None) };
    let now = tx.now();
    Ok(Some(Group {
        transaction: TransactionId::new(now, tx.rng()),
        workspace_text: event.workspace.to_string(),
        unit: listed.unit.clone(),
        price: listed.price,
        meter: store::find_meter(tx, event.workspace, &event.sku)?.unwrap_or_default(),
        charge: Credits::ZERO,
        quantity: None,
    }))
}

/// Writes the meters and posts the charges; answers how many transactions.
fn settle(tx: &mut Tx<'_>, actor: &Actor, batch: Batch<'_>) -> Result<usize, UsageError> {
    let mut transactions = 0;
    for ((key, workspace), spent) in batch.keys {
        api_keys::spend(tx, key, workspace, spent)?;
    }
    for ((workspace, sku), group) in batch.groups {
        let Some((group, quantity)) = group.and_then(|group| group.quantity.map(|quantity| (group, quantity))) else {
            continue;
        };
        store::replace_meter(tx, workspace, sku, group.meter)?;
        if group.charge == Credits::ZERO {
            continue;
        }
        let charge = Charge {
            workspace,
            amount: group.charge,
            details: format!("{sku}: {quantity} × {}", group.unit),
            key: None,
            idem_key: format!("usage:{}", group.transaction),
        };
        ledger::charge_as(tx, actor, group.transaction, charge)?;
        transactions += 1;
    }
    Ok(transactions)
}
