//! The description of a snapshot: stamp, verification report and manifest.

use serde_json::{Value, json};

use crate::audit::Digest;
use crate::base::Timestamp;

/// The row inside a snapshot that describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stamp {
    /// The moment whose state it has: what was acknowledged before is in it.
    pub made_at: Timestamp,
    /// The number of migrations.
    pub schema_version: i64,
    /// The version of SQLite that wrote it, for example `3.46.1`.
    pub engine_version: String,
    pub keyring_id: String,
    /// The number of the last audit event. 0: there is none.
    pub audit_seq: i64,
    /// The leaf hash of that event.
    pub audit_head: Digest,
    /// The number of the last entry of the journal. 0: there is none.
    pub tombstone_seq: i64,
    /// The number of the last ledger transaction. 0: there is none.
    pub ledger_seq: i64,
    /// The digest of the authentication codes of all pages that the stamp does not change (see [`crate::db::read_pages`]).
    /// `None`: the snapshot is older than this field.
    pub codes_digest: Option<[u8; 32]>,
}

/// The content of a verified file.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Report {
    /// The stamp. Verification has compared it with the content.
    pub stamp: Stamp,
    pub region: String,
    pub site_id: String,
    pub bytes: u64,
    /// The number of rows of each table.
    pub rows: Vec<(String, i64)>,
    /// The epoch: 1 from `init` on, and one more after each restore.
    pub epoch: i64,
    /// Audit events that were verified.
    pub audit_events: i64,
    /// Ledger transactions that were verified.
    pub ledger_transactions: i64,
}

/// The description of a published snapshot, for people and backup jobs.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The result of its verification.
    pub report: Report,
    /// SHA-256 of the encrypted file.
    pub sha256: Digest,
}

impl Report {
    /// The report as JSON, for the manifest and for `verify --json`.
    pub fn to_json(&self) -> Value {
        let rows: serde_json::Map<_, _> = self.rows.iter().map(|(table, rows)| (table.clone(), json!(rows))).collect();
        json!({
            "made_at": self.stamp.made_at.rfc3339(),
            "schema_version": self.stamp.schema_version,
            "engine_version": self.stamp.engine_version,
            "region": self.region,
            "site_id": self.site_id,
            "keyring_id": self.stamp.keyring_id,
            "bytes": self.bytes,
            "audit_seq": self.stamp.audit_seq,
            "epoch": self.epoch,
            "audit_head": hex::encode(self.stamp.audit_head),
            "tombstone_seq": self.stamp.tombstone_seq,
            "rows": rows,
        })
    }
}

impl Manifest {
    /// The content of the manifest file.
    pub fn to_json(&self) -> Value {
        let mut value = self.report.to_json();
        value["format"] = json!("domicile.snapshot/1");
        value["file"] = json!("domicile.sqlite");
        value["sha256"] = json!(hex::encode(self.sha256));
        value
    }
}
