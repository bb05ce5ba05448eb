//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event, because it was recorded the first time. Doing it twice is the same as once.

use super::model::parse_text;
use super::store;
use crate::base::WorkspaceId;
use crate::db::{Error, Tx};
use crate::workspaces;

/// Sets or ends an allowance. What it has to grant is granted by the next run of its job. `detail` is that of the event: the amount,
/// or `none`. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn set(tx: &mut Tx<'_>, workspace: WorkspaceId, detail: &str) -> Result<Option<bool>, Error> {
    let Some(amount) = parse_text(detail) else { return Ok(None) };
    let before = store::find(tx, workspace)?;
    let is_there = workspaces::find(tx, workspace)?.is_some();
    match amount {
        _ if !is_there || before.map(|before| before.amount) == amount => Ok(Some(false)),
        None => Ok(Some(store::delete(tx, workspace)? > 0)),
        Some(amount) => {
            let granted_until = before.map_or_else(|| tx.now(), |before| before.granted_until);
            store::replace(tx, workspace, amount, granted_until)?;
            Ok(Some(true))
        }
    }
}
