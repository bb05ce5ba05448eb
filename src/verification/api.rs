//! The extractor of all `/api/` routes, and `/api/api-keys`.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::Serialize;
use utoipa::{IntoResponses, OpenApi, ToSchema};

use super::Verifier;
use super::model::{Refusal, VerifiedKey, VerifyRequest};
use crate::api_keys::{self, Channel};
use crate::app::App;
use crate::base::{Actor, Problem, RateLimit, Scopes};
use crate::http::schema::{ErrorBody, ServerError};
use crate::http::{Answer, Fault, VisitorOf, bearer, json};

/// The description of the operation in this file.
#[derive(OpenApi)]
#[openapi(paths(list))]
pub struct Description;

/// What the addresses for holders of an API key answer to a key that is refused.
#[derive(IntoResponses)]
pub enum KeyRefusals {
    /// The key is missing, malformed, unknown, expired, disabled or in quarantine. `code` says which.
    #[response(status = 401)]
    Unauthorized(ErrorBody<'static>),
    /// The key does not have the required scope, cannot be used from this network, or has spent its budget. `code`
    /// says which.
    #[response(status = 403)]
    Forbidden(ErrorBody<'static>),
    /// The rate limit of the key is exceeded.
    #[response(status = 429, headers(("Retry-After" = u32, description = "The seconds to wait.")))]
    RateLimited(ErrorBody<'static>),
}

/// The extractor of a program with a good key. A program is not a person: it has no session, and there is no way to
/// make a [`crate::base::CredentialAdmin`] of it, which operations on credentials need.
pub struct KeyHolder {
    /// The key and its owner.
    pub verified: VerifiedKey,
    visitor: VisitorOf,
    verifier: Data<Verifier>,
    request: HttpRequest,
}

impl KeyHolder {
    /// The actor for operations and the audit.
    pub fn actor(&self) -> Actor {
        Actor::KeyHolder {
            key: self.verified.key,
            account: self.verified.account,
            workspace: self.verified.workspace,
            scopes: self.verified.rights,
            visitor: self.visitor.0.clone(),
        }
    }

    /// Fails unless the key has the scope. A refused request counts neither as a use nor against the rate limit.
    ///
    /// # Errors
    /// 403 `insufficient_scope`, with the sentence that the reference's client knows.
    pub fn require(&self, app: &App, scope: &str) -> Result<(), Problem> {
        self.require_all(app, [scope])
    }

    /// As [`KeyHolder::require`], for several scopes together.
    ///
    /// # Errors
    /// As [`KeyHolder::require`].
    pub fn require_all<'s>(&self, app: &App, scopes: impl IntoIterator<Item = &'s str>) -> Result<(), Problem> {
        let table = &app.config().scopes;
        let required = scopes
            .into_iter()
            .try_fold(Scopes::NONE, |required, scope| table.parse(scope).map(|rights| required.union(rights)));
        self.decide(required.filter(|required| self.verified.rights.contains(*required)))
    }

    /// As [`KeyHolder::require`], for one of several scopes.
    ///
    /// # Errors
    /// As [`KeyHolder::require`].
    pub fn require_any<'s>(&self, app: &App, scopes: impl IntoIterator<Item = &'s str>) -> Result<(), Problem> {
        let table = &app.config().scopes;
        let held = scopes
            .into_iter()
            .filter_map(|scope| table.parse(scope).filter(|rights| self.verified.rights.contains(*rights)));
        self.decide(held.reduce(Scopes::union))
    }

    /// Records the rights as used. `None`: the request is refused.
    fn decide(&self, granted: Option<Scopes>) -> Result<(), Problem> {
        match granted {
            Some(rights) => {
                self.verifier.record_rights(&self.verified, rights);
                Ok(())
            }
            None => {
                self.verifier.undo_use(&self.verified, Channel::Api);
                self.request.extensions_mut().remove::<RateLimit>();
                Err(Problem::new(403, "insufficient_scope", "Permission denied for this operation"))
            }
        }
    }
}

impl FromRequest for KeyHolder {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(holder_of(request))
    }
}

fn holder_of(request: &HttpRequest) -> Result<KeyHolder, Fault> {
    let verifier =
        request.app_data::<Data<Verifier>>().ok_or_else(|| Problem::internal("no verifier in the request"))?;
    let text = bearer(request.headers()).map_err(Problem::from)?.ok_or(Fault(Refusal::Unknown.into()))?;
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default();
    let question = VerifyRequest {
        address: visitor.0.address.parse().ok(),
        agent: &visitor.0.agent,
        ..VerifyRequest::new(Channel::Api)
    };
    let verdict = verifier.verify_request(text, &question)?;
    if let Some(rate_limit) = verdict.rate_limit() {
        request.extensions_mut().insert(rate_limit);
    }
    let verified = verdict.into_result().map_err(Problem::from)?;
    Ok(KeyHolder { verified, visitor, verifier: verifier.clone(), request: request.clone() })
}

#[derive(Serialize, ToSchema)]
struct KeyList {
    keys: Vec<KeyItem>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyItem {
    /// The id of the key, which is not a secret.
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    key_id: String,
    #[schema(example = "ci")]
    name: String,
    /// What the owner wrote about the key. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Nightly training on the farm. Ask Grace before you rotate it.")]
    note: Option<String>,
    /// The first characters of the key.
    #[schema(example = "dok_eu_4f9a")]
    key_prefix: String,
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
    created_at: String,
}

/// The live keys in the workspace of the key.
///
/// Without any secret.
#[utoipa::path(
    get,
    path = "/api/api-keys",
    operation_id = "listApiKeys",
    tag = "key holders",
    security(("apiKey" = ["account:read"])),
    responses((status = 200, description = "The keys.", body = KeyList), KeyRefusals, ServerError)
)]
pub async fn list(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    let workspace = holder.verified.workspace;
    let keys = app.read_offloaded(move |view| api_keys::list_live(view, workspace)).await?;
    let keys = keys.into_iter().map(|key| KeyItem {
        key_id: key.id.to_string(),
        name: key.name,
        note: Some(key.note).filter(|note| !note.is_empty()),
        key_prefix: key.display,
        created_at: key.created_at.rfc3339(),
    });
    let body = serde_json::to_string(&KeyList { keys: keys.collect() }).map_err(Problem::internal)?;
    Ok(json::private(200, body))
}
