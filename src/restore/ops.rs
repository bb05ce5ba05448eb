//! Completes the restored database in its first transaction, before it is in use.

use serde_json::json;

use super::error::RestoreError;
use super::mails;
use super::model::{NOTICE_DAYS, Notice};
use super::replay::{self, Replayed};
use crate::audit::{self, Epoch, Event, KnownHead, SiteEvent};
use crate::base::{Actor, days};
use crate::db::{self, Tx, View};
use crate::journal::{self, Entry};
use crate::privacy;
use crate::snapshots::{self, Report};
use crate::{accounts, factors, mail, services, sessions, signin, tokens};

/// What is known when the transaction begins.
pub(super) struct Plan<'p> {
    pub report: &'p Report,
    /// Of the data that is replaced.
    pub known: Option<Known>,
    /// The highest number of a restore in the journal and in the checkpoints of the audit. They may be newer than the
    /// snapshot, also where no old data is. 1: they have none.
    pub other_epoch: i64,
    /// The lines of the journal after the snapshot, in order.
    pub newer: &'p [Entry],
    pub has_accepted_missing_journal: bool,
}

/// How far the data went that is replaced.
pub(super) struct Known {
    /// The last audit event.
    pub head: KnownHead,
    /// The epoch of that event.
    pub epoch: i64,
}

/// What the transaction did.
pub(super) struct Completed {
    pub epoch: Epoch,
    /// What the journal notes of the restore.
    pub entry: Entry,
    pub replayed: Replayed,
    pub sessions_ended: usize,
}

/// Opens the epoch, applies the journal, and ends everything whose end the snapshot cannot know: sessions, pending sign-ins,
/// links to enter, and the numbers of the revocation feed.
///
/// # Errors
/// [`RestoreError::OldKeyring`], [`RestoreError::UnknownEntry`], [`RestoreError::Privacy`], [`RestoreError::Db`].
pub(super) fn complete(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<Completed, RestoreError> {
    if let Some(ids) = db::find_keys_in_use(tx)? {
        tx.site().keyring.use_only(ids)?;
    }
    snapshots::delete_stamp(tx)?;
    let epoch = open_epoch(tx, plan)?;
    let replayed = replay::apply(tx, plan.newer)?;
    // After the lines that were there, which keep their numbers.
    let entry = audit::journal_restore(tx, &epoch)?;
    let sessions_ended = sessions::end_of_all(tx)?;
    factors::end_unfinished(tx)?;
    accounts::end_entry_links(tx)?;
    signin::oauth::end_requests(tx)?;
    privacy::end_export_links(tx)?;
    services::end_enrol_codes(tx)?;
    tokens::skip_lost_numbers(tx)?;
    tell_operators(tx, &epoch)?;
    Ok(Completed { epoch, entry, replayed, sessions_ended })
}

/// The newest restore, for an operator whose browser does not say that it was read: it is shown for 30 days. `read`: the id
/// that the browser says. `None`: there is nothing to show.
///
/// # Errors
/// [`db::Error`].
pub fn notice(view: &View<'_>, is_operator: bool, read: Option<&str>) -> Result<Option<Notice>, db::Error> {
    if !is_operator {
        return Ok(None);
    }
    let newest = audit::epochs(view)?.into_iter().max_by_key(|epoch| epoch.opened_at);
    let is_recent = |epoch: &Epoch| view.now().since(epoch.opened_at) < days(NOTICE_DAYS);
    let notice = newest.filter(is_recent).map(|epoch| Notice::new(&epoch));
    Ok(notice.filter(|notice| read != Some(notice.id.as_str())))
}

fn tell_operators(tx: &mut Tx<'_>, epoch: &Epoch) -> Result<(), db::Error> {
    let site = tx.site().config.public_url.clone();
    for operator in accounts::addresses::operators(tx)? {
        let message = mails::backup_restored(&operator.display_name, epoch, &site);
        mail::enqueue(tx, Some(operator.account), operator.address, &message)?;
    }
    Ok(())
}

/// The event of the restore is the first one after the snapshot.
fn open_epoch(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<Epoch, db::Error> {
    let (audit_seq, audit_head) = audit::head(tx)?;
    // After every epoch that is known, so that no two have the same number.
    let known = plan.known.as_ref().map_or(1, |known| known.epoch);
    let last = audit::epoch_number(tx)?.max(known).max(plan.other_epoch);
    let epoch = Epoch {
        number: last + 1,
        opened_at: tx.now(),
        snapshot_made_at: plan.report.stamp.made_at,
        audit_seq,
        audit_head,
        journal_seq: plan.newer.last().map_or(journal::head(tx)?.seq, |last| last.seq),
        known: plan.known.as_ref().map(|known| known.head.clone()),
        has_accepted_missing_journal: plan.has_accepted_missing_journal,
    };
    audit::open_epoch(tx, &epoch)?;
    let data = json!({
        "epoch": epoch.number,
        "snapshot_made_at": epoch.snapshot_made_at.rfc3339(),
        "audit_seq": epoch.audit_seq,
        "lost_events": epoch.lost_events().map(|(first, last)| json!([first, last])),
        "journal_lines_applied": plan.newer.len(),
        "journal_missing_accepted": epoch.has_accepted_missing_journal,
    });
    audit::record(tx, &Actor::Operator, Event::new(SiteEvent::BackupRestored).data(data))?;
    Ok(epoch)
}
