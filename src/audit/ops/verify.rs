//! Verifies the chain, and compares it with signed checkpoints.

use serde_json::Value;

use super::{NO_COMMITMENTS, find_subject_key, leaf_of, leaf_of_event, restores, seal_context};
use crate::audit::chain;
use crate::audit::checkpoint::{Checkpoint, NoteFault};
use crate::audit::error::AuditError;
use crate::audit::model::{AuditSummary, Epoch};
use crate::audit::store::{self, EventRow};
use crate::audit::tree::Frontier;
use crate::base::{Digest, GENESIS};
use crate::crypto::seal;
use crate::db::View;

/// Checks every event against its predecessor and its own leaf, every private part that still exists against its
/// commitment, and the tree against the newest checkpoint in the database. 10 million events take about ten seconds.
///
/// # Errors
/// [`AuditError`], with the first event that does not match.
pub fn verify(view: &View<'_>) -> Result<AuditSummary, AuditError> {
    verify_against(view, &[], &[]).map(|verified| verified.summary)
}

/// As [`verify`], for the events after one that was verified before: its number, and its leaf. The summary has the number
/// of all events, and the private parts of those after it. Checkpoints are not compared.
///
/// # Errors
/// As [`verify`]; also if that event has another leaf now.
pub fn verify_since(view: &View<'_>, seq: i64, leaf: Digest) -> Result<AuditSummary, AuditError> {
    verify_chain(view, store::list_epochs_if_known(view)?, (seq, leaf), |_| Ok(()))
}

/// What [`verify_against`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The chain.
    pub summary: AuditSummary,
    /// For each restore of the chain, the line of the journal that notes it. `None`: the journal does not have it.
    pub lines: Vec<Option<i64>>,
    /// How many of the given checkpoints it contains.
    pub confirmed: usize,
    /// Of the given checkpoints, the largest one with events that a restore lost. The caller knows of all such restores.
    pub lost: Option<Lost>,
}

/// Events of a signed checkpoint that a restore lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The restore, as the audit notes it.
    pub restore: Epoch,
    /// The line of the journal that notes the same restore. `None`: it has none.
    pub line: Option<i64>,
}

impl Lost {
    /// The numbers of the first and the last lost event.
    pub fn events(&self) -> (i64, i64) {
        (self.restore.audit_seq + 1, events_of(&self.checkpoint))
    }
}

/// Reads signed checkpoints that were kept elsewhere: one, or several after each other. The last one may be incomplete.
///
/// # Errors
/// [`NoteFault`]: one of them is not a checkpoint of this appliance.
pub fn open_checkpoints(view: &View<'_>, notes: &str) -> Result<Vec<Checkpoint>, NoteFault> {
    Checkpoint::open_all(notes, &view.site().keyring.checkpoint_key().verifying_key())
}

/// As [`verify`], and compares the tree with checkpoints that were kept elsewhere. This also finds a chain that was made
/// again, or cut, by somebody who has every key.
///
/// Nothing here can tell a restore from a cut that pretends to be one, so a person has to: `known_restores` are the numbers
/// of the epochs whose restore the caller knows of.
///
/// # Errors
/// [`AuditError`], with the first place that does not match. [`AuditError::LostByRestore`]: the audit is whole, and a
/// restore that the caller does not know of lost events of a checkpoint.
pub fn verify_against(
    view: &View<'_>,
    checkpoints: &[Checkpoint],
    known_restores: &[i64],
) -> Result<Verified, AuditError> {
    let epochs = store::list_epochs_if_known(view)?;
    let current = epochs.last().map_or(1, |epoch| epoch.number);
    let stored = store::find_tree_if_known(view)?;
    let own = match &stored {
        None => None,
        Some(row) => {
            let own = Checkpoint::open(&row.note, &view.site().keyring.checkpoint_key().verifying_key());
            let damaged = AuditError::Damaged { seq: row.size, what: "its checkpoint was changed" };
            let Ok(own) = own else { return Err(damaged) };
            Some(own)
        }
    };
    let mut lost: Vec<(&Checkpoint, i64)> = Vec::new();
    let mut expected: Vec<&Checkpoint> = Vec::new();
    expected.extend(&own);
    for checkpoint in checkpoints {
        let epoch = checkpoint.epoch().ok_or(NoteFault::NoCheckpoint)?;
        if epoch > current {
            let what = "a signed checkpoint is of a restore that this database does not have";
            return Err(AuditError::Damaged { seq: events_of(checkpoint), what });
        }
        // Each later restore may have lost events of this epoch.
        let cut = epochs.iter().filter(|later| later.number > epoch).min_by_key(|later| later.audit_seq);
        match cut {
            Some(restore) if events_of(checkpoint) > restore.audit_seq => lost.push((checkpoint, restore.number)),
            _ => expected.push(checkpoint),
        }
    }
    let confirmed = checkpoints.len() - lost.len();
    expected.sort_by_key(|checkpoint| checkpoint.size);

    let mut tree = Frontier::default();
    let mut waiting = expected.into_iter().peekable();
    let mut after = 0;
    let summary = verify_chain(view, epochs, (0, GENESIS), |leaf| {
        tree.push(leaf);
        while let Some(checkpoint) = waiting.next_if(|checkpoint| checkpoint.size <= tree.size()) {
            if checkpoint.size != tree.size() || checkpoint.root != tree.root() {
                return Err(AuditError::Rewritten { after, size: events_of(checkpoint) });
            }
            after = events_of(checkpoint);
        }
        if stored.as_ref().is_some_and(|row| row.size == events(&tree) && row.roots != tree.bytes()) {
            return Err(AuditError::Damaged { seq: events(&tree), what: "the tree of the checkpoint was changed" });
        }
        Ok(())
    })?;
    if let Some(checkpoint) = waiting.last() {
        return Err(AuditError::Cut { events: summary.events, size: events_of(checkpoint) });
    }
    let lines = summary
        .epochs
        .iter()
        .map(|restore| restores::line_of(view, restore))
        .collect::<Result<Vec<_>, AuditError>>()?;
    let is_known = |number: &i64| known_restores.contains(number);
    // One of a restore that the caller does not know of goes before.
    let largest = lost.into_iter().max_by_key(|(checkpoint, restore)| (!is_known(restore), checkpoint.size));
    let lost = largest.and_then(|(checkpoint, number)| {
        let (restore, line) = summary.epochs.iter().zip(&lines).find(|(restore, _)| restore.number == number)?;
        Some(Lost { checkpoint: checkpoint.clone(), restore: restore.clone(), line: *line })
    });
    match lost {
        Some(lost) if !is_known(&lost.restore.number) => Err(AuditError::LostByRestore(Box::new(lost))),
        lost => Ok(Verified { summary, lines, confirmed, lost }),
    }
}

