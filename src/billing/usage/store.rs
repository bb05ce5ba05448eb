//! All SQL of usage.

use rusqlite::named_params;

use super::model::{EventName, Meter, NewEvent};
use super::tables::{USAGE_DAY, USAGE_EVENT, USAGE_METER};
use crate::base::{ApiKeyId, Credits, HoldId, Quantity, ServiceId, Timestamp, TransactionId, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const INSERT_EVENT: &str = sql!(
    insert!(USAGE_EVENT),
    "
    on conflict (service_id, source, id) do nothing"
);
const FIND_DIGEST: &str =
    "select digest from usage_event where service_id = :service_id and source = :source and id = :id";
const FIND_COUNTED: &str = "
    select service_id, workspace_id, sku, quantity_micro - corrected_micro as left_micro, price_micro, key_id, received_at, tx_id,
           authorization_id
    from usage_event
    where service_id = :service_id and source = :source and id = :id and quantity_micro > 0";
const UPDATE_CORRECTED: &str = "
    update usage_event set corrected_micro = corrected_micro + :quantity_micro
    where service_id = :service_id and source = :source and id = :id";
const FIND_METER: &str = "
    select charged_micro, rest_pico from usage_meter where workspace_id = :workspace_id and sku = :sku";
const REPLACE_METER: &str = sql!(
    insert!(USAGE_METER),
    "
    on conflict (workspace_id, sku)
    do update set charged_micro = excluded.charged_micro, rest_pico = excluded.rest_pico"
);

const ADD_DAY: &str = sql!(
    insert!(USAGE_DAY),
    "
    on conflict (workspace_id, day, service_id, sku, key_id)
    do update set events = events + excluded.events, charge_micro = charge_micro + excluded.charge_micro"
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[INSERT_EVENT, FIND_DIGEST, FIND_COUNTED, UPDATE_CORRECTED, FIND_METER, REPLACE_METER, ADD_DAY];

/// The usage of one day that belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DayName<'e> {
    pub workspace: WorkspaceId,
    /// Since 1970, in UTC.
    pub day: i64,
    pub sku: &'e str,
    pub key: Option<ApiKeyId>,
}

/// Adds what events of a service cost, or what is taken back, to their day.
pub(super) fn add_day(
    tx: &mut Tx<'_>,
    service: ServiceId,
    name: DayName<'_>,
    events: i64,
    charge: Credits,
) -> Result<(), Error> {
    tx.execute(
        ADD_DAY,
        values!(USAGE_DAY => {
            workspace_id: name.workspace,
            day: name.day,
            service_id: service,
            sku: name.sku,
            key_id: name.key.map(ApiKeyId::to_text).unwrap_or_default(),
            events: events,
            charge_micro: charge,
        }),
    )?;
    Ok(())
}

/// An event with the values that are stored with it.
pub(super) struct EventRow<'e> {
    pub event: &'e NewEvent,
    pub service: ServiceId,
    /// What it is charged to: that of the event, unless a restore lost it.
    pub authorization: Option<HoldId>,
    pub price: Credits,
    pub charge: Credits,
    /// The key of the event, or else of its authorization.
    pub key: Option<ApiKeyId>,
    pub digest: [u8; 32],
    pub transaction: Option<TransactionId>,
}

/// Stores an event. `false`: its service has reported this source and id already, and nothing was written.
pub(super) fn insert_event(tx: &mut Tx<'_>, row: &EventRow<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let quantity_micro = row.event.quantity.micro() * if row.event.corrects.is_some() { -1 } else { 1 };
    let rows = tx.execute(
        INSERT_EVENT,
        values!(USAGE_EVENT => {
            source: row.event.source.as_str(),
            id: row.event.id.as_str(),
            sku: row.event.sku,
            quantity_micro: quantity_micro,
            price_micro: row.price,
            charge_micro: row.charge,
            key_id: row.key,
            occurred_at: row.event.occurred_at,
            received_at: now,
            tx_id: row.transaction,
            service_id: row.service,
            workspace_id: row.event.workspace,
            digest: row.digest,
            authorization_id: row.authorization,
            corrects: row.event.corrects.as_ref().map(EventName::as_str),
        }),
    )?;
    Ok(rows == 1)
}

/// The digest of the counted event of this service with the same source and id. `None`: there is none.
pub(super) fn find_digest(view: &View<'_>, service: ServiceId, event: &NewEvent) -> Result<Option<[u8; 32]>, Error> {
    let name = named_params! {":service_id": service, ":source": event.source.as_str(), ":id": event.id.as_str()};
    view.find(FIND_DIGEST, name, only)
}

/// A counted event that can be taken back.
pub(super) struct CountedEvent {
    pub service: ServiceId,
    pub workspace: WorkspaceId,
    pub sku: String,
    /// The quantity that was not taken back yet.
    pub left_micro: i64,
    pub price: Credits,
    pub key: Option<ApiKeyId>,
    pub received_at: Timestamp,
    pub transaction: Option<TransactionId>,
    pub authorization: Option<HoldId>,
}

/// The counted event with this name, which is no correction. `None`: there is none.
pub(super) fn find_counted(
    view: &View<'_>,
    service: ServiceId,
    source: &EventName,
    id: &EventName,
) -> Result<Option<CountedEvent>, Error> {
    let name = named_params! {":service_id": service, ":source": source.as_str(), ":id": id.as_str()};
    view.find(FIND_COUNTED, name, |row| {
        by_name!(row, FIND_COUNTED =>
            service_id, workspace_id, sku, left_micro, price_micro, key_id, received_at, tx_id, authorization_id);
        Ok(CountedEvent {
            service: service_id.get()?,
            workspace: workspace_id.get()?,
            sku: sku.get()?,
            left_micro: left_micro.get()?,
            price: price_micro.get()?,
            key: key_id.get()?,
            received_at: received_at.get()?,
            transaction: tx_id.get()?,
            authorization: authorization_id.get()?,
        })
    })
}

/// Notes that a quantity of an event was taken back.
pub(super) fn update_corrected(
    tx: &mut Tx<'_>,
    service: ServiceId,
    source: &EventName,
    id: &EventName,
    quantity: Quantity,
) -> Result<(), Error> {
    let params = named_params! {
        ":service_id": service,
        ":source": source.as_str(),
        ":id": id.as_str(),
        ":quantity_micro": quantity,
    };
    tx.execute(UPDATE_CORRECTED, params)?;
    Ok(())
}

pub(super) fn find_meter(view: &View<'_>, workspace: WorkspaceId, sku: &str) -> Result<Option<Meter>, Error> {
    view.find(FIND_METER, named_params! {":workspace_id": workspace, ":sku": sku}, |row| {
        by_name!(row, FIND_METER => charged_micro, rest_pico);
        Ok(Meter { charged_micro: charged_micro.get()?, rest_pico: rest_pico.get()? })
    })
}

pub(super) fn replace_meter(tx: &mut Tx<'_>, workspace: WorkspaceId, sku: &str, meter: Meter) -> Result<(), Error> {
    tx.execute(
        REPLACE_METER,
        values!(USAGE_METER => {
            workspace_id: workspace,
            sku: sku,
            charged_micro: meter.charged_micro,
            rest_pico: meter.rest_pico,
        }),
    )?;
    Ok(())
}
