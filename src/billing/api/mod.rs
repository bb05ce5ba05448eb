//! The JSON API: usage from services, and the wallet for holders of an API key.

mod authorizations;
mod transactions;
mod usage_events;
mod usage_summary;
mod watermark;

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use utoipa::OpenApi;

use super::usage::{self, Recorded, Report, UsageError};
use crate::app::App;
use crate::db::Tx;
use crate::http::schema::{ProblemDocument, ServerProblem, TooLarge};
use crate::http::{Answer, json};
use crate::idempotency::{self, IdempotencyError};
use crate::services::api::{ServiceRefusals, ServiceWrite};
use crate::services::{Caller, ServiceScope};
pub use authorizations::{authorize, quote, release, settle};
pub use transactions::transactions;
pub use usage_events::{EventsResponse, read_events};
pub use usage_summary::usage_summary;
pub use watermark::watermark;

/// The description of the operations in this folder.
#[derive(OpenApi)]
#[openapi(paths(
    record_events,
    authorizations::quote,
    authorizations::authorize,
    authorizations::settle,
    authorizations::release,
    watermark::watermark,
    transactions::transactions,
    usage_summary::usage_summary
))]
pub struct Description;

/// Reports usage. Events of a service with the same source and id count once.
///
/// An event that is wrong does not affect the others: the answer says which were rejected, and why. Structured CloudEvents
/// are accepted too: a batch of them as `application/cloudevents-batch+json`, or exactly one, without an array, as
/// `application/cloudevents+json`. With an Idempotency-Key, a repeated request gets the first answer again, with the
/// header `Idempotent-Replayed: true`. After a backup was restored, `/v1/ingest/watermark` says what to report again.
#[utoipa::path(
    post,
    path = "/v1/usage/events",
    operation_id = "recordUsage",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = usage_events::UsageEvents,
    responses(
        (status = 200, description = "The events were counted, except those that are rejected.", body = EventsResponse),
        (
            status = 400,
            description = "The body is not a JSON array of 1 to 10,000 elements, or not exactly one event if it is sent as \
                           `application/cloudevents+json`. Or the Idempotency-Key is not valid.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServiceRefusals,
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
    let write = ServiceWrite::new(&caller, Some(ServiceScope::UsageWrite), &request)?;
    let body = body.map_err(json::body_problem)?;
    let actor = write.actor.clone();
    let read = if is_one_cloud_event(&request) { usage_events::read_one_event } else { usage_events::read_events };
    let (repeatable, events) = json::parse_large(body, move |body| Ok((write.repeatable(body), read(body)?))).await?;
    let report = Report { actor, repeatable, events };
    let (answer, is_repetition) = app.write_together(record_reports, report).await?;
    Ok(json::repeatable(answer.status, answer.body, is_repetition))
}

/// Whether the body is one event and not an array (CloudEvents, JSON format, section 3).
fn is_one_cloud_event(request: &HttpRequest) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/cloudevents+json")
}

fn record_reports(tx: &mut Tx<'_>, reports: &[Report]) -> Result<Vec<Recorded>, IdempotencyError<UsageError>> {
    usage::record_reports(tx, reports, |recorded| {
        let body = serde_json::to_string(&EventsResponse::from(recorded)).unwrap_or_default();
        idempotency::Answer { status: 200, body, workspace: None }
    })
}
