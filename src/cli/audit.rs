//! `domicile audit …`.

use std::path::Path;

use serde_json::json;

use super::arguments::{AuditCommand, Common};
use super::context::open;
use super::failure::Failure;
use super::output::out;
use crate::app::App;
use crate::audit::{self, AuditError, Checkpoint, Epoch};
use crate::base::Problem;
use crate::restore;

pub(super) fn audit(common: &Common, command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify { checkpoint } => verify(common, checkpoint.as_deref()),
        AuditCommand::Head => head(common),
        AuditCommand::Key => key(common),
    }
}

fn verify(common: &Common, file: Option<&Path>) -> Result<(), Failure> {
    let app = open(common)?;
    let checkpoints = file.map(|file| read_checkpoints(&app, file)).transpose()?.unwrap_or_default();
    let verified = app.store().read_blocking(|view| audit::verify_against(view, &checkpoints)).map_err(failure)?;
    let (summary, lost) = (&verified.summary, &verified.lost);
    let head = hex::encode(summary.head);
    if common.json {
        let restores: Vec<_> = summary.epochs.iter().map(epoch_json).collect();
        let mut answer = json!({
            "ok": true, "events": summary.events, "private_parts": summary.private_parts, "head": head, "restores": restores
        });
        if file.is_some() {
            answer["checkpoints"] = json!({
                "confirmed": verified.confirmed,
                "lost_by_restore": lost.as_ref().map(|(checkpoint, restore)| {
                    json!({"first": restore.audit_seq + 1, "last": checkpoint.size, "restored_at": restore.opened_at.rfc3339()})
                }),
            });
        }
        return out!("{answer}");
    }
    for epoch in &summary.epochs {
        out!("{}", describe_epoch(epoch))?;
    }
    if let Some((checkpoint, restore)) = lost {
        out!(
            "Restored at {}: the events {} to {} are lost. A checkpoint has them, and the restored snapshot was older.",
            restore.opened_at.day_and_time(),
            restore.audit_seq + 1,
            checkpoint.size
        )?;
    }
    out!("The audit log is correct: {} events, {} private parts, head {head}.", summary.events, summary.private_parts)?;
    match (file, verified.confirmed) {
        (None, _) => Ok(()),
        (_, 1) => out!("It contains all events of the checkpoint."),
        (_, confirmed) => out!("It contains all events of {confirmed} checkpoints."),
    }
}

fn read_checkpoints(app: &App, file: &Path) -> Result<Vec<Checkpoint>, Failure> {
    let cannot = |cause: &dyn std::fmt::Display| format!("{} cannot be used as a checkpoint: {cause}.", file.display());
    let notes = std::fs::read_to_string(file).map_err(|error| Failure::refused(cannot(&error)))?;
    app.store().read_blocking(|view| audit::open_checkpoints(view, &notes).map_err(AuditError::from)).map_err(|error| {
        match error {
            AuditError::Note(fault) => Failure::refused(cannot(&fault)),
            other => failure(other),
        }
    })
}

fn failure(error: AuditError) -> Failure {
    match error {
        AuditError::Db(error) => Problem::from(error).into(),
        AuditError::Note(fault) => Failure::refused(format!("{fault}.")),
        damage => Failure::damage(format!("{damage}. Restore the last good snapshot and compare.")),
    }
}

fn head(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let note = audit::make_checkpoint(&app).map_err(Problem::from)?;
    let note = note.ok_or_else(|| Failure::refused("the audit has no event yet."))?;
    if common.json { out!("{}", json!({"checkpoint": note})) } else { out!("{}", note.trim_end()) }
}

fn key(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let key = app.store().read_blocking(audit::public_key).map_err(Problem::from)?;
    if common.json { out!("{}", json!({"key": key})) } else { out!("{key}") }
}

/// A restore, for people. The audit is not damaged by it.
fn describe_epoch(epoch: &Epoch) -> String {
    let (at, made) = (epoch.opened_at.day_and_time(), epoch.snapshot_made_at.day_and_time());
    format!(
        "Restored at {at} from the snapshot of {made}. {} The audit goes on after event {}.",
        restore::loss(epoch),
        epoch.audit_seq
    )
}

fn epoch_json(epoch: &Epoch) -> serde_json::Value {
    json!({
        "epoch": epoch.number,
        "restored_at": epoch.opened_at.rfc3339(),
        "snapshot_made_at": epoch.snapshot_made_at.rfc3339(),
        "audit_seq": epoch.audit_seq,
        "lost_events": epoch.lost_events().map(|(first, last)| json!({"first": first, "last": last})),
        "journal_missing_accepted": epoch.has_accepted_missing_journal,
    })
}
