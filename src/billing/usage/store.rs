//! All SQL of usage.

use rusqlite::named_params;

use super::model::{Meter, NewEvent};
use crate::base::{Credits, ServiceId, TransactionId, WorkspaceId};
use crate::db::{Error, Tx, View};

const INSERT_EVENT: &str = "
    insert into usage_event (source, id, service_id, workspace_id, key_id, sku, quantity_micro, price_micro, charge_micro,
                             occurred_at, received_at, digest, tx_id)
    values (:source, :id, :service_id, :workspace_id, :key_id, :sku, :quantity_micro, :price_micro, :charge_micro,
            :occurred_at, :received_at, :digest, :tx_id)
    on conflict (source, id) do nothing";
const FIND_DIGEST: &str = "select digest from usage_event where source = :source and id = :id";
const FIND_METER: &str = "
    select charged_micro, rest_pico from usage_meter where workspace_id = :workspace_id and sku = :sku";
const REPLACE_METER: &str = "
    insert into usage_meter (workspace_id, sku, charged_micro, rest_pico)
    values (:workspace_id, :sku, :charged_micro, :rest_pico)
    on conflict (workspace_id, sku)
    do update set charged_micro = excluded.charged_micro, rest_pico = excluded.rest_pico";

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

/// Stores an event. `false`: its source and id exist already, and nothing was written.
pub(super) fn insert_event(tx: &mut Tx<'_>, row: &EventRow<'_>) -> Result<bool, Error> {
    let now = tx.now();
    let rows = tx.execute(
        INSERT_EVENT,
        named_params! {
            ":source": row.event.source.as_str(),
            ":id": row.event.id.as_str(),
            ":service_id": row.service,
            ":workspace_id": row.event.workspace,
            ":key_id": row.event.key,
            ":sku": row.event.sku,
            ":quantity_micro": row.event.quantity,
            ":price_micro": row.price,
            ":charge_micro": row.charge,
            ":occurred_at": row.event.occurred_at,
            ":received_at": now,
            ":digest": row.digest,
            ":tx_id": row.transaction,
        },
    )?;
    Ok(rows == 1)
}

/// The digest of the counted event with the same source and id. `None`: there is none.
pub(super) fn find_digest(view: &View<'_>, event: &NewEvent) -> Result<Option<[u8; 32]>, Error> {
    let name = named_params! {":source": event.source.as_str(), ":id": event.id.as_str()};
    view.find(FIND_DIGEST, name, |row| row.get(0))
}

pub(super) fn find_meter(view: &View<'_>, workspace: WorkspaceId, sku: &str) -> Result<Option<Meter>, Error> {
    view.find(FIND_METER, named_params! {":workspace_id": workspace, ":sku": sku}, |row| {
        Ok(Meter { charged_micro: row.get(0)?, rest_pico: row.get(1)? })
    })
}

pub(super) fn replace_meter(tx: &mut Tx<'_>, workspace: WorkspaceId, sku: &str, meter: Meter) -> Result<(), Error> {
    tx.execute(
        REPLACE_METER,
        named_params! {
            ":workspace_id": workspace,
            ":sku": sku,
            ":charged_micro": meter.charged_micro,
            ":rest_pico": meter.rest_pico,
        },
    )?;
    Ok(())
}
