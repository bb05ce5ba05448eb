//! The tables of usage: each column once, with its tags.

use super::super::ledger::BOOKS;
use crate::db::{Cell, DERIVED, EVIDENCE, Erasure, LINK, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[USAGE_EVENT, USAGE_METER, USAGE_AUTHORIZATION, USAGE_POLICY, USAGE_DAY];

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
    authorization_id = exported(Cell::Text).named("authorization");
    corrects = exported(Cell::Text);
    corrected_micro = left_out(DERIVED).set_later();
}

table! {
    /// What of the usage is not charged yet.
    pub(crate) USAGE_METER: "usage_meter" { part: None, erasure: Erasure::Keeps(BOOKS) }
    workspace_id = left_out(LINK);
    sku = left_out(DERIVED);
    charged_micro = left_out(DERIVED);
    rest_pico = left_out(DERIVED);
}

table! {
    /// What services may charge.
    pub(crate) USAGE_AUTHORIZATION: "usage_authorization" {
        part: Some("usage/authorizations"),
        erasure: Erasure::Keeps(BOOKS),
    }
    id = exported(Cell::Text);
    sku = exported(Cell::Text);
    unit = exported(Cell::Text);
    category = exported(Cell::Text);
    quantity_micro = exported(Cell::Quantity).named("quantity");
    price_micro = exported(Cell::Credits).named("price");
    amount_micro = exported(Cell::Credits).named("amount");
    charged_micro = exported(Cell::Credits).named("charged").set_later();
    state = exported(Cell::Text).set_later();
    key_id = exported(Cell::Text).named("key");
    created_at = exported(Cell::Time);
    expires_at = exported(Cell::Time).ends();
    closed_at = exported(Cell::Time).set_later();
    service_id = left_out(LINK);
    workspace_id = left_out(LINK);
    rest_pico = left_out(DERIVED).set_later();
}

table! {
    /// How the authorizations of services work.
    pub(crate) USAGE_POLICY: "usage_policy" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(LINK);
    mode = left_out(STATE);
    margin_percent = left_out(STATE);
    hold_seconds = left_out(STATE);
}

table! {
    /// What the usage of each day cost.
    pub(crate) USAGE_DAY: "usage_day" { part: None, erasure: Erasure::Keeps(BOOKS) }
    workspace_id = left_out(LINK);
    day = left_out(DERIVED);
    service_id = left_out(LINK);
    sku = left_out(DERIVED);
    key_id = left_out(LINK);
    events = left_out(DERIVED);
    charge_micro = left_out(DERIVED);
}
