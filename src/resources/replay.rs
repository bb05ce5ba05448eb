//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event, because it was recorded the first time. Doing it twice is the same as once.

use super::model::State;
use super::store;
use crate::base::{ResourceId, ServiceId};
use crate::db::{Error, Tx};

/// Deletes a resource for good, whose service had confirmed it, and keeps its id from coming back, also if the backup does not have
/// the resource. What the backup has below it stands alone afterwards: it has a line of its own if it was deleted too, and may have
/// been moved elsewhere before. `detail` is that of the event: the
/// service and the digest of the id. `None`: it cannot be read.
///
/// # Errors
/// [`Error`].
pub fn purge(tx: &mut Tx<'_>, resource: &str, detail: &str) -> Result<Option<bool>, Error> {
    let Some((service, digest)) = detail.split_once(' ') else { return Ok(None) };
    let mut bytes = [0; 32];
    let is_digest = hex::decode_to_slice(digest, &mut bytes).is_ok();
    let (Some(id), Some(service), true) = (ResourceId::parse(resource), ServiceId::parse(service), is_digest) else {
        return Ok(None);
    };
    let mut is_changed = store::insert_purged(tx, service, &bytes, id)?;
    if store::find(tx, id)?.is_some_and(|found| found.state != State::Purged) {
        store::update_alone(tx, id)?;
        is_changed |= store::update_purged(tx, id)?;
    }
    Ok(Some(is_changed))
}
