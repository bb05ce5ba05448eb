//! Codes with which a service connects itself, so that nobody copies a credential by hand.

use super::super::error::ServiceError;
use super::super::events::ServiceEvent;
use super::super::model::{ENROL_CODE_LIFE, ENROL_CODE_PREFIX, EnrolCode, Enrolled, Grant, Service, ServiceName};
use super::super::store;
use super::credentials::{issue, register};
use super::queries::{event_about, find_connected, require_operator};
use crate::api_keys::KeyText;
use crate::audit;
use crate::base::{Actor, ServiceId};
use crate::db::{Error, Tx};
use crate::inbox;

/// Makes a code with which a service connects itself within ten minutes, once. Creates the service if no connected one has
/// this name; a service that exists gets one more credential with the code. An earlier code of the service ends. `grant`: what
/// a new service may do. `None`: everything in all workspaces, or what the service may do already.
///
/// # Errors
/// [`ServiceError::NotAllowed`]: the actor is no operator. [`ServiceError::HasGrant`]: there is a grant, and the service exists.
/// [`ServiceError::Disconnected`] for the id of such a service; [`ServiceError::Workspace`].
pub fn create_enrol_code(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &ServiceName,
    grant: Option<Grant>,
) -> Result<EnrolCode, ServiceError> {
    require_operator(tx, actor)?;
    let found = store::find(tx, name.as_str())?;
    let service = match found {
        Some(ended) if ended.disconnected_at.is_some() && ServiceId::parse(name.as_str()).is_some() => {
            return Err(ServiceError::Disconnected);
        }
        Some(existing) if existing.disconnected_at.is_none() => match grant {
            Some(_) => return Err(ServiceError::HasGrant),
            None => existing,
        },
        _ => register(tx, actor, name, grant.unwrap_or_default())?,
    };
    create_code(tx, actor, service)
}

fn create_code(tx: &mut Tx<'_>, actor: &Actor, service: Service) -> Result<EnrolCode, ServiceError> {
    store::delete_enrolments(tx, service.id)?;
    let (text, expires_at) = (KeyText::generate(ENROL_CODE_PREFIX, tx.rng()), tx.now().plus(ENROL_CODE_LIFE));
    let lookup = tx.site().keyring.lookup(text.expose().as_bytes());
    store::insert_enrolment(tx, service.id, &lookup, expires_at)?;
    audit::record(tx, actor, event_about(ServiceEvent::EnrolCodeCreated, &service))?;
    Ok(EnrolCode { service, code: text.into_secret(), expires_at })
}

/// As [`create_enrol_code`], for a service that exists.
///
/// # Errors
/// [`ServiceError::NotAllowed`], [`ServiceError::NotFound`], [`ServiceError::Disconnected`].
pub fn create_enrol_code_of(tx: &mut Tx<'_>, actor: &Actor, service: ServiceId) -> Result<EnrolCode, ServiceError> {
    require_operator(tx, actor)?;
    let service = find_connected(tx, &service.to_string())?;
    create_code(tx, actor, service)
}

/// Connects the service whose code it is. The code is used up. `request`: the id of the request, for the log.
///
/// # Errors
/// [`ServiceError::EnrolCode`]: the code is wrong, was used or has expired.
// No permission: the code is the proof.
pub fn enrol(tx: &mut Tx<'_>, code: &str, request: String) -> Result<Enrolled, ServiceError> {
    let service = take_enrolment(tx, code)?.ok_or(ServiceError::EnrolCode)?;
    let service = store::find(tx, &service.to_string())?.ok_or(ServiceError::EnrolCode)?;
    let credential = issue(tx, service.id)?;
    let webhook_secret = inbox::create_webhook_secret(tx, service.id)?;
    let actor = Actor::Service { service: service.id, name: service.name.clone(), request };
    audit::record(tx, &actor, event_about(ServiceEvent::Enrolled, &service))?;
    Ok(Enrolled { service, credential, webhook_secret })
}

/// The service of a valid code, which is valid no more.
fn take_enrolment(tx: &mut Tx<'_>, code: &str) -> Result<Option<ServiceId>, Error> {
    if !KeyText::is_well_formed(ENROL_CODE_PREFIX, code) {
        return Ok(None);
    }
    for lookup in tx.site().clone().keyring.lookups(code.as_bytes()) {
        if let Some(service) = store::take_enrolment(tx, &lookup)? {
            return Ok(Some(service));
        }
    }
    Ok(None)
}
