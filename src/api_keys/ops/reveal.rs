//! The text of a key again, where the site keeps it for its owner.

use super::super::error::ApiKeyError;
use super::super::store;
use super::{event_about, find, owner_only};
use crate::audit;
use crate::base::{ApiKeyId, CredentialAdmin, Secret};
use crate::config::Reveal;
use crate::crypto::seal::{self, DoesNotOpen};
use crate::db::{Error, Tx};

/// Where a text is sealed: nobody can move it to another key.
pub(super) fn place_of(id: ApiKeyId) -> String {
    format!("api_key|sealed|{id}")
}

/// The text of a key, for its owner with a fresh proof; that it was shown is in the audit.
///
/// # Errors
/// [`ApiKeyError::NotFound`] for somebody else's, and when the person does not own the workspace any more;
/// [`ApiKeyError::NotKept`] where the site shows keys once, did so when this one was made, or the key has ended.
pub fn reveal(tx: &mut Tx<'_>, admin: &CredentialAdmin, id: ApiKeyId) -> Result<Secret<String>, ApiKeyError> {
    let key = find(tx, admin, id)?;
    owner_only(tx, admin, key.account, key.workspace)?;
    let site = tx.site().clone();
    if site.config.api_keys.reveal != Reveal::Owner || key.state.is_over() {
        return Err(ApiKeyError::NotKept);
    }
    let sealed = store::find_sealed(tx, id)?.ok_or(ApiKeyError::NotKept)?;
    let plain = seal::open(&site.keyring, &place_of(id), &sealed)?;
    let text = String::from_utf8(plain.expose().clone()).map_err(|_| DoesNotOpen)?;
    audit::record(tx, admin, event_about("api_key.revealed", &key))?;
    Ok(Secret::new(text))
}

/// Seals texts anew that are not under the data key in use, behind the id `after` and in their order. Answers the last id
/// looked at. `None`: there are no more.
pub(in crate::api_keys) fn reseal_batch(tx: &mut Tx<'_>, after: &str, limit: u32) -> Result<Option<ApiKeyId>, Error> {
    let site = tx.site().clone();
    let batch = store::list_sealed(tx, after, limit)?;
    let last = batch.last().map(|(id, _)| *id);
    for (id, sealed) in batch {
        match seal::reseal(&site.keyring, tx.rng(), &place_of(id), &sealed) {
            Ok(Some(anew)) => store::update_sealed(tx, id, &anew)?,
            Ok(None) => {}
            // It cannot be shown again, and the key itself is as good as before.
            Err(DoesNotOpen) => tracing::warn!(key = %id, "The kept text of a key does not open."),
        }
    }
    Ok(last)
}
