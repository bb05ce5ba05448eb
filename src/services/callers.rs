//! Authenticates services. Every request needs it, so services are cached for as long as they do not change.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::error::ServiceError;
use super::model::{CREDENTIAL_PREFIX, Service, ServiceScope};
use super::ops;
use crate::api_keys::{KeyText, LookupDigest};
use crate::app::App;
use crate::base::{Actor, Problem, ServiceId, Timestamp, WorkspaceId};
use crate::db::{Error, Subject};

/// Credentials in the cache at most. A full cache is cleared.
const CACHE_MAX: usize = 4_096;

/// An authenticated service. A handler that takes one is only for services.
#[derive(Clone)]
pub struct Caller {
    /// What is known about the service.
    pub service: Arc<Service>,
    /// The id of the request, for the log. Empty: it has none, because it changes nothing.
    pub request: String,
}

impl Caller {
    /// The actor for operations and the audit.
    pub fn actor(&self) -> Actor {
        Actor::Service { service: self.service.id, name: self.service.name.clone(), request: self.request.clone() }
    }

    /// Fails unless the service has the scope.
    ///
    /// # Errors
    /// 403 `insufficient_scope`.
    pub fn require(&self, scope: ServiceScope) -> Result<(), Problem> {
        if self.service.grant.scopes.contains(scope) { Ok(()) } else { Err(ServiceError::MissingScope(scope).into()) }
    }

    /// The workspaces that the service may touch, in order. `None`: all.
    pub fn workspaces(&self) -> Option<&[WorkspaceId]> {
        self.service.grant.workspaces.listed()
    }

    /// Whether the service may touch the workspace with this id. Another text is no workspace that it may touch, unless it
    /// may touch all.
    pub fn may_touch(&self, workspace: &str) -> bool {
        let granted = &self.service.grant.workspaces;
        granted.listed().is_none() || WorkspaceId::parse(workspace).is_some_and(|id| granted.contains(id))
    }
}

/// Finds services by their credential.
pub struct Callers {
    app: Arc<App>,
    /// Workers only read it, except after a change of a service.
    cache: RwLock<HashMap<LookupDigest, Cached>>,
}

struct Cached {
    /// In which it was read.
    generation: u64,
    caller: Caller,
    /// When the credential ends. `None`: it has no end.
    ends_at: Option<Timestamp>,
    /// Whether it was used since [`Callers::take_seen`].
    is_seen: AtomicBool,
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
        let Some((service, ends_at)) = found else { return Ok(None) };
        let caller = Caller { service: Arc::new(service), request: String::new() };
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(digest, Cached { generation, caller: caller.clone(), ends_at, is_seen: true.into() });
        Ok(Some(caller))
    }

    /// The services that sent a request since the last call.
    pub(super) fn take_seen(&self) -> BTreeSet<ServiceId> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let seen = cache.values().filter(|cached| cached.is_seen.swap(false, Ordering::Relaxed));
        seen.map(|cached| cached.caller.service.id).collect()
    }

    /// The service with this digest, if nothing about it has changed since it was read, and the credential has not ended.
    fn cached(&self, digest: &LookupDigest) -> Option<Caller> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let Cached { generation, caller, ends_at, is_seen } = cache.get(digest)?;
        let is_unchanged = self.app.store().is_unchanged_since(Subject::Service(caller.service.id), *generation);
        let is_valid = is_unchanged && ends_at.is_none_or(|end| self.app.now() < end);
        // Written once a minute only, so that the workers share the cache line.
        if is_valid && !is_seen.load(Ordering::Relaxed) {
            is_seen.store(true, Ordering::Relaxed);
        }
        is_valid.then(|| caller.clone())
    }
}
