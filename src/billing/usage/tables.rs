//! The tables of usage: each column once, with its tags.

use super::super::ledger::BOOKS;
use crate::db::{Cell, DERIVED, EVIDENCE, Erasure, LINK, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[USAGE_EVENT, USAGE_METER];

table! {
    /// Usage that services reported.
    pub(crate) USAGE_EVENT: "usage_event" { part: Some("usage/usage"), erasure: Erasure::Keeps(BOOKS) }
    source = exported(Cell::Text);
    id = exported(Cell::Text);
    sku = exported(Cell::Text);
    quantity_micro = exported(Cell::Quantity).named("quantity");
    price_micro = exported(Cell::Credits).named("price");
    charge_micro = exported(Cell::Credits).named("charge");
    key_id = exported(Cell::Text).named("key");
    occurred_at = exported(Cell::Time);
    received_at = exported(Cell::Time);
    tx_id = exported(Cell::Text).named("transaction");
    service_id = left_out(LINK);
    workspace_id = left_out(LINK);
    digest = left_out(EVIDENCE);
}

table! {
    /// What of the usage is not charged yet.
    pub(crate) USAGE_METER: "usage_meter" { part: None, erasure: Erasure::Keeps(BOOKS) }
    workspace_id = left_out(LINK);
    sku = left_out(DERIVED);
    charged_micro = left_out(DERIVED);
    rest_pico = left_out(DERIVED);
}
