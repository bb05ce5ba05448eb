//! Writes down once a minute what the verifier gathered.

use super::Verifier;
use super::store;
use crate::app::App;
use crate::db::Error;

/// The line's name in the schedule.
pub const RECORD_USE: &str = "api_keys.record_use";

/// Keys in one piece of work, so that other writers get their turn: some ten milliseconds with a million keys.
const BATCH_MAX: usize = 250;

/// Writes last use and number of uses. A crash before it loses at most a minute of counting, never a key.
///
/// # Errors
/// [`Error`].
pub async fn record_use(app: &App, verifier: &Verifier) -> Result<(), Error> {
    let mut uses = verifier.take_uses();
    // In the order of the table, so that neighbours share a page: each page is decrypted and encrypted once.
    uses.sort_unstable_by_key(|(key, _, _)| *key);
    for batch in uses.chunks(BATCH_MAX) {
        let batch = batch.to_vec();
        app.write(move |tx| batch.iter().try_for_each(|(key, at, uses)| store::insert_use(tx, *key, *at, *uses)))
            .await?;
    }
    Ok(())
}
