//! The periodic work of the audit.

use std::sync::Arc;

use super::flows;
use crate::app::App;
use crate::base::Warning;
use crate::db::Error;
use crate::jobs::Outcome;
use crate::threads::in_background;

/// The name of the work that makes checkpoints. It is stored in databases and does not change.
pub const CHECKPOINT: &str = "audit.checkpoint";
/// The fault of readiness while the audit is damaged, and the warning while a file cannot be written.
const NAME: &str = "audit_checkpoint";

/// Makes a checkpoint, if there are events since the newest one. The next run tries again what failed.
///
/// Damage is a fault of readiness until a later run succeeds. A disk or a folder that cannot be written is a warning to
/// operators: the checkpoint is in the database and at `/v1/audit/head`, so everything that the server promises holds.
pub async fn checkpoint(app: Arc<App>) -> Outcome {
    let making = app.clone();
    match in_background("checkpoint", move || flows::make_checkpoint(&making)).await {
        None => Outcome::GiveUp("the thread that makes checkpoints ended early".into()),
        Some(Ok(_)) => {
            let (was_damaged, was_warned) = (app.readiness().clear_fault(NAME), app.readiness().clear_warning(NAME));
            if was_damaged || was_warned {
                tracing::info!("Checkpoints of the audit are written again.");
            }
            Outcome::Done
        }
        Some(Err(error)) => report(&app, &error),
    }
}

fn report(app: &App, error: &Error) -> Outcome {
    match error {
        Error::Damaged(_) => {
            let reason = format!(
                "No checkpoint of the audit can be made: {error}. Run `domicile audit verify`, which names the first damaged \
                 event."
            );
            if app.readiness().set_fault(NAME, &reason) {
                tracing::error!("{reason}");
            }
            return Outcome::GiveUp(error.to_string());
        }
        // The store reports a damaged file with its own cure, and a server that stops needs none.
        damage if damage.is_damage() => {}
        Error::Stopped => return Outcome::Done,
        waits if waits.is_busy() => tracing::debug!(%error, "The checkpoint of the audit waits for the next minute."),
        _ => {
            let sentence = format!(
                "The checkpoint of the audit could not be written: {error}. {} The server tries again each minute.",
                error.cure()
            );
            let id = app.now().millis().to_string();
            if app.readiness().set_lasting_warning(NAME, Warning { id, sentence: sentence.clone() }) {
                tracing::warn!("{sentence}");
            }
        }
    }
    Outcome::Again(error.to_string())
}
