//! What can be wrong with the audit chain.

use super::checkpoint::NoteFault;
use super::ops::Lost;
use crate::base::Problem;
use crate::db;

/// A failure of the audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The chain is damaged. `seq` is the first event that does not match.
    #[error("the audit is damaged at event {seq}: {what}")]
    Damaged {
        /// The number of the event.
        seq: i64,
        /// What does not match, as a clause.
        what: &'static str,
    },
    /// The chain is whole in itself, and is not the one that a signed checkpoint is about: it was changed and made again.
    /// What was changed is after event `after`.
    #[error("the audit is damaged after event {after}: the events up to {size} are not those of a signed checkpoint")]
    Rewritten {
        /// The last event that a checkpoint confirms. 0: none does.
        after: i64,
        /// The number of events in the checkpoint.
        size: i64,
    },
    /// Events at the end are missing.
    #[error("the audit is damaged at event {}: it is missing, and a signed checkpoint has {size} events", events + 1)]
    Cut {
        /// The number of events that are there.
        events: i64,
        /// The number of events in the checkpoint.
        size: i64,
    },
    /// A signed checkpoint has events that a restore lost. The audit is whole without them.
    #[error("{}", lost(.0))]
    LostByRestore(Box<Lost>),
    /// The text to compare with is no checkpoint of this appliance.
    #[error("the checkpoint cannot be used: {0}")]
    Note(#[from] NoteFault),
    /// The database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

fn lost(lost: &Lost) -> String {
    let (first, last) = lost.events();
    let at = lost.restore.opened_at.day_and_time();
    match lost.line {
        Some(line) => format!(
            "restored at {at}: the events {first} to {last} of a signed checkpoint are lost, and line {line} of the journal \
             notes the restore"
        ),
        None => format!(
            "the events {first} to {last} of a signed checkpoint are missing: the audit says that a restore at {at} lost \
             them, and the journal does not confirm it"
        ),
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Damaged { .. }
            | AuditError::Rewritten { .. }
            | AuditError::Cut { .. }
            | AuditError::LostByRestore(_)
            | AuditError::Note(_) => Problem::internal(error),
            AuditError::Db(error) => error.into(),
        }
    }
}
