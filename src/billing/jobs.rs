//! The jobs of the ledger.

use std::sync::Arc;

use super::ledger::{self, holds};
use super::usage::authorizations;
use super::{allowances, notices};
use crate::app::App;
use crate::db;
use crate::jobs::Outcome;

/// The name of the job.
pub const EXPIRE_LOTS: &str = "billing.expire_lots";

/// The name of the job that grants the credit of a month.
pub const GRANT_ALLOWANCES: &str = "billing.grant_allowances";

/// The name of the job that mails owners about their credit.
pub const CREDIT_NOTICES: &str = "billing.credit_notices";

/// The name of the job that closes holds.
pub const EXPIRE_HOLDS: &str = "billing.expire_holds";

/// The name of the job that ends authorizations of disconnected services.
pub const CLOSE_DISCONNECTED: &str = "billing.close_disconnected";

/// Ends all authorizations of disconnected services, in batches, so that other writes can run between them.
pub async fn close_disconnected(app: Arc<App>) -> Outcome {
    loop {
        match app.write(authorizations::close_disconnected).await {
            Ok(0) => return Outcome::Done,
            Ok(count) => tracing::info!(count, "Authorizations of disconnected services were released."),
            Err(error) => return Outcome::Again(error.to_string()),
        }
    }
}

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

/// Mails owners whose allowance is nearly spent or whose credit expires soon, in steps, so that other writes can run between them.
pub async fn send_notices(app: Arc<App>) -> Outcome {
    notify_all(&app).await.map_or_else(|error| Outcome::Again(error.to_string()), |()| Outcome::Done)
}

async fn notify_all(app: &Arc<App>) -> Result<(), db::Error> {
    let mut after = String::new();
    while let Some(last) = app.write(move |tx| notices::send_allowance_notices(tx, &after)).await? {
        after = last;
    }
    while app.write(notices::send_expiry_notices).await? > 0 {}
    while app.write(notices::forget_past).await? > 0 {}
    Ok(())
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
