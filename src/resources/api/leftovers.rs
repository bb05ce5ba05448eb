//! What disconnected services keep, for programs with a key.

use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::error::ResourceError;
use super::super::flows;
use super::super::model::{Leftover, ResourceKind};
use super::listing::refusal;
use crate::app::App;
use crate::base::{Problem, ServiceId};
use crate::http::schema::{self, ErrorBody, ServerError};
use crate::http::{Answer, json};
use crate::verification::api::{KeyHolder, KeyRefusals};

/// What a disconnected service keeps.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeftByService {
    #[schema(example = "svc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    service: String,
    #[schema(example = "training")]
    name: String,
    #[schema(example = 12)]
    count: u64,
    #[schema(example = 5_400_000)]
    size_bytes: i64,
}

impl From<Leftover> for LeftByService {
    fn from(left: Leftover) -> Self {
        Self { service: left.service.to_string(), name: left.name, count: left.items, size_bytes: left.size_bytes }
    }
}

/// A service that is disconnected.
#[derive(Deserialize, ToSchema)]
struct LeftoversRequest {
    /// The id of the service.
    #[schema(example = "svc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    service: String,
}

/// What it kept is in the trash.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LeftoversResponse {
    #[schema(schema_with = schema::only_true)]
    success: bool,
    #[schema(example = 12)]
    moved_count: usize,
}

/// Moves what a disconnected service keeps to the trash.
///
/// Nothing uses it any more, and it counts until it is deleted for good; then it is free at once. Requires the write scopes of all
/// types that are moved.
#[utoipa::path(
    put,
    path = "/api/trash",
    operation_id = "trashLeftovers",
    tag = "key holders",
    security(("apiKey" = ["projects:write"]), ("apiKey" = ["datasets:write"]), ("apiKey" = ["models:write"])),
    request_body = LeftoversRequest,
    responses(
        (status = 200, description = "It is in the trash.", body = LeftoversResponse),
        (status = 400, description = "The body cannot be read, or a member is wrong.", body = ErrorBody),
        KeyRefusals,
        (status = 404, description = "There is no such disconnected service.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        ServerError
    )
)]
pub async fn trash_leftovers(app: Data<Arc<App>>, holder: KeyHolder, body: Result<Bytes, actix_web::Error>) -> Answer {
    holder.require_any(&app, ResourceKind::ALL.map(ResourceKind::write_scope))?;
    let request: LeftoversRequest = json::parse(&body.map_err(json::body_problem)?)?;
    let unknown = || Problem::new(404, "not_found", "There is no such disconnected service.");
    let service = ServiceId::parse(&request.service).ok_or_else(unknown)?;
    let moved = flows::trash_leftovers(&app, holder.actor(), holder.verified.workspace, service).await;
    let moved_count = moved.map_err(|error| match error {
        ResourceError::NotFound => unknown(),
        other => refusal(other),
    })?;
    json::ok(&LeftoversResponse { success: true, moved_count })
}
