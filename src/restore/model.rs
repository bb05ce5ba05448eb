//! What a restore is given, and what it did.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::replay::Replayed;
use crate::audit::{Epoch, NoteFault};
use crate::base::Timestamp;
use crate::snapshots::Report;

/// A file that is read. It is opened before the process gives up the rights of root, which may be needed for it.
#[derive(Debug)]
pub struct Source {
    /// For messages.
    pub path: PathBuf,
    #[allow(missing_docs)]
    pub file: File,
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// [`std::io::Error`].
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: File::open(path)? })
    }
}

/// What a backup has.
#[derive(Debug)]
pub struct Backup<'b> {
    /// The snapshot.
    pub snapshot: &'b Source,
    /// The journal, and where it should be, for the message when it is not there.
    pub journal: (Option<&'b Source>, &'b Path),
    /// The file of all checkpoints of the audit.
    pub checkpoints: Option<&'b Source>,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Existing data may be replaced. It is moved aside.
    pub replace: bool,
    /// The journal may be missing, damaged, or older than the snapshot: access that ended after the snapshot, and people
    /// who were erased after it, may come back.
    pub accept_missing_journal: bool,
}

/// What a restore does next, for a person who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Copies so many bytes of the snapshot.
    Copying(u64),
    /// Verifies the copy, of so many bytes, as a whole.
    Verifying(u64),
    /// Brings the copy from one schema to another.
    Migrating(usize, usize),
    /// Verifies the journals, of so many bytes together.
    ReadingJournal(u64),
    /// Applies so many lines of the journal, and ends all sessions and links.
    Replaying(usize),
    /// Exchanges the data.
    PuttingInPlace,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mebibytes = |bytes: &u64| format!("{:.1} MiB", *bytes as f64 / f64::from(1 << 20));
        match self {
            Self::Copying(bytes) => write!(f, "Copying the snapshot: {}.", mebibytes(bytes)),
            Self::Verifying(bytes) => {
                write!(f, "Verifying pages, structure, audit and ledger of {}.", mebibytes(bytes))
            }
            Self::Migrating(from, to) => write!(f, "Upgrading it from schema {from} to schema {to}."),
            Self::ReadingJournal(bytes) => write!(f, "Verifying the journal: {}.", mebibytes(bytes)),
            Self::Replaying(lines) => {
                write!(f, "Applying {lines} newer lines of the journal, and ending all sessions.")
            }
            Self::PuttingInPlace => f.write_str("Putting the restored data in place."),
        }
    }
}

/// What a restore did.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The verified snapshot.
    pub report: Report,
    /// The epoch that it opened.
    pub epoch: Epoch,
    /// What the lines of the journal changed that are newer than the snapshot.
    pub replayed: Replayed,
    /// Sessions that were ended.
    pub sessions_ended: usize,
    /// What happened to the checkpoints of the audit.
    pub checkpoints: Checkpoints,
    /// Where the replaced data is, and until when. `None`: nothing was replaced.
    pub replaced: Option<(PathBuf, Timestamp)>,
}

/// The checkpoints of the audit, from the backup and from the data that was replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// Events in the newest of them. `None`: there are none.
    pub events: Option<i64>,
    /// The highest number of a restore that they are from. `None`: there are none.
    pub epoch: Option<i64>,
    /// The files that were not used, and why.
    pub refused: Vec<(PathBuf, NoteFault)>,
}

impl Restored {
    /// The numbers of the first and the last event that a checkpoint has and the snapshot has not. `None`: there are none.
    pub fn proven_loss(&self) -> Option<(i64, i64)> {
        let last = self.checkpoints.events.filter(|events| *events > self.epoch.audit_seq)?;
        Some((self.epoch.audit_seq + 1, last))
    }

    /// The result for programs.
    pub fn to_json(&self) -> Value {
        let refused = self.checkpoints.refused.iter();
        let refused: Vec<_> = refused.map(|(path, cause)| json!({"path": path, "cause": cause.to_string()})).collect();
        json!({
            "snapshot_made_at": self.report.stamp.made_at.rfc3339(),
            "region": self.report.region,
            "site_id": self.report.site_id,
            "epoch": self.epoch.number,
            "audit_seq": self.epoch.audit_seq,
            "lost_events": self.epoch.lost_events().map(|(first, last)| json!({"first": first, "last": last})),
            "journal_lines_applied": self.replayed.lines,
            "journal_missing_accepted": self.epoch.has_accepted_missing_journal,
            "accounts_erased_again": self.replayed.erased,
            "access_changed_again": self.replayed.changed,
            "sessions_ended": self.sessions_ended,
            "checkpoint_events": self.checkpoints.events,
            "checkpoints_refused": refused,
            "lost_events_proven": self.proven_loss().map(|(first, last)| json!({"first": first, "last": last})),
            "replaced": self.replaced.as_ref().map(|(path, until)| json!({"path": path, "until": until.rfc3339()})),
        })
    }
}

/// How long operators see a restore on their pages.
pub(super) const NOTICE_DAYS: u64 = 30;

/// A restore, for the pages of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Names this restore, so that a browser can say that its operator has read the notice.
    pub id: String,
    /// What happened, what is lost, and what to do.
    pub sentences: Vec<String>,
}

impl Notice {
    pub(super) fn new(epoch: &Epoch) -> Self {
        let (made, opened) = (epoch.snapshot_made_at.day_and_time(), epoch.opened_at.day_and_time());
        let mut sentences =
            vec![format!("A backup of this site was restored on {opened}. It was made on {made}."), loss(epoch)];
        if epoch.has_accepted_missing_journal {
            sentences.push(JOURNAL_INCOMPLETE.to_owned());
        }
        sentences.push("To see every restore, run this on the server: domicile audit verify".to_owned());
        Self { id: epoch.opened_at.millis().to_string(), sentences }
    }
}

/// What operators must know after a restore without a complete journal.
pub(super) const JOURNAL_INCOMPLETE: &str =
    "The journal was not complete: keys that were revoked, and people who were deleted after the backup, may be back.";

/// What a restore lost, in one sentence for operators.
pub fn loss(epoch: &Epoch) -> String {
    match (epoch.lost_events(), &epoch.known) {
        (Some((first, last)), _) => {
            format!("The audit events {first} to {last} are lost, and so are the changes that they record.")
        }
        (None, Some(_)) => "The data that was replaced had no newer audit events.".to_owned(),
        (None, None) => format!(
            "What happened after audit event {} is lost. How much that is cannot be known, because the old data was not there.",
            epoch.audit_seq
        ),
    }
}
