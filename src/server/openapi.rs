//! The OpenAPI 3.1 description of the API. It is a file; a test compares it with the routes.

use actix_web::HttpResponse;

use crate::http::json;

/// The OpenAPI document as JSON.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`.
pub async fn document() -> HttpResponse {
    json::private(200, DOCUMENT.to_owned())
}
