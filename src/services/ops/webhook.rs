//! The webhooks of a connected service, as an operator changes them.

use std::time::Duration;

use super::super::error::ServiceError;
use super::queries::{find_connected, require_operator};
use crate::base::{Actor, CommandId, Secret, ServiceId};
use crate::db::Tx;
use crate::inbox;

/// Sets where a connected service receives webhooks. `None`: it reads its inbox. Returns the secret that signs them if it is new.
///
/// # Errors
/// [`ServiceError::NotAllowed`], [`ServiceError::NotFound`], [`ServiceError::Disconnected`], [`ServiceError::Webhook`].
// No event: `inbox::set_webhook` records it.
pub fn set_webhook(
    tx: &mut Tx<'_>,
    actor: &Actor,
    service: ServiceId,
    url: Option<&str>,
) -> Result<Option<Secret<String>>, ServiceError> {
    require_connected(tx, actor, service)?;
    Ok(inbox::set_webhook(tx, actor, service, url)?)
}

/// Replaces the secret that signs the webhooks of a connected service. For `overlap`, both sign.
///
/// # Errors
/// As for [`set_webhook`].
// No event: `inbox::rotate_webhook_secret` records it.
pub fn rotate_webhook_secret(
    tx: &mut Tx<'_>,
    actor: &Actor,
    service: ServiceId,
    overlap: Duration,
) -> Result<Secret<String>, ServiceError> {
    require_connected(tx, actor, service)?;
    Ok(inbox::rotate_webhook_secret(tx, actor, service, overlap)?)
}

/// Sends a connected service a command that asks for nothing, to try the connection.
///
/// # Errors
/// As for [`set_webhook`].
// No event: the command itself is the record.
pub fn ping(tx: &mut Tx<'_>, actor: &Actor, service: ServiceId) -> Result<CommandId, ServiceError> {
    require_connected(tx, actor, service)?;
    Ok(inbox::ping(tx, service)?)
}

fn require_connected(tx: &Tx<'_>, actor: &Actor, service: ServiceId) -> Result<(), ServiceError> {
    require_operator(tx, actor)?;
    find_connected(tx, &service.to_string())?;
    Ok(())
}
