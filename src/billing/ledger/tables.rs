//! The tables of the ledger: each column once, with its tags.

use crate::db::{Cell, DERIVED, EVIDENCE, Erasure, LINK, STATE, Table, exported, left_out, table};

/// Why an erasure keeps accounting records.
pub const BOOKS: &str =
    "accounting records are kept as the law of the site's country requires (GDPR Art. 17(3)(b)); ids are opaque";
const TYPED: &str = "text that an operator typed is emptied; text of the system (what was used, and how much) stays with \
    the numbers: accounting records are kept as the law of the site's country requires (GDPR Art. 17(3)(b))";

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[
    LEDGER_ACCOUNT,
    LEDGER_TX,
    LEDGER_POSTING,
    LEDGER_BALANCE,
    CREDIT_LOT,
    STATEMENT_LINE,
    CREDIT_HOLD,
    CREDIT_HOLD_LOT,
];

table! {
    /// Accounts of the ledger.
    pub(crate) LEDGER_ACCOUNT: "ledger_account" { part: None, erasure: Erasure::Keeps(BOOKS) }
    id = left_out(LINK);
    workspace_id = left_out(LINK);
    code = left_out(DERIVED);
    lot_id = left_out(LINK);
    low_micro = left_out(STATE);
    high_micro = left_out(STATE);
}

table! {
    /// Transactions of the ledger.
    pub(crate) LEDGER_TX: "ledger_tx" { part: Some("billing/statement"), erasure: Erasure::Keeps(BOOKS) }
    id = left_out("the same as in its statement line");
    seq = left_out("the same as in its statement line");
    kind = left_out("the same as in its statement line");
    posted_at = left_out("the same as in its statement line");
    key_id = exported(Cell::Text).named("key");
    workspace_id = left_out(LINK);
    idem_key = left_out(LINK);
    digest = left_out(EVIDENCE);
    actor_kind = left_out("in the activity");
    actor_id = left_out("in the activity");
    reverses_tx_id = left_out(LINK);
    sealed = left_out(STATE).set_later();
}

table! {
    /// Postings of the ledger.
    pub(crate) LEDGER_POSTING: "ledger_posting" { part: None, erasure: Erasure::Keeps(BOOKS) }
    tx_id = left_out(LINK);
    n = left_out(LINK);
    account_id = left_out(LINK);
    amount_micro = left_out(DERIVED);
}

table! {
    /// The balance of each account of the ledger, written by triggers.
    pub(crate) LEDGER_BALANCE: "ledger_balance" { part: Some("billing/lots"), erasure: Erasure::Keeps(BOOKS) }
    balance_micro = exported(Cell::Balance).named("left");
    account_id = left_out(LINK);
    low_micro = left_out(STATE);
    high_micro = left_out(STATE);
    last_seq = left_out(LINK);
}

table! {
    /// Lots of credit.
    pub(crate) CREDIT_LOT: "credit_lot" { part: Some("billing/lots"), erasure: Erasure::Keeps(BOOKS) }
    id = exported(Cell::Text);
    kind = exported(Cell::Text);
    category = exported(Cell::Text);
    original_micro = exported(Cell::Credits).named("original");
    effective_at = exported(Cell::Time);
    expires_at = exported(Cell::Time);
    workspace_id = left_out(LINK);
    account_id = left_out(LINK);
    tx_seq = left_out(LINK);
    priority = left_out(STATE);
    exhausted = left_out(DERIVED).set_later();
}

table! {
    /// Lines of statements.
    pub(crate) STATEMENT_LINE: "statement_line" {
        part: Some("billing/statement"),
        erasure: Erasure::Empties(TYPED),
    }
    seq = exported(Cell::Number);
    tx_id = exported(Cell::Text).named("id");
    at = exported(Cell::Time);
    occurred_at = exported(Cell::Time);
    kind = exported(Cell::Text);
    category = exported(Cell::Text);
    details = exported(Cell::Text).personal("explains a transaction").emptied();
    amount_micro = exported(Cell::Credits).named("amount");
    balance_after_micro = exported(Cell::Credits).named("balance_after");
    workspace_id = left_out(LINK);
}

table! {
    /// Reserved credit.
    pub(crate) CREDIT_HOLD: "credit_hold" { part: None, erasure: Erasure::Keeps(BOOKS) }
    id = left_out(LINK);
    workspace_id = left_out(LINK);
    family_id = left_out(LINK);
    amount_micro = left_out("in its authorization");
    captured_micro = left_out("in its authorization").set_later();
    state = left_out("in its authorization").set_later();
    created_at = left_out("in its authorization");
    expires_at = left_out("in its authorization").ends();
    closed_at = left_out("in its authorization").set_later();
}

table! {
    /// What holds reserve in each lot.
    pub(crate) CREDIT_HOLD_LOT: "credit_hold_lot" { part: None, erasure: Erasure::Keeps(BOOKS) }
    hold_id = left_out(LINK);
    n = left_out(LINK);
    lot_id = left_out(LINK);
    reserved_micro = left_out(STATE);
}
