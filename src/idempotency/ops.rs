//! Runs an operation once for each idempotency key.

use super::error::IdempotencyError;
use super::model::{Answer, Request};
use super::store;
use crate::base::hours;
use crate::db::{Error, Tx, View};

/// How many hours an answer is stored (contract section 6).
const KEPT_HOURS: u64 = 48;
/// The maximum number of rows that one purge deletes.
const PURGE_BATCH_MAX: u32 = 1000;

/// Runs `operation` and stores its answer in the same transaction. A repeated request gets the stored answer and
/// changes nothing; then the `bool` is `true`. Two simultaneous requests are two transactions, one after the other, so
/// the second one finds the answer of the first. `request`: `None` for a request without an idempotency key.
///
/// # Errors
/// [`IdempotencyError::Mismatch`] for another body with the same key. The error of the operation, which is not stored.
pub fn once<E: From<Error>>(
    tx: &mut Tx<'_>,
    request: Option<&Request>,
    operation: impl FnOnce(&mut Tx<'_>) -> Result<Answer, E>,
) -> Result<(Answer, bool), IdempotencyError<E>> {
    let Some(request) = request else {
        return operation(tx).map(|answer| (answer, false)).map_err(IdempotencyError::Operation);
    };
    if let Some(answer) = stored(tx, request)? {
        return Ok((answer, true));
    }
    let answer = operation(tx).map_err(IdempotencyError::Operation)?;
    let expires_at = tx.now().plus(hours(KEPT_HOURS));
    store::insert(tx, request, &answer, expires_at)?;
    Ok((answer, false))
}

/// The answer to the first request with this key. `None`: this is the first one.
///
/// # Errors
/// [`IdempotencyError::Mismatch`] for another body with the same key.
pub fn stored<E: From<Error>>(view: &View<'_>, request: &Request) -> Result<Option<Answer>, IdempotencyError<E>> {
    match store::find(view, request)? {
        Some((hash, _)) if hash != request.hash => Err(IdempotencyError::Mismatch),
        found => Ok(found.map(|(_, answer)| answer)),
    }
}

/// Deletes expired answers. Returns how many.
///
/// # Errors
/// [`Error`].
pub fn purge_expired(tx: &mut Tx<'_>) -> Result<usize, Error> {
    store::delete_expired(tx, PURGE_BATCH_MAX)
}
