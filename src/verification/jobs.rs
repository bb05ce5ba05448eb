//! Writes the usage of keys, once a minute and at the stop.

use std::sync::Arc;

use super::Verifier;
use crate::api_keys;
use crate::app::App;
use crate::db::Error;

/// Keys in one transaction, so that other writers do not wait: some ten milliseconds with a million keys.
const BATCH_MAX: usize = 250;

/// Writes what the verifier has in its usage buffer: uses, callers, calls with replaced keys, and digests under the
/// pepper in use. It runs once a minute, in one transaction, or in several if there are more than 250 keys. A
/// crash before it loses at most the counts of one minute, never a key.
///
/// # Errors
/// The first [`Error`]. What could not be written goes back into the buffer, and is written the next time.
pub async fn record_use(app: &App, verifier: &Verifier) -> Result<(), Error> {
    let mut usage = verifier.drain_usage();
    // In the order of the table, so that each page is decrypted and encrypted only once.
    usage.uses.sort_unstable_by_key(|(key, _)| *key);
    usage.stale.sort_unstable();
    let mut recorded = Ok(());
    while let Some(batch) = usage.next_batch(BATCH_MAX) {
        let batch = Arc::new(batch);
        let written = batch.clone();
        if let Err(error) = app.write(move |tx| api_keys::record_usage(tx, &written)).await {
            verifier.restore_usage(&batch);
            recorded = recorded.and(Err(error));
        }
    }
    recorded
}
