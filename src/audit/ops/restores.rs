//! What the audit and the journal say of restores: one cannot be claimed without the other.

use serde_json::Value;

use crate::audit::error::AuditError;
use crate::audit::event_type::EventKind as _;
use crate::audit::events::SiteEvent;
use crate::audit::model::Epoch;
use crate::audit::store;
use crate::db::{Error, Tx, View};
use crate::journal::{self, Entry, EntryKind, NewEntry};

/// Adds the entry of a restore to the journal, and answers it: it ended every session. `audit verify` compares the restores of the audit with
/// these lines.
///
/// # Errors
/// [`Error`]. The caller's transaction must not commit then.
// No permission, no event: the restore does it, and has recorded its event before it applied the journal.
pub fn journal_restore(tx: &mut Tx<'_>, epoch: &Epoch) -> Result<Entry, Error> {
    journal::record(
        tx,
        NewEntry::Access {
            kind: EntryKind::Revocation,
            event: SiteEvent::BackupRestored.event_type().name,
            target: epoch.journal_target(),
            account: None,
            detail: Some(epoch.journal_detail()),
        },
    )
}

/// Checks that the first event of each epoch is the one of its restore: a row alone is no restore.
pub(super) fn check_events(view: &View<'_>, epochs: &[Epoch]) -> Result<(), AuditError> {
    for epoch in epochs {
        let seq = epoch.audit_seq + 1;
        let event = store::find_event(view, seq)?;
        let event = event.filter(|event| event.event == SiteEvent::BackupRestored.event_type().name);
        let data: Option<Value> = event.and_then(|event| serde_json::from_str(&event.data).ok());
        let is_its_own = data.is_some_and(|data| {
            data["epoch"] == epoch.number
                && data["audit_seq"] == epoch.audit_seq
                && data["snapshot_made_at"] == epoch.snapshot_made_at.rfc3339()
        });
        if !is_its_own {
            return Err(AuditError::Damaged {
                seq,
                what: "it is not the event of the restore that is noted before it",
            });
        }
    }
    Ok(())
}

/// The line of the journal about a restore. `None`: it has none, because an earlier version restored, or nothing was.
///
/// # Errors
/// [`AuditError::Damaged`]: the line is about another restore. [`AuditError::Db`].
pub(super) fn line_of(view: &View<'_>, epoch: &Epoch) -> Result<Option<i64>, AuditError> {
    let event = SiteEvent::BackupRestored.event_type().name;
    let Some(line) = journal::find_last(view, event, &epoch.journal_target())? else { return Ok(None) };
    if line.at != epoch.opened_at || line.detail != Some(epoch.journal_detail()) {
        let what = "the journal notes another restore than the audit";
        return Err(AuditError::Damaged { seq: epoch.audit_seq + 1, what });
    }
    Ok(Some(line.seq))
}
