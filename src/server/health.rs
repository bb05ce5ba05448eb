//! Liveness and readiness probes.

use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::Problem;
use crate::db;
use crate::http::schema::{ProblemDocument, ServerProblem};
use crate::http::{Answer, diagnosis, json};

/// The answer of a probe.
#[derive(Serialize, ToSchema)]
pub struct Status {
    /// `ok` or `ready`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Liveness: whether the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "health",
    security(),
    responses((status = 200, description = "The process answers.", body = Status), ServerProblem)
)]
pub async fn healthz(app: Data<Arc<App>>, request: HttpRequest) -> HttpResponse {
    let mut response = status("ok");
    let seen = diagnosis::answer(&request, app.config(), app.keyring(), app.now());
    let text = seen.and_then(|seen| serde_json::to_string(&seen).ok());
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(HeaderName::from_static(diagnosis::HEADER), value);
    }
    response
}

/// Readiness: whether the database can be read and written, and nothing needs an operator.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "health",
    security(),
    responses(
        (status = 200, description = "The database can be read and written, and nothing needs an operator.", body = Status),
        (
            status = 503,
            description = "The database cannot be read or written, and the log of the server says why; or something needs an operator, and `detail` says what.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn readyz(app: Data<Arc<App>>) -> Answer {
    let not_ready = |error: db::Error| {
        let mut problem = Problem::busy("not_ready", "This server is not ready. See its log for the reason.", 5);
        problem.cause = Some(error.to_string().into());
        problem
    };
    app.query_inline(db::find_stamp).map_err(not_ready)?;
    app.write(|_| Ok::<(), db::Error>(())).await.map_err(not_ready)?;
    let reasons: Vec<String> = app.readiness().faults().into_iter().map(|(_, reason)| reason).collect();
    if !reasons.is_empty() {
        return Err(Problem::busy("not_ready", format!("This server is not ready. {}", reasons.join(" ")), 5).into());
    }
    Ok(status("ready"))
}

fn status(status: &'static str) -> HttpResponse {
    json::private(200, serde_json::to_string(&Status { status }).unwrap_or_default())
}
