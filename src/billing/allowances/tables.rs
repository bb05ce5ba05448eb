//! The table of allowances: each column once, with its tags.

use crate::db::{Cell, Erasure, LINK, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[CREDIT_ALLOWANCE];

table! {
    /// So much credit each month.
    pub(crate) CREDIT_ALLOWANCE: "credit_allowance" { part: Some("billing/allowance"), erasure: Erasure::Deletes }
    amount_micro = exported(Cell::Credits).named("amount");
    set_at = exported(Cell::Time);
    granted_until = exported(Cell::Time).ends();
    told_percent = left_out(STATE).set_later();
    workspace_id = left_out(LINK);
}
