//! All SQL of usage.

use rusqlite::named_params;

use super::model::{Meter, NewEvent};
use super::tables::{USAGE_EVENT, USAGE_METER};
use crate::base::{Credits, ServiceId, TransactionId, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, insert, only, sql, values};

const INSERT_EVENT: &str = sql!(
    insert!(USAGE_EVENT),
    "
    on conflict (service_id, source, id) do nothing"
);
const FIND_DIGEST: &str =
    "select digest from usage_event where service_id = :service_id and source = :source and id = :id";
const FIND_METER: &str = "
    select charged_micro, rest_pico from usage_meter where workspace_id = :workspace_id and sku = :sku";
const REPLACE_METER: &str = sql!(
    insert!(USAGE_METER),
    "
    on conflict (workspace_id, sku)
    do update set charged_micro = excluded.charged_micro, rest_pico = excluded.rest_pico"
);

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[INSERT_EVENT, FIND_DIGEST, FIND_METER, REPLACE_METER];

/// An event with the values that are stored with it.
pub(super) struct EventRow<'e> {
    pub event: &'e NewEvent,
    pub service: ServiceId,
    pub price: Credits,
    pub charge: Credits,
    pub digest: [u8; 32],
    pub transaction: Option<TransactionId>,
}

/// Stores an event. `false`: its service has reported this source and id already, and nothing was written.
pub(super) fn insert_event(tx: &mut Tx<'_>, row: &EventRow<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let rows = tx.execute(
        INSERT_EVENT,
        values!(USAGE_EVENT => {
            source: row.event.source.as_str(),
            id: row.event.id.as_str(),
            sku: row.event.sku,
            quantity_micro: row.event.quantity,
            price_micro: row.price,
            charge_micro: row.charge,
            key_id: row.event.key,
            occurred_at: row.event.occurred_at,
            received_at: now,
            tx_id: row.transaction,
            service_id: row.service,
            workspace_id: row.event.workspace,
            digest: row.digest,
        }),
    )?;
    Ok(rows == 1)
}

/// The digest of the counted event of this service with the same source and id. `None`: there is none.
pub(super) fn find_digest(view: &View<'_>, service: ServiceId, event: &NewEvent) -> Result<Option<[u8; 32]>, Error> {
    let name = named_params! {":service_id": service, ":source": event.source.as_str(), ":id": event.id.as_str()};
    view.find(FIND_DIGEST, name, only)
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
