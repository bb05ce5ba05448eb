//! The tables of the appliance itself: each column once, with its tags.

use super::table::{Erasure, Table, left_out, table};

/// Why a column is not exported: a secret.
pub const SECRET: &str = "a secret, or a value that a secret is checked against";
/// Why a column is not exported: it only joins rows.
pub const LINK: &str = "an id that only joins rows of this appliance";
/// Why a column is not exported: internal state.
pub const STATE: &str = "internal state; contains no information about the person";
/// Why a column is not exported: evidence.
pub const EVIDENCE: &str = "evidence without personal data";
/// Why a column is not exported: another one has the data.
pub const DERIVED: &str = "derived from data that is exported";

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] =
    &[SITE, SNAPSHOT_STAMP, KEYRING_IN_USE, CREDENTIAL_CHANGE, CLOCK, RESTORE_DRILL, KEYRING_ESCROW];

table! {
    /// The appliance itself. One row.
    pub(crate) SITE: "site" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    region = left_out("in the manifest");
    site_id = left_out("in the manifest");
    created_at = left_out(STATE);
}

table! {
    /// What a published snapshot says about itself. Empty in the live database.
    pub(crate) SNAPSHOT_STAMP: "snapshot_stamp" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    made_at = left_out(STATE);
    schema_version = left_out(STATE);
    engine_version = left_out(STATE);
    keyring_id = left_out(STATE);
    audit_seq = left_out(STATE);
    audit_head = left_out(EVIDENCE);
    tombstone_seq = left_out(STATE);
    ledger_seq = left_out(STATE);
    codes_digest = left_out(EVIDENCE);
}

table! {
    /// The keys of the keyring that are in use.
    pub(crate) KEYRING_IN_USE: "keyring_in_use" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    pepper_id = left_out(STATE);
    data_key_id = left_out(STATE);
    since = left_out(STATE);
}

table! {
    /// Changes of credentials, written by triggers.
    pub(crate) CREDENTIAL_CHANGE: "credential_change" {
        part: None,
        kept: "the newest ten thousand",
        erasure: Erasure::Keeps("opaque ids that refer to nothing after the erasure; the newest ten thousand of all \
            people are kept (Art. 32)"),
    }
    seq = left_out(STATE);
    kind = left_out(STATE);
    subject_id = left_out(LINK);
}

table! {
    /// What is known about the clock of the machine. One row.
    pub(crate) CLOCK: "clock" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    seen_at = left_out(STATE).set_later();
    uptime = left_out(STATE).set_later();
    stepped_at = left_out(STATE).set_later();
    stepped_by = left_out(STATE).set_later();
    ahead = left_out(STATE).set_later();
    ahead_since = left_out(STATE).set_later();
    grace_until = left_out(STATE).set_later();
    token_seq = left_out(STATE).set_later();
}

table! {
    /// Restore drills that were made.
    pub(crate) RESTORE_DRILL: "restore_drill" { part: None, kept: "the newest hundred", erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    finished_at = left_out(STATE).ages();
    snapshot_made_at = left_out(STATE);
    is_good = left_out(STATE);
    result = left_out(STATE);
    duration_ms = left_out(STATE);
}

table! {
    /// Copies of the keyring that were made for a safe place, or the decision to make none.
    pub(crate) KEYRING_ESCROW: "keyring_escrow" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    fingerprint = left_out(EVIDENCE);
    kind = left_out(STATE);
    at = left_out(STATE);
    reason = left_out(STATE);
}
