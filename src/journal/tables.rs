//! The tables of the journal: each column once, with its tags.

use crate::db::{EVIDENCE, Erasure, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[JOURNAL, JOURNAL_CHECK];

table! {
    /// What ended access, and what gave it back.
    pub(crate) JOURNAL: "journal" {
        part: None,
        erasure: Erasure::Keeps("so that a restored backup is cleaned again, and as proof of the erasure (GDPR Art. \
            5(2), 17(3)(b), 32): opaque ids"),
    }
    seq = left_out(EVIDENCE);
    kind = left_out(EVIDENCE);
    event = left_out("the activity, which is exported, has the event");
    target_id = left_out("the activity, which is exported, has the event");
    account_id = left_out(EVIDENCE);
    detail = left_out(EVIDENCE);
    receipt_id = left_out("on the person's receipt");
    at = left_out(EVIDENCE);
    prev_hash = left_out(EVIDENCE);
    hash = left_out(EVIDENCE);
}

table! {
    /// Up to which line the journal on the disk was verified.
    pub(crate) JOURNAL_CHECK: "journal_check" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    seq = left_out(STATE);
    hash = left_out(EVIDENCE);
    end_offset = left_out(STATE);
    whole_at = left_out(STATE).ends();
}
