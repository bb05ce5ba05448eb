//! What an export and an erasure are.

use std::path::PathBuf;

use crate::base::{AccountId, ArtifactId, RequestId, Secret, Timestamp};

/// The name of the job that writes one export.
pub const EXPORT: &str = "privacy.export";

/// The name of the job that publishes a snapshot: an erasure asks for one, so that the file of the backup jobs forgets the
/// person, too.
pub const PUBLISH: &str = "snapshot.publish";

/// Where an export is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// Waits for the job.
    Requested,
    /// Is being written.
    Running,
    /// Can be downloaded.
    Ready,
    /// Did not come about; see [`Export::problem`].
    Failed,
    /// Was deleted after its time.
    Expired,
}

impl ExportState {
    /// As stored.
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

    /// Whether it will still change by itself.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Requested | Self::Running)
    }
}

/// An export as its person sees it.
#[derive(Clone, Debug)]
pub struct Export {
    /// The request.
    pub id: RequestId,
    /// Where it is.
    pub state: ExportState,
    /// 0 to 100.
    pub progress_percent: u8,
    /// What is being done, for people. Empty: nothing.
    pub step: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was ready or failed. `None`: not yet.
    pub finished_at: Option<Timestamp>,
    /// Why it failed, for people. `None`: it did not.
    pub problem: Option<String>,
    /// The file. `None`: none yet, or no longer.
    pub artifact: Option<Artifact>,
}

/// A finished export.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Names it, and its file.
    pub id: ArtifactId,
    /// What browsers save it as.
    pub file_name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the sealed file: a strong ETag.
    pub sha256: [u8; 32],
    /// Since when.
    pub ready_at: Timestamp,
    /// Until when.
    pub delete_after: Timestamp,
}

/// A freshly made download link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Goes into the address; kept nowhere.
    pub token: Secret<String>,
    /// From then on it is nothing.
    pub expires_at: Timestamp,
}

/// What a good link leads to.
#[derive(Clone, Debug)]
pub struct Download {
    /// What is downloaded.
    pub artifact: Artifact,
    /// Where it is on the disk.
    pub path: PathBuf,
}

/// What is left of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// For the person, to ask about it later.
    pub id: RequestId,
    /// Who it was; opaque.
    pub account: AccountId,
    /// When.
    pub erased_at: Timestamp,
    /// Exports whose files are to be removed now.
    pub exports: Vec<ArtifactId>,
}

/// What the job works on.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub request: RequestId,
    pub account: AccountId,
    pub artifact: ArtifactId,
    pub recipient_kind: String,
    pub recipient: Vec<u8>,
    pub requested_at: Timestamp,
}
