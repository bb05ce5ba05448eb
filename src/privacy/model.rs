//! The types of exports and erasures.

use std::path::PathBuf;

use crate::base::{AccountId, ArtifactId, RequestId, Secret, Timestamp};
use crate::db::KeptCopy;

/// The name of the job that writes an export.
pub const EXPORT: &str = "privacy.export";

/// The name of the job that publishes a snapshot, whose code is in a higher layer. An erasure queues it, so that the file
/// for backup jobs no longer contains the person.
pub const PUBLISH: &str = "snapshot.publish";

/// The state of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// Waits for the job.
    Requested,
    /// The job writes it.
    Running,
    /// Can be downloaded.
    Ready,
    /// It failed; see [`Export::problem`].
    Failed,
    /// The file was deleted after its retention period.
    Expired,
}

impl ExportState {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Requested, Self::Running, Self::Ready, Self::Failed, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Whether the job still has to finish it.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Requested | Self::Running)
    }
}

/// An export for the page of its person.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Export {
    pub id: RequestId,
    pub state: ExportState,
    /// 0 to 100.
    pub progress_percent: u8,
    /// The current step, for people. Empty: none.
    pub step: String,
    pub requested_at: Timestamp,
    /// When it became ready or failed. `None`: not yet.
    pub finished_at: Option<Timestamp>,
    /// Why it failed, for people. `None`: it did not fail.
    pub problem: Option<String>,
    /// The file. `None`: not written yet, or deleted.
    pub artifact: Option<Artifact>,
}

impl Export {
    /// Whether its file is there.
    pub fn can_download(&self) -> bool {
        self.state == ExportState::Ready && self.artifact.is_some()
    }

    /// See [`Export::problem`].
    pub fn has_failed(&self) -> bool {
        self.state == ExportState::Failed
    }
}

/// The file of a finished export.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Artifact {
    /// Also the name of the file on the disk.
    pub id: ArtifactId,
    /// The name under which browsers save it.
    pub file_name: String,
    pub bytes: u64,
    /// SHA-256 of the encrypted file. Used as a strong ETag.
    pub sha256: [u8; 32],
    pub ready_at: Timestamp,
    /// From then on it cannot be downloaded, and its file is deleted.
    pub delete_after: Timestamp,
}

/// A new download link.
#[derive(Clone, Debug)]
pub struct Link {
    /// The secret part of the link. Only its digest is stored.
    pub token: Secret<String>,
    /// From then on the link is invalid.
    pub expires_at: Timestamp,
}

/// The target of a valid download link.
#[derive(Clone, Debug)]
pub struct Download {
    /// The file that is downloaded.
    pub artifact: Artifact,
    /// Its path on the disk.
    pub path: PathBuf,
}

/// The result of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The receipt number. The person can use it to ask about the erasure later.
    pub id: RequestId,
    /// The erased account, as an opaque id.
    pub account: AccountId,
    /// The time of the erasure.
    pub erased_at: Timestamp,
    /// Exports whose files must be removed now.
    pub exports: Vec<ArtifactId>,
    /// Copies of the database that still contain the person, until they are deleted.
    pub copies: Vec<KeptCopy>,
    /// The names of the services that have to answer.
    pub services: Vec<String>,
}

impl Receipt {
    /// Which services the receipt waits for, as a sentence. `None`: none has anything of the person.
    pub fn requested(&self) -> Option<String> {
        match self.services.as_slice() {
            [] => None,
            [one] => Some(format!(
                "The receipt is final when the service {one} has confirmed that it deleted what it has of you."
            )),
            several => Some(format!(
                "The receipt is final when these services have confirmed that they deleted what they keep about you: {}.",
                several.join(", ")
            )),
        }
    }

    /// What of the person remains until when, as a sentence. `None`: no copy of the database remains.
    pub fn remaining(&self) -> Option<String> {
        let last = self.copies.iter().map(|copy| copy.delete_after).max()?;
        let names: Vec<&str> = self.copies.iter().map(|copy| copy.name.as_str()).collect();
        Some(format!(
            "Encrypted copies of the database from before an upgrade or a restore ({}) still contain the data. The last of \
             them is deleted on {}.",
            names.join(", "),
            last.day()
        ))
    }
}

/// An erasure whose receipt is not final: a file may still contain data of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PendingErasure {
    pub receipt: RequestId,
    pub erased_at: Timestamp,
    /// Whether the deleted rows are no longer in the write-ahead log.
    pub log_emptied: bool,
    /// Whether the published snapshot was made after the erasure.
    pub snapshot_replaced: bool,
}

impl PendingErasure {
    /// Whether it should have been final by now: it takes minutes while a server runs.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.erased_at.plus(crate::base::hours(1)) < now
    }
}

/// The input of the export job.
#[derive(Clone, Debug)]
pub(super) struct ExportTask {
    pub request: RequestId,
    pub account: AccountId,
    pub artifact: ArtifactId,
    pub recipient_kind: String,
    pub recipient: Vec<u8>,
    pub requested_at: Timestamp,
}
