//! The tables of jobs: each column once, with its tags.

use crate::db::{Erasure, LINK, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[JOB];

table! {
    /// The queue of jobs.
    pub(crate) JOB: "job" { part: None, kept: "a week after its end", erasure: Erasure::Deletes }
    id = left_out(STATE);
    name = left_out(STATE);
    payload_json = left_out(LINK);
    subject_id = left_out(LINK);
    unique_key = left_out(STATE);
    state = left_out(STATE);
    run_at = left_out(STATE).ends();
    attempts = left_out(STATE).set_later();
    last_error = left_out(STATE).set_later();
    created_at = left_out(STATE);
    finished_at = left_out(STATE).set_later().ends();
}
