//! Authenticates services. Every request needs it, so services are cached for as long as they do not change.

use std::sync::Arc;

use papaya::HashMap as SharedMap;

use super::model::{CREDENTIAL_PREFIX, Service};
use super::ops;
use crate::api_keys::KeyText;
use crate::app::App;
use crate::base::Actor;
use crate::db::{Error, Subject};

/// Credentials in the cache at most. A full cache is cleared.
const CACHE_MAX: usize = 4_096;

/// An authenticated service. A handler that takes one is only for services.
#[derive(Clone)]
pub struct Caller(pub Arc<Service>);

impl Caller {
    /// The actor for operations and the audit.
    pub fn actor(&self) -> Actor {
        Actor::Service { service: self.0.id, name: self.0.name.clone() }
    }
}

/// Finds services by their credential.
pub struct Callers {
    app: Arc<App>,
    cache: SharedMap<[u8; 32], (u64, Caller)>,
}

impl Callers {
    /// For the open appliance, with an empty cache.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, cache: SharedMap::new() }
    }

    /// The service with this credential. `None`: no service has it.
    ///
    /// # Errors
    /// [`Error`] when the database cannot be read.
    pub fn find(&self, credential: &str) -> Result<Option<Caller>, Error> {
        if !KeyText::is_well_formed(CREDENTIAL_PREFIX, credential) {
            return Ok(None);
        }
        let digest = self.app.keyring().lookup(credential.as_bytes());
        let cache = self.cache.pin();
        let store = self.app.store();
        let is_valid = |(generation, caller): &&(u64, Caller)| {
            store.is_unchanged_since(Subject::Service(caller.0.id), *generation)
        };
        if store.is_cache_current()
            && let Some((_, caller)) = cache.get(&digest).filter(is_valid)
        {
            return Ok(Some(caller.clone()));
        }
        let generation = store.generation();
        let found = self.app.query_inline(|view| ops::find_by_credential(view, credential))?;
        let Some(caller) = found.map(|service| Caller(Arc::new(service))) else { return Ok(None) };
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(digest, (generation, caller.clone()));
        Ok(Some(caller))
    }
}
