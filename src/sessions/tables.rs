//! The tables of sessions: each column once, with its tags.

use crate::db::{Cell, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[SESSION, SESSION_ROTATED, DEVICE, THROTTLE];

table! {
    /// Sessions.
    pub(crate) SESSION: "session" {
        part: Some("account/sessions"),
        kept: "until it ends",
        erasure: Erasure::Deletes,
    }
    id = exported(Cell::Text);
    created_at = exported(Cell::Time);
    last_seen_at = exported(Cell::Time).ages();
    ends_at = exported(Cell::Time).ends();
    proved_at = exported(Cell::Time).ages();
    address = exported(Cell::Text).personal("lets people recognize their sessions");
    agent = exported(Cell::Text).personal("lets people recognize their sessions");
    method = exported(Cell::Text);
    digest = left_out(SECRET);
    account_id = left_out(LINK);
    idle_seconds = left_out("a setting of the site");
    remembered = left_out(STATE);
    rotated_at = left_out(STATE).ages();
}

table! {
    /// Recently replaced session cookies.
    pub(crate) SESSION_ROTATED: "session_rotated" { part: None, erasure: Erasure::Deletes }
    digest = left_out(SECRET);
    session_id = left_out(LINK);
    until = left_out(STATE).ends();
}

table! {
    /// Browsers that a person signed in with.
    pub(crate) DEVICE: "device" { part: Some("account/devices"), erasure: Erasure::Deletes }
    first_seen_at = exported(Cell::Time);
    last_seen_at = exported(Cell::Time).ends();
    is_trusted = exported(Cell::Flag).set_later();
    has_signed_in = exported(Cell::Flag);
    digest = left_out(SECRET);
    account_id = left_out(LINK);
}

table! {
    /// Counters of wrong proofs, and of mails to people who are not signed in.
    pub(crate) THROTTLE: "throttle" {
        part: None,
        kept: "a month after the last wrong proof",
        erasure: Erasure::Keeps("a counter under a keyed digest, deleted after a month at the latest, so that an \
            erasure resets no throttle (Art. 32)"),
    }
    bucket = left_out("a keyed digest that does not reveal whose it is");
    failures = left_out(STATE);
    until = left_out(STATE).ends();
    updated_at = left_out(STATE).ends();
}
