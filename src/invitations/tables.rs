//! The tables of invitations: each column once, with its tags.

use crate::db::{DERIVED, Erasure, SECRET, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[INVITATION];

table! {
    /// Invitations that are open.
    pub(crate) INVITATION: "invitation" { part: None, kept: "two weeks", erasure: Erasure::Deletes }
    id = left_out(STATE);
    digest = left_out(SECRET);
    address = left_out("of a person who has no account; the row is deleted when they create one, or after two weeks")
        .personal("receives the invitation");
    folded = left_out(DERIVED).personal("finds the address");
    is_operator = left_out(STATE);
    created_at = left_out(STATE);
    expires_at = left_out(STATE).ends();
}
