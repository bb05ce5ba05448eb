//! Writes down once a minute what the verifier gathered.

use super::Verifier;
use super::store;
use crate::app::App;
use crate::db::Error;

/// The line's name in the schedule.
pub const RECORD_USE: &str = "api_keys.record_use";

/// Keys per transaction, so that other writers get their turn.
const BATCH_MAX: usize = 5_000;

/// Writes last use and number of uses. A crash before it loses at most a minute of counting, never a key.
///
/// # Errors
/// [`Error`].
pub async fn record_use(app: &App, verifier: &Verifier) -> Result<(), Error> {
    let uses = verifier.take_uses();
    for batch in uses.chunks(BATCH_MAX) {
        let batch = batch.to_vec();
        app.write(move |tx| batch.iter().try_for_each(|(key, at, uses)| store::insert_use(tx, *key, *at, *uses)))
            .await?;
    }
    Ok(())
}
