//! Undoing a change of the primary address.

use std::sync::Arc;

use super::super::error::SigninError;
use super::super::ops;
use crate::app::App;
use crate::base::{Actor, EmailAddress, Visitor};

/// Undoes a change of the primary address with the link that was mailed to the previous address. Returns the restored
/// address.
///
/// # Errors
/// [`crate::accounts::AccountError::LinkRefused`]; then nothing changed.
pub async fn revert_email(app: &Arc<App>, visitor: Visitor, token: String) -> Result<EmailAddress, SigninError> {
    app.write(move |tx| ops::revert_email(tx, &Actor::Anonymous(visitor), &token)).await
}
