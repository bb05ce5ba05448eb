//! Which service is calling: asked for every request, so it is remembered as long as it stays true.

use std::sync::Arc;

use papaya::HashMap as SharedMap;

use super::model::{CREDENTIAL_PREFIX, Service};
use super::ops;
use crate::api_keys::KeyText;
use crate::app::App;
use crate::base::Actor;
use crate::db::{Error, Subject};

/// Credentials remembered at most; beyond it memory starts anew.
const REMEMBERED_MAX: usize = 4_096;

/// A service that proved itself. A handler that takes one is closed to everybody else.
#[derive(Clone)]
pub struct Caller(pub Arc<Service>);

impl Caller {
    /// As operations know it.
    pub fn actor(&self) -> Actor {
        Actor::Service { service: self.0.id, name: self.0.name.clone() }
    }
}

/// Knows services by their credential.
pub struct Callers {
    app: Arc<App>,
    remembered: SharedMap<[u8; 32], (u64, Caller)>,
}

impl Callers {
    /// Over the open appliance.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, remembered: SharedMap::new() }
    }

    /// The service behind a credential. `None`: nobody's.
    ///
    /// # Errors
    /// [`Error`] when the database cannot be asked.
    pub fn find(&self, credential: &str) -> Result<Option<Caller>, Error> {
        if !KeyText::is_well_formed(CREDENTIAL_PREFIX, credential) {
            return Ok(None);
        }
        let digest = self.app.keyring().lookup(credential.as_bytes());
        let remembered = self.remembered.pin();
        let store = self.app.store();
        let is_good = |(tag, caller): &&(u64, Caller)| store.is_as_of(Subject::Service(caller.0.id), *tag);
        if store.memory_holds()
            && let Some((_, caller)) = remembered.get(&digest).filter(is_good)
        {
            return Ok(Some(caller.clone()));
        }
        let tag = store.generation();
        let found = self.app.query_inline(|view| ops::find_by_credential(view, credential))?;
        let Some(caller) = found.map(|service| Caller(Arc::new(service))) else { return Ok(None) };
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(digest, (tag, caller.clone()));
        Ok(Some(caller))
    }
}
