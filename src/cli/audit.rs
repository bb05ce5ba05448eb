//! `domicile audit …`.

use std::path::Path;

use serde_json::json;

use super::arguments::{AuditCommand, Common};
use super::context::open;
use super::failure::Failure;
use super::output::out;
use crate::app::App;
use crate::audit::{self, AuditError, Checkpoint, Epoch, Lost};
use crate::base::Problem;
use crate::db::{self, View};
use crate::restore;

pub(super) fn audit(common: &Common, command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify { checkpoint, known_restores } => verify(common, checkpoint.as_deref(), known_restores),
        AuditCommand::Head => head(common),
        AuditCommand::Key => key(common),
    }
}

fn verify(common: &Common, file: Option<&Path>, known_restores: &[i64]) -> Result<(), Failure> {
    let app = open(common)?;
    let checkpoints = file.map(|file| read_checkpoints(&app, file)).transpose()?.unwrap_or_default();
    let verify = |view: &View<'_>| audit::verify_against(view, &checkpoints, known_restores);
    let verified = app.store().read_blocking(verify).map_err(failure)?;
    let (summary, lost) = (&verified.summary, &verified.lost);
    let head = hex::encode(summary.head);
    if common.json {
        let restores: Vec<_> = summary.epochs.iter().zip(&verified.lines).map(epoch_json).collect();
        let mut answer = json!({
            "ok": true, "events": summary.events, "private_parts": summary.private_parts, "head": head, "restores": restores
        });
        if file.is_some() {
            answer["checkpoints"] = json!({
                "confirmed": verified.confirmed,
                "lost_by_restore": lost.as_ref().map(lost_json),
            });
        }
        return out!("{answer}");
    }
    for epoch in &summary.epochs {
        out!("{}", describe_epoch(epoch))?;
    }
    if let Some(lost) = lost {
        let (first, last) = lost.events();
        out!(
            "Restored at {}: the events {first} to {last} are lost. A checkpoint has them. You say that you know of restore {}.",
            lost.restore.opened_at.day_and_time(),
            lost.restore.number
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
        AuditError::LostByRestore(lost) => lost_failure(&lost),
        damage => Failure::damage(format!("{damage}. Restore the last good snapshot and compare.")),
    }
}

/// Nothing on this machine can tell a restore from a cut that pretends to be one: an admin with every key can write all of
/// it. So a person has to say that the restore took place.
fn lost_failure(lost: &Lost) -> Failure {
    let sentence = AuditError::LostByRestore(Box::new(lost.clone())).to_string();
    let (number, said) = (lost.restore.number, lost_json(lost));
    let failure = match lost.line {
        Some(_) => Failure::refused(format!(
            "{sentence}. If you know of this restore, run the command again with --known-restore {number}; otherwise ask who restored the appliance."
        ))
        .with_code("lost_by_restore"),
        None => Failure::damage(format!(
            "{sentence}. Ask who restored the appliance. Earlier versions wrote no line of it: if you know of this restore, run the command again with --known-restore {number}."
        ))
        .with_code("restore_not_confirmed"),
    };
    failure.with_detail("lost_by_restore", said)
}

fn lost_json(lost: &Lost) -> serde_json::Value {
    let (first, last) = lost.events();
    json!({
        "first": first,
        "last": last,
        "restore": lost.restore.number,
        "restored_at": lost.restore.opened_at.rfc3339(),
        "journal_line": lost.line,
    })
}

fn head(common: &Common) -> Result<(), Failure> {
    let app = open(common)?;
    let note = audit::make_checkpoint(&app).map_err(|error| match error {
        db::Error::File { .. } => {
            Failure::refused(format!("the checkpoint could not be written: {error}. {}", error.cure()))
        }
        error => Problem::from(error).into(),
    })?;
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

fn epoch_json((epoch, line): (&Epoch, &Option<i64>)) -> serde_json::Value {
    json!({
        "epoch": epoch.number,
        "restored_at": epoch.opened_at.rfc3339(),
        "snapshot_made_at": epoch.snapshot_made_at.rfc3339(),
        "audit_seq": epoch.audit_seq,
        "lost_events": epoch.lost_events().map(|(first, last)| json!({"first": first, "last": last})),
        "journal_line": line,
        "journal_missing_accepted": epoch.has_accepted_missing_journal,
    })
}
