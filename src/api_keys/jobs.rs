//! What happens to keys by itself.

use std::sync::Arc;

use super::{Verifier, ops};
use crate::app::App;
use crate::db::Error;
use crate::jobs::Outcome;

/// The line's name in the schedule: overlaps and quarantines end.
pub const END_DUE: &str = "api_keys.end_due";
/// The line's name in the schedule: owners are reminded of ends.
pub const REMIND: &str = "api_keys.remind";
/// Queued once after new keys of the keyring are in use.
pub const RESEAL: &str = "api_keys.reseal";

/// Keys in one piece of work, so that other writers get their turn: some ten milliseconds with a million keys.
const BATCH_MAX: usize = 250;

/// Writes down once a minute what the verifier gathered: uses, callers, tries of replaced keys, and digests under the pepper
/// in use. All of it in one transaction, unless more keys were used than other writers should wait for. A crash before it
/// loses at most a minute of counting, never a key.
///
/// # Errors
/// The first [`Error`]: what could not be written down is written with what is gathered next.
pub async fn record_use(app: &App, verifier: &Verifier) -> Result<(), Error> {
    let mut taken = verifier.take();
    // In the order of the table, so that neighbours share a page: each page is decrypted and encrypted once.
    taken.uses.sort_unstable_by_key(|(key, _)| *key);
    taken.stale.sort_unstable();
    let mut recorded = Ok(());
    while let Some(batch) = taken.next_batch(BATCH_MAX) {
        let batch = Arc::new(batch);
        let noted = batch.clone();
        if let Err(error) = app.write(move |tx| ops::record(tx, &noted)).await {
            verifier.put_back(&batch);
            recorded = recorded.and(Err(error));
        }
    }
    recorded
}

fn outcome(done: Result<(), Error>) -> Outcome {
    done.map_or_else(|error| Outcome::Again(error.to_string()), |()| Outcome::Done)
}

/// Ends what is due.
pub async fn end_due(app: Arc<App>) -> Outcome {
    outcome(app.write(ops::end_due).await)
}

/// Reminds owners, and deletes old records.
pub async fn remind(app: Arc<App>) -> Outcome {
    let done = app.write(|tx| {
        ops::remind(tx)?;
        ops::purge(tx)
    });
    outcome(done.await)
}

/// Seals every kept text anew that is not under the data key in use.
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
