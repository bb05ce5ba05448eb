//! Do it once.

use super::error::IdempotencyError;
use super::model::{Answer, Request};
use super::store;
use crate::base::hours;
use crate::db::{Error, Tx};

/// How long an answer is kept (contract section 6).
const KEPT_HOURS: u64 = 48;
/// Rows one tidying deletes at most.
const PURGE_BATCH_MAX: u32 = 1000;

/// Does `operation` and keeps its answer in the same transaction; a repetition gets the kept answer and does nothing.
/// `true` in the pair: it is a repetition. Two at the same instant are two transactions, one after the other, so the
/// second finds the first one's answer.
///
/// # Errors
/// [`IdempotencyError::Mismatch`] for another body under the same key; what the operation said, which is not kept.
pub fn once<E: From<Error>>(
    tx: &mut Tx<'_>,
    request: Option<&Request>,
    operation: impl FnOnce(&mut Tx<'_>) -> Result<Answer, E>,
) -> Result<(Answer, bool), IdempotencyError<E>> {
    let Some(request) = request else {
        return operation(tx).map(|answer| (answer, false)).map_err(IdempotencyError::Operation);
    };
    match store::find(tx, request)? {
        Some((hash, _)) if hash != request.hash => Err(IdempotencyError::Mismatch),
        Some((_, answer)) => Ok((answer, true)),
        None => {
            let answer = operation(tx).map_err(IdempotencyError::Operation)?;
            let expires_at = tx.now().plus(hours(KEPT_HOURS));
            store::insert(tx, request, &answer, expires_at)?;
            Ok((answer, false))
        }
    }
}

/// Deletes answers whose time is over.
///
/// # Errors
/// [`Error`].
pub fn purge_expired(tx: &mut Tx<'_>) -> Result<usize, Error> {
    store::delete_expired(tx, PURGE_BATCH_MAX)
}
