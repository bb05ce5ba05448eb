//! What a service says about itself.

use std::cmp::Ordering;

use serde_json::json;

use super::super::error::ServiceError;
use super::super::events::ServiceEvent;
use super::super::model::{Manifest, StoredManifest};
use super::super::store;
use super::queries::event_about;
use crate::audit;
use crate::base::{Actor, Secret, ServiceId};
use crate::db::{Error, Tx, View};
use crate::inbox;

/// Stores the manifest of the service that acts, if its version is higher than the stored one. The same manifest again changes
/// nothing, except that webhooks go to its address again if the service had switched them off. Returns the secret that signs
/// webhooks if the service had none.
///
/// # Errors
/// [`ServiceError::NotAService`]. [`ServiceError::Webhook`]: the address cannot be used. [`ServiceError::StaleVersion`]: the version is lower, or the same with another content.
pub fn put_manifest(
    tx: &mut Tx<'_>,
    actor: &Actor,
    manifest: &Manifest,
) -> Result<Option<Secret<String>>, ServiceError> {
    let Actor::Service { service, .. } = actor else { return Err(ServiceError::NotAService) };
    let service = store::find(tx, &service.to_string())?.ok_or(ServiceError::NotAService)?;
    let digest = manifest.digest();
    if let Some((stored, known)) = store::find_manifest_version(tx, service.id)? {
        match manifest.version.cmp(&stored) {
            Ordering::Equal if known == digest => return set_webhook(tx, actor, service.id, manifest),
            Ordering::Less | Ordering::Equal => return Err(ServiceError::StaleVersion { stored }),
            Ordering::Greater => {}
        }
    }
    store::replace_manifest(tx, service.id, manifest, &digest)?;
    let data = json!({
        "version": manifest.version,
        "resource_types": manifest.resource_types.len(),
        "skus": manifest.skus.len(),
        "can_export": manifest.can_export,
        "can_erase": manifest.can_erase,
    });
    audit::record(tx, actor, event_about(ServiceEvent::ManifestChanged, &service).data(data))?;
    set_webhook(tx, actor, service.id, manifest)
}

fn set_webhook(
    tx: &mut Tx<'_>,
    actor: &Actor,
    service: ServiceId,
    manifest: &Manifest,
) -> Result<Option<Secret<String>>, ServiceError> {
    Ok(inbox::set_webhook(tx, actor, service, manifest.webhook_url.as_deref())?)
}

/// The manifest of a service. `None`: it sent none.
///
/// # Errors
/// [`Error`].
pub fn manifest(view: &View<'_>, service: ServiceId) -> Result<Option<StoredManifest>, Error> {
    let Some(mut stored) = store::find_manifest(view, service)? else { return Ok(None) };
    stored.manifest.resource_types = store::list_resource_types(view, service)?;
    stored.manifest.skus = store::list_skus(view, service)?;
    stored.manifest.webhook_url = inbox::webhook(view, service)?.and_then(|endpoint| endpoint.url);
    Ok(Some(stored))
}
