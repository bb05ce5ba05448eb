//! What a snapshot says of itself.

use serde_json::{Value, json};

use crate::audit::Digest;
use crate::base::Timestamp;

/// The row inside a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was made.
    pub made_at: Timestamp,
    /// How many migrations it has.
    pub schema_version: i64,
    /// The SQLite that wrote it.
    pub engine_version: String,
    /// Which keyring opens it.
    pub keyring_id: String,
    /// Its last audit event.
    pub audit_seq: i64,
    /// That event's leaf.
    pub audit_head: Digest,
    /// Its last tombstone.
    pub tombstone_seq: i64,
}

/// What a verified file holds.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it says of itself, compared with what it holds.
    pub stamp: Stamp,
    /// The region of its appliance.
    pub region: String,
    /// Which appliance.
    pub site_id: String,
    /// Its size.
    pub bytes: u64,
    /// Tables with their rows counted.
    pub rows: Vec<(String, i64)>,
    /// Audit events checked.
    pub audit_events: i64,
    /// Ledger transactions checked.
    pub ledger_transactions: i64,
}

/// What was published, for people.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What its verification found.
    pub report: Report,
    /// SHA-256 of the file.
    pub sha256: Digest,
}

impl Report {
    /// For machines: the file's manifest, and `verify --json`.
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
            "audit_head": hex::encode(self.stamp.audit_head),
            "tombstone_seq": self.stamp.tombstone_seq,
            "rows": rows,
        })
    }
}

impl Manifest {
    /// As written beside the snapshot.
    pub fn to_json(&self) -> Value {
        let mut value = self.report.to_json();
        value["format"] = json!("domicile.snapshot/1");
        value["file"] = json!("domicile.sqlite");
        value["sha256"] = json!(hex::encode(self.sha256));
        value
    }
}
