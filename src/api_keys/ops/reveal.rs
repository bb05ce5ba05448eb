//! Shows the text of a key again, if the site stores it for its owner.

use super::super::error::ApiKeyError;
use super::super::events::ApiKeyEvent;
use super::super::model::ApiKey;
use super::super::store;
use super::{event_about, find, require_owner};
use crate::audit;
use crate::base::{ApiKeyId, CredentialAdmin, Secret};
use crate::config::Reveal;
use crate::crypto::seal::{self, DoesNotOpen};
use crate::db::{Error, Tx, View};

/// The associated data of a sealed text, which binds it to its key.
pub(super) fn seal_context(id: ApiKeyId) -> String {
    format!("api_key|sealed|{id}")
}

/// The text of a key, for its owner. The caller must have confirmed their identity shortly before. The audit records
/// it.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for a key of another person, and when the person does not own the workspace any more;
/// [`ApiKeyError::NotStored`] if the site shows keys once, did so when this key was created, or the key has ended.
pub fn reveal(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<Secret<String>, ApiKeyError> {
    let key = find(tx, admin, id)?;
    require_owner(tx, admin, key.account, key.workspace)?;
    let site = tx.site().clone();
    if !can_reveal(tx, &key) {
        return Err(ApiKeyError::NotStored);
    }
    let sealed = store::find_sealed(tx, id)?.ok_or(ApiKeyError::NotStored)?;
    let plain = seal::open(&site.keyring, &seal_context(id), &sealed)?;
    let text = String::from_utf8(plain.expose().clone()).map_err(|_| DoesNotOpen)?;
    audit::record(tx, admin, event_about(ApiKeyEvent::Revealed, &key))?;
    Ok(Secret::new(text))
}

/// Whether the site shows keys again, and has stored the text of this one.
pub(super) fn can_reveal(view: &View<'_>, key: &ApiKey) -> bool {
    view.site().config.api_keys.reveal == Reveal::Owner && key.is_kept && !key.state.is_over()
}

/// Re-encrypts up to `limit` texts after the id `after` that are not under the data key in use. Returns the last id of
/// the batch. `None`: there are no more.
pub(in crate::api_keys) fn reseal_batch(tx: &mut Tx<'_>, after: &str, limit: u32) -> Result<Option<ApiKeyId>, Error> {
    let site = tx.site().clone();
    let batch = store::list_sealed(tx, after, limit)?;
    let last = batch.last().map(|(id, _)| *id);
    for (id, sealed) in batch {
        match seal::reseal(&site.keyring, tx.rng(), &seal_context(id), &sealed) {
            Ok(Some(anew)) => store::update_sealed(tx, id, &anew)?,
            Ok(None) => {}
            // The text cannot be shown again. The key itself still works.
            Err(DoesNotOpen) => tracing::warn!(key = %id, "The stored text of a key cannot be decrypted."),
        }
    }
    Ok(last)
}
