//! Changes that are made again in a restored backup: the journal says that they happened after the backup was made. They
//! record no event, because it was recorded the first time. Doing it twice is the same as once.

use super::store;
use crate::base::ServiceId;
use crate::db::{Error, Tx};

/// Takes the address for webhooks from the service: it is one of before, and the journal does not have the new one. The service gets
/// no webhooks until it sends its manifest or an operator sets an address; its commands are in its inbox. `None`: this is no service.
///
/// # Errors
/// [`Error`].
pub fn end_address(tx: &mut Tx<'_>, service: &str) -> Result<Option<bool>, Error> {
    let Some(service) = ServiceId::parse(service) else { return Ok(None) };
    if store::find_endpoint(tx, service)?.is_none_or(|endpoint| endpoint.url.is_none()) {
        return Ok(Some(false));
    }
    store::update_url(tx, service, None)?;
    store::update_none_due(tx, service)?;
    Ok(Some(true))
}

/// Ends the secret that signs the webhooks of the service, with their address: the secret is one that was replaced, and the journal
/// does not have the new one. The next address that is set brings a new secret. `None`: this is no service.
///
/// # Errors
/// [`Error`].
pub fn end_secret(tx: &mut Tx<'_>, service: &str) -> Result<Option<bool>, Error> {
    let Some(service) = ServiceId::parse(service) else { return Ok(None) };
    store::update_none_due(tx, service)?;
    Ok(Some(store::delete_endpoint(tx, service)? > 0))
}
