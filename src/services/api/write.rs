//! Writes of services: each can be repeated with the header `Idempotency-Key`, and is done once.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::Data;
use sha2::{Digest, Sha256};

use super::super::callers::Caller;
use super::super::model::ServiceScope;
use crate::app::App;
use crate::base::{Actor, Problem, WorkspaceId};
use crate::db::{self, Tx};
use crate::http::{Answer, json};
use crate::idempotency::{self, IdempotencyError, Request};

/// A write of a service: who, what, and how it can be repeated. Every route that is one
/// ([`crate::server::Route::is_write`]) makes it from its request.
pub struct ServiceWrite {
    /// The service.
    pub actor: Actor,
    service: String,
    route: String,
    path: String,
    key: Option<String>,
}

/// What a write answers.
pub struct Written {
    status: u16,
    body: String,
    shown: Option<String>,
    workspace: Option<WorkspaceId>,
}

impl Written {
    /// This body.
    pub fn new(status: u16, body: &impl serde::Serialize) -> Self {
        // Our bodies always have a form in JSON.
        Self::rendered(status, serde_json::to_string(body).unwrap_or_default())
    }

    /// This body, which is JSON already.
    pub const fn rendered(status: u16, body: String) -> Self {
        Self { status, body, shown: None, workspace: None }
    }

    /// The answer has something of this workspace: when the workspace is erased, the stored answer is deleted.
    pub fn about(mut self, workspace: WorkspaceId) -> Self {
        self.workspace = Some(workspace);
        self
    }

    /// Answers this body once, and stores the other one: it has a secret, which is not stored.
    pub fn showing(mut self, body: Option<String>) -> Self {
        self.shown = body;
        self
    }
}

impl ServiceWrite {
    /// Of this request. `scope`: what the service needs for it; `None`: it changes only itself.
    ///
    /// # Errors
    /// 403 `insufficient_scope`; 400 `idempotency_key_invalid`.
    pub fn new(caller: &Caller, scope: Option<ServiceScope>, request: &HttpRequest) -> Result<Self, Problem> {
        scope.map_or(Ok(()), |scope| caller.require(scope))?;
        let path = request.match_pattern().unwrap_or_else(|| request.path().to_owned());
        Ok(Self {
            actor: caller.actor(),
            service: caller.service.id.to_string(),
            route: format!("{} {path}", request.method()),
            path: request.path().to_owned(),
            key: json::idempotency_key(request.headers())?,
        })
    }

    /// The request with its key. `None`: it has none.
    pub fn repeatable(&self, body: &[u8]) -> Option<Request> {
        let key = self.key.clone()?;
        // The path may have the id of what is written.
        let hash = Sha256::new().chain_update(&self.path).chain_update(b"\n").chain_update(body).finalize();
        Some(Request { actor: self.service.clone(), route: self.route.clone(), key, hash: hash.into() })
    }

    /// Runs the operation once for its key, in one transaction, and answers with what it has written.
    ///
    /// # Errors
    /// Those of the operation; 409 `idempotency_mismatch`.
    pub async fn run<E>(
        self,
        app: &Data<Arc<App>>,
        body: &[u8],
        work: impl FnOnce(&mut Tx<'_>, &Actor) -> Result<Written, E> + Send + 'static,
    ) -> Answer
    where
        E: From<db::Error> + Into<Problem> + Send + 'static,
        IdempotencyError<E>: From<db::Error>,
    {
        let (repeatable, actor) = (self.repeatable(body), self.actor);
        let write = move |tx: &mut Tx<'_>| {
            let mut shown = None;
            let (answer, is_repetition) = idempotency::once(tx, repeatable.as_ref(), |tx| {
                let written = work(tx, &actor)?;
                shown = written.shown;
                let Written { status, body, workspace, .. } = written;
                Ok::<_, E>(idempotency::Answer { status, body, workspace })
            })?;
            Ok::<_, IdempotencyError<E>>((answer.status, shown.unwrap_or(answer.body), is_repetition))
        };
        let (status, body, is_repetition) = app.write(write).await.map_err(Problem::from)?;
        Ok(json::repeatable(status, body, is_repetition))
    }
}
