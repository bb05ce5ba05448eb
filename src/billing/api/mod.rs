//! JSON doors: usage from services, and the wallet for holders of a key.

mod account;
mod wire;

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::ledger;
use super::usage::{self, UsageError};
use crate::api_keys::api::KeyHolder;
use crate::app::App;
use crate::base::Problem;
use crate::http::{Answer, json};
use crate::idempotency::{self, Request};
use crate::services::Caller;
use crate::threads::spawn_blocking;
pub use account::{profile, summary, usage_summary};
pub use wire::{EventsResponse, TransactionsResponse, read_events, read_range};

/// `POST /v1/usage/events`. With an `Idempotency-Key`, a repetition gets the first answer.
pub async fn record_events(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let key = idempotency_key(&request)?;
    let actor = caller.actor();
    let asker = caller.0.id.to_string();
    let (repeatable, events) = aside(body, move |body| {
        let hash = || Sha256::digest(body).into();
        let repeatable = key.map(|key| Request { actor: asker, route: "POST /v1/usage/events", key, hash: hash() });
        Ok((repeatable, wire::read_events(body)?))
    })
    .await?;
    let (answer, is_repetition) = app
        .write(move |tx| {
            idempotency::once(tx, repeatable.as_ref(), |tx| {
                let recorded = usage::record_batch(tx, &actor, &events)?;
                let body = serde_json::to_string(&EventsResponse::from(recorded)).unwrap_or_default();
                Ok::<_, UsageError>(idempotency::Answer { status: 200, body })
            })
        })
        .await?;
    let mut response = json::private(answer.status, answer.body);
    if is_repetition {
        mark_replayed(&mut response);
    }
    Ok(response)
}

fn mark_replayed(response: &mut HttpResponse) {
    use actix_web::http::header::{HeaderName, HeaderValue};
    response.headers_mut().insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
}

/// Bytes of a body that a worker reads itself, in about a millisecond; a larger one would hold up its other requests.
const READ_HERE_MAX: usize = 64 * 1024;

/// Reads a body: a large one on a thread that may take its time.
async fn aside<T: Send + 'static>(
    body: Bytes,
    read: impl FnOnce(&[u8]) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if body.len() <= READ_HERE_MAX {
        return read(&body);
    }
    spawn_blocking(move || read(&body)).await.map_err(Problem::ours)?
}

/// The request's Idempotency-Key, quoted as the draft has it or bare as others send it. `None`: it has none.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > 255 {
        let sentence = "An Idempotency-Key has 1 to 255 visible characters. Use a random one per request.";
        return Err(Problem::new(400, "idempotency_key_invalid", sentence));
    }
    Ok(Some(key.to_owned()))
}

/// The days of a list.
#[derive(Deserialize)]
pub struct Days {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// `GET /api/billing/transactions`: the newest first, as many as a statement's page holds.
pub async fn transactions(app: Data<Arc<App>>, holder: KeyHolder, days: Query<Days>) -> Answer {
    holder.require(&app, "billing:read")?;
    let filter = wire::read_range(Some(&days.from), Some(&days.to))?;
    let workspace = holder.verified.workspace;
    let page = app.read_offloaded(move |view| ledger::statement(view, workspace, &filter)).await?;
    let body = serde_json::to_string(&TransactionsResponse::from(&page.rows[..])).map_err(Problem::ours)?;
    Ok(json::private(200, body))
}
