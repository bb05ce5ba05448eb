//! What everybody may read of the audit: how far it goes.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use utoipa::OpenApi;

use super::ops;
use crate::app::App;
use crate::base::Problem;
use crate::http::Answer;
use crate::http::schema::{ProblemDocument, ServerProblem};

/// The description of the operations in this file.
#[derive(OpenApi)]
#[openapi(paths(head))]
pub struct Description;

/// The newest checkpoint of the audit: how many events there are, and the root of the tree over them.
///
/// A signed note (C2SP `signed-note`, `tlog-checkpoint`). Keep it on another machine, and the audit can be compared with it
/// later (`domicile audit verify --checkpoint FILE`): events that were changed or removed since are found, also if an
/// operator did it. A new one is made each minute, if there are new events.
#[utoipa::path(
    get,
    path = "/v1/audit/head",
    operation_id = "auditHead",
    tag = "audit",
    security(),
    responses(
        (status = 200, description = "The checkpoint.", body = String, content_type = "text/plain; charset=utf-8"),
        (
            status = 404,
            description = "There is no checkpoint yet (`no_checkpoint`).",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServerProblem
    )
)]
pub async fn head(app: Data<Arc<App>>) -> Answer {
    let newest = app.query_inline(ops::newest_checkpoint)?;
    let note = newest
        .ok_or_else(|| Problem::new(404, "no_checkpoint", "There is no checkpoint yet. Try again in a minute."))?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(note))
}
