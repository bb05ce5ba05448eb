//! Authenticates services. Every request needs it, so services are cached for as long as they do not change.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::model::{CREDENTIAL_PREFIX, Service};
use super::ops;
use crate::api_keys::{KeyText, LookupDigest};
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
    /// Each with the generation in which it was read. Workers only read it, except after a change of a service.
    cache: RwLock<HashMap<LookupDigest, (u64, Caller)>>,
}

impl Callers {
    /// For the open appliance, with an empty cache.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, cache: RwLock::default() }
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
        let store = self.app.store();
        if store.is_cache_current()
            && let Some(caller) = self.cached(&digest)
        {
            return Ok(Some(caller));
        }
        let generation = store.generation();
        let found = self.app.query_inline(|view| ops::find_by_credential(view, credential))?;
        let Some(caller) = found.map(|service| Caller(Arc::new(service))) else { return Ok(None) };
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(digest, (generation, caller.clone()));
        Ok(Some(caller))
    }

    /// The service with this digest, if nothing about it has changed since it was read.
    fn cached(&self, digest: &LookupDigest) -> Option<Caller> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let (generation, caller) = cache.get(digest)?;
        let is_valid = self.app.store().is_unchanged_since(Subject::Service(caller.0.id), *generation);
        is_valid.then(|| caller.clone())
    }
}
