//! The job that rotates signing keys, also while no key is exchanged.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::jobs::Outcome;

/// The name of the job. It is stored in databases and does not change.
pub const ROTATE_KEYS: &str = "tokens.tend_keys";

/// Publishes the next signing key a day before it signs, and retires keys that are no longer needed.
pub async fn rotate_keys(app: Arc<App>) -> Outcome {
    match app.write(ops::rotate_when_due).await {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}
