//! The table of notices: each column once, with its tags.

use crate::db::{Erasure, LINK, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[CREDIT_EXPIRY_NOTICE];

table! {
    /// Credit whose owner was mailed that it expires.
    pub(crate) CREDIT_EXPIRY_NOTICE: "credit_expiry_notice" {
        part: None, kept: "until the credit is spent or has expired", erasure: Erasure::Deletes
    }
    lot_id = left_out(LINK);
    workspace_id = left_out(LINK);
    days = left_out(STATE);
}
