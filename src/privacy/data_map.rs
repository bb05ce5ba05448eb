//! Every table and column: whether an export contains it, what an erasure does to it, and why.
//!
//! This is the record of processing (GDPR Art. 30) in a form that tests enforce. Each slice declares its tables in its
//! `tables.rs`; this file collects them. One test compares them with the schema and fails for a table or column that is missing.
//! Two more fill every table with the data of one person and check the export and the erasure.

use super::tables;
use crate::billing::{allowances, ledger, notices, usage, vouchers};
use crate::db::{self, Table};
use crate::signin::oauth;
use crate::{
    accounts, api_keys, audit, factors, idempotency, inbox, invitations, jobs, journal, mail, people, resources,
    services, sessions, tokens, workspaces,
};

/// The part with the activity, which comes from the audit and not from the rows of one table.
pub const ACTIVITY_PART: &str = "activity/activity";

/// The tables of each slice, with the folder that declares them, in the order of the migrations that began them.
pub const SLICES: &[(&str, &[Table])] = &[
    ("db", db::TABLES),
    ("journal", journal::TABLES),
    ("audit", audit::TABLES),
    ("jobs", jobs::TABLES),
    ("mail", mail::TABLES),
    ("idempotency", idempotency::TABLES),
    ("accounts", accounts::TABLES),
    ("workspaces", workspaces::TABLES),
    ("sessions", sessions::TABLES),
    ("api_keys", api_keys::TABLES),
    ("services", services::TABLES),
    ("billing/ledger", ledger::TABLES),
    ("billing/usage", usage::TABLES),
    ("privacy", tables::TABLES),
    ("factors", factors::TABLES),
    ("signin/oauth", oauth::TABLES),
    ("people", people::TABLES),
    ("tokens", tokens::TABLES),
    ("invitations", invitations::TABLES),
    ("inbox", inbox::TABLES),
    ("resources", resources::TABLES),
    ("billing/vouchers", vouchers::TABLES),
    ("billing/allowances", allowances::TABLES),
    ("billing/notices", notices::TABLES),
];

/// Every table of the schema.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    SLICES.iter().flat_map(|(_, tables)| tables.iter())
}
