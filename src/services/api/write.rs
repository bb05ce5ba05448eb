//! A write of a service: who sends it, what exactly, and how it can be repeated.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::Data;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::callers::Caller;
use crate::app::App;
use crate::base::{Actor, Problem};
use crate::db::{self, Tx};
use crate::http::{Answer, json};
use crate::idempotency::{self, Request};

/// A write of a service. Every route that is one ([`crate::server::Route::is_write`]) makes it from its request, so that each
/// can be repeated with the header `Idempotency-Key`.
pub struct ServiceWrite {
    actor: Actor,
    repeatable: Option<Request>,
}

impl ServiceWrite {
    /// Of this request with this body.
    ///
    /// # Errors
    /// 400 `idempotency_key_invalid`.
    pub fn new(caller: &Caller, request: &HttpRequest, body: &[u8]) -> Result<Self, Problem> {
        let repeatable = json::idempotency_key(request.headers())?.map(|key| {
            // The path has the id of what is written.
            let hash = Sha256::new().chain_update(request.path()).chain_update(b"\n").chain_update(body).finalize();
            let path = request.match_pattern().unwrap_or_else(|| request.path().to_owned());
            let route = format!("{} {path}", request.method());
            Request { actor: caller.service.id.to_string(), route, key, hash: hash.into() }
        });
        Ok(Self { actor: caller.actor(), repeatable })
    }

    /// Runs the operation once for its key, in one transaction, and answers with its status and body.
    ///
    /// # Errors
    /// 409 `idempotency_mismatch`; those of `work`.
    pub async fn run<T: Serialize, E: From<db::Error> + Into<Problem> + Send + 'static>(
        self,
        app: &Data<Arc<App>>,
        work: impl FnOnce(&mut Tx<'_>, &Actor) -> Result<(u16, T), E> + Send + 'static,
    ) -> Answer {
        let stored = move |tx: &mut Tx<'_>, actor: &Actor| {
            let (status, body) = work(tx, actor)?;
            let body = serde_json::to_string(&body).unwrap_or_default();
            Ok::<_, E>((idempotency::Answer { status, body }, None))
        };
        self.run_with_secret(app, stored).await
    }

    /// As [`ServiceWrite::run`], for an answer that has a secret the first time only: the text beside the answer is sent instead
    /// of it, and never stored.
    ///
    /// # Errors
    /// As for [`ServiceWrite::run`].
    pub(super) async fn run_with_secret<E: From<db::Error> + Into<Problem> + Send + 'static>(
        self,
        app: &Data<Arc<App>>,
        work: impl FnOnce(&mut Tx<'_>, &Actor) -> Result<(idempotency::Answer, Option<String>), E> + Send + 'static,
    ) -> Answer {
        let Self { actor, repeatable } = self;
        let (answer, is_repetition) = app
            .write(move |tx| {
                let mut with_secret = None;
                let done = idempotency::once(tx, repeatable.as_ref(), |tx| {
                    let (answer, secret) = work(tx, &actor)?;
                    with_secret = secret;
                    Ok::<_, E>(answer)
                });
                done.map(|(mut answer, is_repetition)| {
                    if let Some(body) = with_secret {
                        answer.body = body;
                    }
                    (answer, is_repetition)
                })
            })
            .await?;
        Ok(json::repeatable(answer.status, answer.body, is_repetition))
    }
}
