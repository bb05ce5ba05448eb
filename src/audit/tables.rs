//! The tables of audit: each column once, with its tags.

use crate::db::{Cell, EVIDENCE, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

const PROOF: &str = "evidence that the record was not changed (GDPR Art. 17(3)(e), Art. 32); ids are opaque";

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[AUDIT_EVENT, AUDIT_PRIVATE, SUBJECT_KEY, EPOCH, AUDIT_TREE];

table! {
    /// The audit, a hash chain over commitments.
    pub(crate) AUDIT_EVENT: "audit_event" { part: Some("activity/activity"), erasure: Erasure::Keeps(PROOF) }
    seq = exported(Cell::Number);
    id = exported(Cell::Text);
    at = exported(Cell::Time);
    event = exported(Cell::Text);
    outcome = exported(Cell::Text);
    actor_kind = exported(Cell::Text).named("actor.kind");
    actor_id = exported(Cell::Text).named("actor.id");
    target_id = exported(Cell::Text).named("target");
    data_json = exported(Cell::Text).named("data");
    workspace_id = left_out(LINK);
    commitments_json = left_out(EVIDENCE);
    prev_hash = left_out(EVIDENCE);
    leaf_hash = left_out(EVIDENCE);
}

table! {
    /// The personal data of audit events, sealed with a key of its person.
    pub(crate) AUDIT_PRIVATE: "audit_private" { part: Some("activity/activity"), erasure: Erasure::Deletes }
    seq = left_out(LINK);
    part = exported(Cell::Text).named("private");
    subject_id = left_out(LINK);
    salt = left_out(EVIDENCE);
    sealed = left_out("its content is exported")
        .personal("tells people and operators who did what from where")
        .kept("30 days, if it belongs to no account");
}

table! {
    /// The key of each person that the personal data in the audit is sealed with.
    pub(crate) SUBJECT_KEY: "subject_key" { part: None, erasure: Erasure::Deletes }
    subject_id = left_out(LINK);
    sealed_key = left_out(SECRET);
    created_at = left_out(STATE);
}

table! {
    /// Restores, each of which opened an epoch.
    pub(crate) EPOCH: "epoch" { part: None, erasure: Erasure::NothingPersonal }
    number = left_out(STATE);
    opened_at = left_out(STATE);
    snapshot_made_at = left_out(STATE);
    audit_seq = left_out(EVIDENCE);
    audit_head = left_out(EVIDENCE);
    journal_seq = left_out(EVIDENCE);
    known_audit_seq = left_out(EVIDENCE);
    known_audit_head = left_out(EVIDENCE);
    journal_accepted_missing = left_out(STATE);
}

table! {
    /// The Merkle tree over the leaves, up to the newest checkpoint.
    pub(crate) AUDIT_TREE: "audit_tree" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    size = left_out(EVIDENCE);
    epoch = left_out(EVIDENCE);
    roots = left_out(EVIDENCE);
    note = left_out(EVIDENCE);
    made_at = left_out(STATE);
}
