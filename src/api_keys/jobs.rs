//! The jobs of API keys.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::db::Error;
use crate::jobs::Outcome;

/// The name of the scheduled job that ends overlaps and quarantines.
pub const END_DUE: &str = "api_keys.end_due";
/// The name of the scheduled job that reminds owners before keys expire.
pub const REMIND: &str = "api_keys.remind";
/// The name of the job that re-encrypts stored key texts. It is queued once after a new data key is in use.
pub const RESEAL: &str = "api_keys.reseal";

/// Keys in one transaction, so that other writers do not wait: some ten milliseconds with a million keys.
const BATCH_MAX: usize = 250;

fn outcome(done: Result<(), Error>) -> Outcome {
    done.map_or_else(|error| Outcome::Again(error.to_string()), |()| Outcome::Done)
}

/// Ends keys whose overlap or quarantine is over.
pub async fn end_due(app: Arc<App>) -> Outcome {
    outcome(app.write(ops::end_due).await)
}

/// Reminds owners of keys that expire soon, and deletes old records.
pub async fn remind(app: Arc<App>) -> Outcome {
    let done = app.write(|tx| {
        ops::remind(tx)?;
        ops::purge(tx)
    });
    outcome(done.await)
}

/// Re-encrypts every stored key text that is not under the data key in use.
pub async fn reseal(app: Arc<App>) -> Outcome {
    let mut after = String::new();
    loop {
        let limit = u32::try_from(BATCH_MAX).unwrap_or(u32::MAX);
        match app.write(move |tx| ops::reseal_batch(tx, &after, limit)).await {
            Ok(Some(last)) => after = last.to_string(),
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::Again(error.to_string()),
        }
    }
}
