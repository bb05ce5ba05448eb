//! What the ledger does by night.

use std::sync::Arc;

use super::ledger;
use crate::app::App;
use crate::jobs::Outcome;

/// The job's name.
pub const EXPIRE_LOTS: &str = "billing.expire_lots";

/// Expires every lot whose time is over, a batch at a time, so that other writes come in between.
pub async fn expire_lots(app: Arc<App>) -> Outcome {
    loop {
        match app.write(ledger::expire_due).await {
            Ok(0) => return Outcome::Done,
            Ok(lots) => tracing::info!(lots, "Lots of credit expired."),
            Err(error) => return Outcome::Again(error.to_string()),
        }
    }
}