fn events_of(checkpoint: &Checkpoint) -> i64 {
    i64::try_from(checkpoint.size).unwrap_or(i64::MAX)
}

fn events(tree: &Frontier) -> i64 {
    i64::try_from(tree.size()).unwrap_or(i64::MAX)
}

/// Checks the events after `seq`, whose leaf is `leaf`, and calls `each` with every leaf.
fn verify_chain(
    view: &View<'_>,
    epochs: Vec<Epoch>,
    (seq, leaf): (i64, Digest),
    mut each: impl FnMut(Digest) -> Result<(), AuditError>,
) -> Result<AuditSummary, AuditError> {
    if leaf_of_event(view, seq)? != Some(leaf) {
        return Err(AuditError::Damaged { seq, what: "it is not the event that was verified before" });
    }
    let mut head = leaf;
    let mut events = seq;
    let mut private_parts = 0;
    store::walk_events(view, seq, |row| {
        let damaged = |what| AuditError::Damaged { seq: row.seq, what };
        if row.seq != events + 1 {
            return Err(AuditError::Damaged { seq: events + 1, what: "the event is missing" });
        }
        if row.previous != head {
            return Err(damaged("it does not follow the event before it"));
        }
        if chain::leaf(&head, &leaf_of(&row)) != row.leaf {
            return Err(damaged("its content was changed"));
        }
        private_parts += verify_private(view, &row)?;
        head = row.leaf;
        events = row.seq;
        each(row.leaf)
    })?;
    for epoch in &epochs {
        if leaf_of_event(view, epoch.audit_seq)? != Some(epoch.audit_head) {
            return Err(AuditError::Damaged { seq: epoch.audit_seq, what: "a restore began after another event" });
        }
    }
    restores::check_events(view, &epochs)?;
    // The loop skips events without commitments, which saves a query per event.
    if let Some(seq) = store::find_uncommitted(view, seq)? {
        return Err(AuditError::Damaged { seq, what: "it has a private part without a commitment" });
    }
    Ok(AuditSummary { events, private_parts, head, epochs })
}

fn verify_private(view: &View<'_>, row: &EventRow) -> Result<i64, AuditError> {
    let damaged = |what| AuditError::Damaged { seq: row.seq, what };
    if row.commitments == NO_COMMITMENTS {
        return Ok(0);
    }
    let commitments: Value =
        serde_json::from_str(&row.commitments).map_err(|_| damaged("its commitments cannot be read"))?;
    let parts = store::list_private(view, row.seq)?;
    for part in &parts {
        let key = find_subject_key(view, &part.subject)?.ok_or_else(|| damaged("a private part has no key"))?;
        let opened = seal::open_under(&key, &seal_context(row.seq, &part.part), &part.sealed)
            .map_err(|_| damaged("a private part was changed"))?;
        let text = std::str::from_utf8(opened.expose()).map_err(|_| damaged("a private part is not text"))?;
        let committed = commitments.get(&part.part).and_then(Value::as_str);
        if committed != Some(&chain::commitment(&part.salt, &part.subject, &part.part, text)) {
            return Err(damaged("a private part does not match its commitment"));
        }
    }
    Ok(i64::try_from(parts.len()).unwrap_or(i64::MAX))
}
