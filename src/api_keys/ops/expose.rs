//! Somebody found keys where they should not be.

use serde_json::json;

use super::super::mails;
use super::super::model::{ApiKey, Ended, KeyEvent};
use super::super::store;
use super::super::uses;
use super::{end, event_about, tell};
use crate::audit::{self, Part};
use crate::base::{Actor, Visitor, days};
use crate::config::OnExposure;
use crate::db::{Error, Tx, View};

/// A key that was found, and what the finder says about it.
pub struct Find {
    /// Digests of its text under every pepper.
    pub lookups: Vec<[u8; 32]>,
    /// What kind of secret the finder takes it for.
    pub kind: String,
    /// Where it was.
    pub url: String,
    /// What kind of place that is.
    pub source: String,
}

/// Those of what was found that are keys of here.
pub(in crate::api_keys) fn known(view: &View<'_>, finds: Vec<Find>) -> Result<Vec<Find>, Error> {
    let mut known = Vec::new();
    for find in finds {
        if find_key(view, &find)?.is_some() {
            known.push(find);
        }
    }
    Ok(known)
}

/// Does what the site says about keys that were found: quarantine, revoke, or only tell. Whoever has the whole text needs no
/// other proof. Unknown keys and those that have ended are passed over; a key is told about once a day. The place is kept
/// where it is erased with the person.
///
/// # Errors
/// [`Error`].
pub fn expose(tx: &mut Tx<'_>, finds: &[Find]) -> Result<(), Error> {
    for find in finds {
        if let Some(key) = find_key(tx, find)? {
            expose_one(tx, find, &key)?;
        }
    }
    Ok(())
}

fn find_key(view: &View<'_>, find: &Find) -> Result<Option<ApiKey>, Error> {
    for lookup in &find.lookups {
        if let Some(found) = store::find_by_lookup(view, lookup)? {
            return store::find(view, found.key);
        }
    }
    Ok(None)
}

fn expose_one(tx: &mut Tx<'_>, find: &Find, key: &ApiKey) -> Result<(), Error> {
    let Some(state) = key.state.after(KeyEvent::Expose, key.state_before) else { return Ok(()) };
    let site = tx.site().clone();
    let on_exposure = site.config.api_keys.on_exposure;
    let is_new = uses::store::record_notice(tx, key.id, "exposed", Some(tx.now().minus(days(1))))?;
    if on_exposure == OnExposure::Notify && !is_new {
        return Ok(());
    }
    let event = event_about("api_key.exposure_reported", key)
        .private(Part::Contact, json!({"type": find.kind, "url": find.url, "source": find.source}));
    // Whence the report came is the finder's, and no business of the owner's, whose record this is.
    audit::record(tx, &Actor::Anonymous(Visitor::default()), event)?;
    match on_exposure {
        OnExposure::Quarantine => {
            store::update_state(tx, key.id, state, Some(key.state), None)?;
            audit::record(tx, &Actor::System, event_about("api_key.quarantined", key))?;
        }
        OnExposure::Revoke => end(tx, &Actor::System, key, Ended::Exposed)?,
        OnExposure::Notify => {}
    }
    tell(tx, key.account, &mails::key_exposed(key, on_exposure, &site.config.public_url))
}
