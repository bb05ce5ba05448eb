//! The tables of services: each column once, with its tags.

use crate::db::{Erasure, LINK, SECRET, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[SERVICE, SERVICE_CREDENTIAL];

table! {
    /// Other programs of the platform.
    pub(crate) SERVICE: "service" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    name = left_out("a program's name, given by an operator");
    created_at = left_out(STATE);
}

table! {
    /// The credentials of other programs.
    pub(crate) SERVICE_CREDENTIAL: "service_credential" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    service_id = left_out(LINK);
    lookup = left_out(SECRET);
    pepper_id = left_out(STATE);
    display = left_out(STATE);
    created_at = left_out(STATE);
    ends_at = left_out(STATE).set_later().ends();
    revoked_at = left_out(STATE).set_later();
}
