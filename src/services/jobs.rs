//! Writes when services were last seen, once a minute and at the stop.

use super::callers::Callers;
use super::ops;
use crate::app::App;
use crate::db::Error;

/// Writes that the services were seen which sent a request since the last call. Nothing is written if none did. A crash
/// loses at most one minute.
///
/// # Errors
/// [`Error`].
pub async fn record_seen(app: &App, callers: &Callers) -> Result<(), Error> {
    let seen = callers.take_seen();
    if seen.is_empty() {
        return Ok(());
    }
    app.write(move |tx| ops::record_seen(tx, &seen)).await
}
