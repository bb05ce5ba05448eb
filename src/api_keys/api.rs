//! For holders of a key: `/api/api-keys`, and the extractor every `/api/` route takes.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::Serialize;

use super::model::Verified;
use super::{Verifier, ops};
use crate::app::App;
use crate::base::{Actor, Problem};
use crate::http::{Answer, Fault, VisitorOf, json};

/// A program with a good key. Not a person: it has no session, and no operation on credentials takes it for one.
pub struct KeyHolder {
    /// The key and whose it is.
    pub verified: Verified,
    visitor: VisitorOf,
}

impl KeyHolder {
    /// As operations know it.
    pub fn actor(&self) -> Actor {
        Actor::KeyHolder {
            key: self.verified.key,
            account: self.verified.account,
            workspace: self.verified.workspace,
            scopes: self.verified.rights,
            visitor: self.visitor.0.clone(),
        }
    }

    /// Goes on only with a scope.
    ///
    /// # Errors
    /// 403 with the sentence that the reference's client knows.
    pub fn require(&self, app: &App, scope: &str) -> Result<(), Problem> {
        let wanted = app.config().scopes.wanted(scope);
        if wanted.is_some_and(|wanted| self.verified.rights.grant(wanted)) {
            Ok(())
        } else {
            Err(Problem::new(403, "insufficient_scope", "Permission denied for this operation"))
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
    let verifier = request.app_data::<Data<Verifier>>().ok_or_else(|| Problem::ours("no verifier in the request"))?;
    let refused = || Fault(Problem::new(401, "invalid_key", "Invalid API key"));
    let text = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, text)| text.trim())
        .ok_or_else(refused)?;
    let verified = verifier.verify(text)?.map_err(|_| refused())?;
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default();
    Ok(KeyHolder { verified, visitor })
}

#[derive(Serialize)]
struct KeyList {
    keys: Vec<KeyItem>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyItem {
    key_id: String,
    name: String,
    key_prefix: String,
    created_at: String,
}

/// `GET /api/api-keys`: the live keys of the key's workspace, without anything that opens something.
pub async fn list(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    let workspace = holder.verified.workspace;
    let keys = app.read(move |view| ops::live(view, workspace)).await?;
    let keys = keys.into_iter().map(|key| KeyItem {
        key_id: key.id.to_string(),
        name: key.name,
        key_prefix: key.display,
        created_at: key.created_at.rfc3339(),
    });
    let body = serde_json::to_string(&KeyList { keys: keys.collect() }).map_err(Problem::ours)?;
    Ok(json::private(200, body))
}
