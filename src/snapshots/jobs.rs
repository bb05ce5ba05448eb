//! Publishes by the clock.

use std::sync::Arc;

use serde_json::Value;

use super::publish;
use crate::app::App;
use crate::jobs::Outcome;
use crate::threads::spawn_blocking;

/// The job's name.
pub const PUBLISH: &str = "snapshot.publish";

/// Publishes a snapshot when something changed since the last one. A failure is told and left to the next turn of the
/// clock: trying at once would only fail again.
pub async fn publish_when_changed(app: Arc<App>, _: Value) -> Outcome {
    match spawn_blocking(move || publish::publish_when_changed(&app)).await {
        Ok(Ok(_)) => Outcome::Done,
        Ok(Err(error)) => Outcome::GiveUp(error.to_string()),
        Err(error) => Outcome::GiveUp(error.to_string()),
    }
}
