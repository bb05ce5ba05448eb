//! The scheduled job that publishes snapshots.

use std::sync::Arc;

use serde_json::Value;

use super::publish;
use crate::app::App;
use crate::jobs::Outcome;
pub use crate::privacy::PUBLISH;
use crate::threads::spawn_blocking;

/// Publishes a snapshot if something changed since the last one. A failure is reported and not retried before the next
/// scheduled run, because an immediate retry would fail again.
pub async fn publish_when_changed(app: Arc<App>, _: Value) -> Outcome {
    match spawn_blocking(move || publish::publish_when_changed(&app)).await {
        Ok(Ok(_)) => Outcome::Done,
        Ok(Err(error)) => Outcome::GiveUp(error.to_string()),
        Err(error) => Outcome::GiveUp(error.to_string()),
    }
}
