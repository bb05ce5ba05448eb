//! The tables of vouchers: each column once, with its tags.

use super::super::ledger::BOOKS;
use crate::db::{Cell, DERIVED, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[VOUCHER_BATCH, VOUCHER_CODE, VOUCHER_REDEMPTION];

table! {
    /// Codes that were made at once.
    pub(crate) VOUCHER_BATCH: "voucher_batch" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(LINK);
    kind = left_out("the kind of its transactions");
    reason = left_out("the details of its transactions; an operator typed it for everybody who redeems a code");
    amount_micro = left_out("the amount of its transactions");
    codes = left_out(STATE);
    uses_max = left_out(STATE);
    uses_per_account = left_out(STATE);
    credit_seconds = left_out(STATE);
    created_at = left_out(STATE);
    expires_at = left_out(STATE).ends();
    revoked_at = left_out(STATE).set_later();
}

table! {
    /// Codes, as digests under a secret key.
    pub(crate) VOUCHER_CODE: "voucher_code" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(LINK);
    batch_id = left_out(LINK);
    lookup = left_out(SECRET);
    uses_max = left_out(STATE);
    uses = left_out(DERIVED).set_later();
}

table! {
    /// Who has redeemed what.
    pub(crate) VOUCHER_REDEMPTION: "voucher_redemption" {
        part: Some("billing/redemptions"),
        erasure: Erasure::Keeps(BOOKS),
    }
    tx_id = exported(Cell::Text).named("transaction");
    code_id = exported(Cell::Text).named("code");
    n = exported(Cell::Number).named("use");
    redeemed_at = exported(Cell::Time);
    account_id = left_out(LINK);
    workspace_id = left_out(LINK);
}
