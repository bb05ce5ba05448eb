//! Creates services, and finds them by credential.

use super::error::ServiceError;
use super::events::ServiceEvent;
use super::model::{CREDENTIAL_PREFIX, Service, ServiceName};
use super::store;
use crate::api_keys::KeyText;
use crate::audit::{self, Event, Part};
use crate::base::{Actor, Secret, ServiceId};
use crate::db::{Error, Tx, View};

/// Creates a service. Returns its credential, which is not stored.
///
/// # Errors
/// [`ServiceError::NameTaken`].
// No permission: only the command line calls it; no page and no API creates a service.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, name: &ServiceName) -> Result<(Service, Secret<String>), ServiceError> {
    let now = tx.now();
    let service = Service { id: ServiceId::new(now, tx.rng()), name: name.as_str().to_owned() };
    let credential = KeyText::generate(CREDENTIAL_PREFIX, tx.rng());
    let site = tx.site().clone();
    let lookup = site.keyring.lookup(credential.expose().as_bytes());
    if !store::insert(tx, &service, &lookup, site.keyring.pepper_id())? {
        return Err(ServiceError::NameTaken);
    }
    let event = Event::new(ServiceEvent::Registered)
        .target(service.id)
        .private(Part::Text, serde_json::json!({"name": service.name}));
    audit::record(tx, actor, event)?;
    Ok((service, credential.into_secret()))
}

/// The service with this credential. `None`: no service has it. A text without the form of a credential costs no
/// statement.
///
/// # Errors
/// [`Error`].
pub fn find_by_credential(view: &View<'_>, credential: &str) -> Result<Option<Service>, Error> {
    if !KeyText::is_well_formed(CREDENTIAL_PREFIX, credential) {
        return Ok(None);
    }
    for lookup in view.site().keyring.lookups(credential.as_bytes()) {
        if let Some(service) = store::find_by_lookup(view, &lookup)? {
            return Ok(Some(service));
        }
    }
    Ok(None)
}
