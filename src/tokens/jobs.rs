//! Looks after signing keys while nobody exchanges anything.

use std::sync::Arc;

use super::ops;
use crate::app::App;
use crate::jobs::Outcome;

/// The job's name.
pub const TEND: &str = "tokens.tend_keys";

/// Publishes the next signing key a day before it signs, and puts away those whose time is over.
pub async fn tend(app: Arc<App>) -> Outcome {
    match app.write(ops::rotate_when_due).await {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}
