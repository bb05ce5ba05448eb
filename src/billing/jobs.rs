//! The jobs of the ledger.

use std::sync::Arc;

use super::allowances;
use super::ledger::{self, holds};
use crate::app::App;
use crate::jobs::Outcome;

/// The name of the job.
pub const EXPIRE_LOTS: &str = "billing.expire_lots";

/// The name of the job that grants the credit of a month.
pub const GRANT_ALLOWANCES: &str = "billing.grant_allowances";

/// The name of the job that closes holds.
pub const EXPIRE_HOLDS: &str = "billing.expire_holds";

/// Closes all holds whose time is over, in batches, so that other writes can run between them.
pub async fn expire_holds(app: Arc<App>) -> Outcome {
    loop {
        match app.write(holds::expire_holds).await {
            Ok(0) => return Outcome::Done,
            Ok(holds) => tracing::info!(holds, "Holds of credit expired."),
            Err(error) => return Outcome::Again(error.to_string()),
        }
    }
}

/// Grants the month to all workspaces with an allowance, in batches, so that other writes can run between them.
pub async fn grant_allowances(app: Arc<App>) -> Outcome {
    loop {
        match app.write(allowances::grant_due).await {
            Ok(0) => return Outcome::Done,
            Ok(workspaces) => tracing::info!(workspaces, "Monthly allowances were granted."),
            Err(error) => return Outcome::Again(error.to_string()),
        }
    }
}

/// Expires all lots that are due, in batches, so that other writes can run between them.
pub async fn expire_lots(app: Arc<App>) -> Outcome {
    loop {
        match app.write(ledger::expire_due).await {
            Ok(0) => return Outcome::Done,
            Ok(lots) => tracing::info!(lots, "Lots of credit expired."),
            Err(error) => return Outcome::Again(error.to_string()),
        }
    }
}
