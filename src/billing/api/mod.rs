//! The JSON API: usage from services, and the wallet for holders of an API key.

mod usage_summary;
mod watermark;
mod wire;

use std::sync::Arc;

use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, OpenApi};

use super::ledger;
use super::usage::{self, Recorded, Report, UsageError};
use crate::app::App;
use crate::base::Problem;
use crate::db::Tx;
use crate::http::schema::{ErrorBody, ProblemDocument, ServerError, ServerProblem, TooLarge};
use crate::http::{Answer, json};
use crate::idempotency::{self, IdempotencyError, Request};
use crate::services::Caller;
use crate::services::api::ServiceRefusal;
use crate::threads::spawn_blocking;
use crate::verification::api::{KeyHolder, KeyRefusals};
pub use usage_summary::usage_summary;
pub use watermark::watermark;
pub use wire::{EventsResponse, TransactionsResponse, read_events, read_range};

/// The description of the operations in this folder.
#[derive(OpenApi)]
#[openapi(paths(record_events, watermark::watermark, transactions, usage_summary::usage_summary))]
pub struct Description;

/// Reports usage. Events with the same source and id count once.
///
/// An event that is wrong does not affect the others: the answer says which were rejected, and why. With an
/// Idempotency-Key, a repeated request gets the first answer again, with the header `Idempotent-Replayed: true`. After a
/// backup was restored, `/v1/ingest/watermark` says what to report again.
#[utoipa::path(
    post,
    path = "/v1/usage/events",
    operation_id = "recordUsage",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    params((
        "Idempotency-Key" = inline(Option<String>),
        Header,
        description = "A random text, the same when the request is repeated.",
        min_length = 1,
        max_length = 255,
        nullable = false,
        example = json!("5f0c9e1b-7a3d-4c2e-9b60-1f2a3b4c5d6e")
    )),
    request_body = wire::UsageEvents,
    responses(
        (status = 200, description = "The events were counted, except those that are rejected.", body = EventsResponse),
        (
            status = 400,
            description = "The body is not a JSON array of 1 to 10,000 elements, or the Idempotency-Key is not valid.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServiceRefusal,
        (
            status = 409,
            description = "The Idempotency-Key was used for another request, or its first request is not finished.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        TooLarge,
        (
            status = 503,
            description = "Too many writes wait. Try again after the seconds of `Retry-After`.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn record_events(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let key = idempotency_key(&request)?;
    let actor = caller.actor();
    let service = caller.0.id.to_string();
    let (repeatable, events) = parse_body(body, move |body| {
        let hash = || Sha256::digest(body).into();
        let repeatable = key.map(|key| Request { actor: service, route: "POST /v1/usage/events", key, hash: hash() });
        Ok((repeatable, wire::read_events(body)?))
    })
    .await?;
    let report = Report { actor, repeatable, events };
    let (answer, is_repetition) = app.write_together(record_reports, report).await?;
    let mut response = json::private(answer.status, answer.body);
    if is_repetition {
        set_replayed_header(&mut response);
    }
    Ok(response)
}

fn record_reports(tx: &mut Tx<'_>, reports: &[Report]) -> Result<Vec<Recorded>, IdempotencyError<UsageError>> {
    usage::record_reports(tx, reports, |recorded| {
        let body = serde_json::to_string(&EventsResponse::from(recorded)).unwrap_or_default();
        idempotency::Answer { status: 200, body }
    })
}

fn set_replayed_header(response: &mut HttpResponse) {
    use actix_web::http::header::{HeaderName, HeaderValue};
    response.headers_mut().insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
}

/// The largest body, in bytes, that a worker parses on its own thread, in about a millisecond. A larger body would
/// delay the other requests of the worker.
const INLINE_PARSE_BYTES_MAX: usize = 64 * 1024;

/// Parses a body, a large one on a blocking thread.
async fn parse_body<T: Send + 'static>(
    body: Bytes,
    read: impl FnOnce(&[u8]) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if body.len() <= INLINE_PARSE_BYTES_MAX {
        return read(&body);
    }
    spawn_blocking(move || read(&body)).await.map_err(Problem::internal)?
}

/// The Idempotency-Key of the request, with quotes as in the IETF draft, or without. `None`: the header is missing.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(header) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = header.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > 255 {
        let sentence = "An Idempotency-Key must have 1 to 255 visible characters. Use a random key for each request.";
        return Err(Problem::new(400, "idempotency_key_invalid", sentence));
    }
    Ok(Some(key.to_owned()))
}

/// The query of the transactions: the first and the last moment.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TransactionsQuery {
    /// The first day or RFC 3339 time, included.
    #[serde(default)]
    #[param(example = "2026-05-01")]
    from: String,
    /// The last day or RFC 3339 time, included.
    #[serde(default)]
    #[param(example = "2026-05-31")]
    to: String,
}

/// The newest transactions.
#[utoipa::path(
    get,
    path = "/api/billing/transactions",
    operation_id = "listTransactions",
    tag = "key holders",
    security(("apiKey" = ["billing:read"])),
    params(TransactionsQuery),
    responses(
        (status = 200, description = "The transactions, newest first.", body = TransactionsResponse),
        (status = 400, description = "`from` or `to` is neither a day nor an RFC 3339 time.", body = ErrorBody),
        KeyRefusals,
        ServerError
    )
)]
pub async fn transactions(app: Data<Arc<App>>, holder: KeyHolder, query: Query<TransactionsQuery>) -> Answer {
    holder.require(&app, "billing:read")?;
    let filter = wire::read_range(Some(&query.from), Some(&query.to))?;
    let workspace = holder.verified.workspace;
    let page = app.read_offloaded(move |view| ledger::statement(view, workspace, &filter)).await?;
    let body = serde_json::to_string(&TransactionsResponse::from(&page.rows[..])).map_err(Problem::internal)?;
    Ok(json::private(200, body))
}
