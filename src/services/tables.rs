//! The tables of services: each column once, with its tags.

use crate::db::{Erasure, SECRET, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[SERVICE];

table! {
    /// Other programs of the platform.
    pub(crate) SERVICE: "service" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    name = left_out("a program's name, given by an operator");
    lookup = left_out(SECRET);
    pepper_id = left_out(STATE);
    created_at = left_out(STATE);
}
