//! Take back usage that was counted: an event with a quantity below zero, which names the first one.

use super::super::super::ledger::{self, Grant, LedgerError, Origin, Refund};
use super::super::authorizations;
use super::super::error::UsageError;
use super::super::model::{EventName, Fault, Meter, NewEvent};
use super::super::store::{self, CountedEvent, DayName, EventRow};
use super::reach::Reach;
use super::{Batch, CountOutcome, find_duplicate, post_charges};
use crate::api_keys;
use crate::base::{Credits, TransactionId};
use crate::db::Tx;

/// Takes back a quantity of a counted event, in whole or in part, at the price at which it was charged. The credit goes back to
/// where it came from. What is left of the usage costs exactly its price, rounded once.
pub(super) fn count_correction(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'_>,
    event: &NewEvent,
    corrected: &EventName,
) -> Result<CountOutcome, UsageError> {
    let outcome = find_duplicate(tx, batch.service, event, Fault::UnknownEvent)?;
    if !matches!(outcome, CountOutcome::Rejected(Fault::UnknownEvent)) {
        return Ok(outcome);
    }
    if !event.has_plausible_time(tx.now()) {
        return Ok(CountOutcome::Rejected(Fault::BadTime));
    }
    let first = store::find_counted(tx, batch.service, &event.source, corrected)?;
    let is_authorized = |first: &CountedEvent| first.authorization.is_some() && first.workspace == event.workspace;
    let needed = if first.as_ref().is_some_and(is_authorized) { Reach::Taken } else { Reach::Granted };
    if batch.known.reach_of(tx, event.workspace)? < needed {
        return Ok(CountOutcome::Rejected(Fault::UnknownWorkspace));
    }
    let Some(first) = first else { return Ok(CountOutcome::Rejected(Fault::UnknownEvent)) };
    let authorization = batch.known.authorization_of(tx, event)?;
    let is_same = (first.workspace, first.sku.as_str(), first.authorization)
        == (event.workspace, event.sku.as_str(), authorization);
    if !is_same || event.quantity.micro() > first.left_micro {
        return Ok(CountOutcome::Rejected(Fault::BadCorrection));
    }
    // The first event may be in this batch: it is charged before it is taken back.
    post_charges(tx, batch)?;
    batch.known.headrooms.remove(&event.workspace);
    let Some((meter, returned)) = meter_of(tx, &first, event)?.minus(first.price, event.quantity) else {
        return Ok(CountOutcome::Rejected(Fault::BadQuantity));
    };
    if ledger::balance_now(tx, event.workspace)?.plus(returned).is_none() {
        return Ok(CountOutcome::Rejected(Fault::TooLarge));
    }
    let transaction = give_back(tx, batch, &first, event, returned)?;
    match authorization {
        None => store::replace_meter(tx, event.workspace, &event.sku, meter)?,
        Some(id) => authorizations::update_meter(tx, id, meter)?,
    }
    if let Some(key) = first.key {
        api_keys::unspend(tx, key, event.workspace, returned, first.received_at)?;
    }
    store::update_corrected(tx, batch.service, &event.source, corrected, event.quantity)?;
    store::insert_event(
        tx,
        &EventRow {
            event,
            service: batch.service,
            authorization,
            price: first.price,
            charge: returned.negated(),
            key: first.key,
            digest: event.digest(&event.workspace.to_string()),
            transaction,
        },
    )?;
    let day =
        DayName { workspace: event.workspace, day: event.occurred_at.day_number(), sku: &event.sku, key: first.key };
    store::add_day(tx, batch.service, day, 0, returned.negated())?;
    Ok(CountOutcome::New)
}

fn meter_of(tx: &Tx<'_>, first: &CountedEvent, event: &NewEvent) -> Result<Meter, UsageError> {
    let found = match first.authorization {
        None => store::find_meter(tx, event.workspace, &event.sku)?,
        Some(id) => authorizations::find_of_service(tx, first.service, id)?.map(|found| found.meter),
    };
    Ok(found.unwrap_or_default())
}

/// Returns credit from the transaction that charged the event. Rounding may return a millionth more than what that took, which
/// then becomes a lot of its own. `None`: nothing is returned.
fn give_back(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'_>,
    first: &CountedEvent,
    event: &NewEvent,
    returned: Credits,
) -> Result<Option<TransactionId>, UsageError> {
    let details = format!("{}: {} taken back", event.sku, event.quantity);
    // With its length, because a source and an id can have colons.
    let (source, id) = (event.source.as_str(), event.id.as_str());
    let name = format!("correct:{}:{}:{source}:{id}", batch.service, source.len());
    let mut posted = None;
    let mut rest = returned;
    if let Some(of) = first.transaction {
        let amount = ledger::returnable(tx, of)?.min(rest);
        if amount > Credits::ZERO {
            rest = rest.minus(amount).ok_or(LedgerError::TooLarge)?;
            let refund =
                Refund { workspace: event.workspace, of, amount, details: details.clone(), idem_key: name.clone() };
            posted = Some(ledger::refund(tx, batch.actor, refund)?.id);
            batch.transactions += 1;
        }
    }
    if rest > Credits::ZERO {
        let grant = Grant::new(event.workspace, rest, Origin::Refund, details, format!("{name}:rest"));
        posted = posted.or(Some(ledger::grant(tx, batch.actor, grant)?.id));
        batch.transactions += 1;
    }
    Ok(posted)
}
