//! Carries out resets whose wait is over.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::jobs::Outcome;

/// The job's name in the schedule.
pub const RESET_DUE: &str = "factors.reset_due";

/// Takes the factors of everybody whose three days are over.
pub async fn reset_due(app: Arc<App>) -> Outcome {
    match app.write(ops::reset_due).await {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}
