//! The periodic work of the audit.

use std::sync::Arc;

use super::flows;
use crate::app::App;
use crate::jobs::Outcome;
use crate::threads::in_background;

/// The name of the work that makes checkpoints. It is stored in databases and does not change.
pub const CHECKPOINT: &str = "audit.checkpoint";
/// The fault of readiness while no checkpoint can be made.
const FAULT: &str = "audit_checkpoint";

/// Makes a checkpoint, if there are events since the newest one. A failure is reported by the readiness probe until a later
/// run succeeds.
pub async fn checkpoint(app: Arc<App>) -> Outcome {
    let making = app.clone();
    match in_background("checkpoint", move || flows::make_checkpoint(&making)).await {
        None => Outcome::GiveUp("the thread that makes checkpoints ended early".into()),
        Some(Ok(_)) => {
            app.readiness().clear_fault(FAULT);
            Outcome::Done
        }
        Some(Err(error)) => {
            let reason = format!(
                "No checkpoint of the audit can be made: {error}. Run `domicile audit verify`, which names the first damaged \
                 event."
            );
            if app.readiness().set_fault(FAULT, &reason) {
                tracing::error!("{reason}");
            }
            Outcome::GiveUp(error.to_string())
        }
    }
}
