//! Carries out the resets that are due.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::jobs::Outcome;

/// The job's name in the schedule.
pub const RESET_DUE: &str = "factors.reset_due";

/// Removes the factors of every person whose reset has waited for 72 hours.
pub async fn reset_due(app: Arc<App>) -> Outcome {
    match app.write(ops::reset_due).await {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}
