//! The weekly restore drill.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{drill, ops};
use crate::app::App;
use crate::base::Actor;
use crate::db::Error;
use crate::jobs::Outcome;

/// The name of the job that makes restore drills.
pub const DRILL: &str = "maintenance.drill";
/// The name of the fault in readiness.
const FAULT: &str = "restore drill";
/// This program, also after an upgrade has replaced its file.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// Makes a drill if one is due, and tells readiness how the last ones ended. A drill takes minutes, so it runs beside the
/// other periodic work.
pub async fn drill_when_due(app: Arc<App>, _: Value) -> Outcome {
    match app.query_inline(ops::drill_state) {
        Ok(state) if state.is_due(app.now()) => {
            tokio::spawn(async move { make(&app, Path::new(OWN_PROGRAM)).await });
            Outcome::Done
        }
        Ok(_) => tell(&app),
        Err(error) => Outcome::Again(error.to_string()),
    }
}

/// Makes a drill and tells readiness and the log.
pub async fn make(app: &Arc<App>, program: &Path) {
    match drill::drill(app, program, Actor::System).await {
        Ok(made) if made.is_good => tracing::info!(seconds = made.duration.as_secs(), "{}", made.result),
        // Readiness logs it.
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "No restore drill was made."),
    }
    tell(app);
}

/// Sets or clears the fault in readiness.
fn tell(app: &App) -> Outcome {
    let fault = app.query_inline(|view| Ok::<_, Error>(ops::drill_state(view)?.fault(app.now())));
    match fault {
        Ok(Some(sentence)) => {
            if app.readiness().set_fault(FAULT, sentence.clone()) {
                tracing::error!("{sentence}");
            }
        }
        Ok(None) => {
            app.readiness().clear_fault(FAULT);
        }
        Err(error) => return Outcome::Again(error.to_string()),
    }
    Outcome::Done
}
