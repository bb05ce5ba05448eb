//! The job that sends the mails of the outbox.

use std::sync::Arc;

use super::flows;
use crate::app::App;
use crate::jobs::Outcome;

/// Sends every mail that is due. A failure of the relay is no failure of the job: each mail has its own next attempt.
pub async fn deliver(app: Arc<App>) -> Outcome {
    match flows::send_due(&app).await {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}
