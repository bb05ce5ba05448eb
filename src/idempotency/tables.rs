//! The tables of idempotency: each column once, with its tags.

use crate::db::{Erasure, LINK, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[KEPT_ANSWER];

table! {
    /// Answers to requests with an idempotency key.
    pub(crate) KEPT_ANSWER: "kept_answer" { part: None, kept: "48 hours", erasure: Erasure::Deletes }
    actor_id = left_out(LINK);
    route = left_out(STATE);
    key = left_out(STATE);
    request_hash = left_out(STATE);
    status = left_out(STATE);
    body = left_out("a response to a service, kept for 48 hours").personal("answers a repeated request as the first one");
    expires_at = left_out(STATE).ends();
    workspace_id = left_out(LINK);
}
