//! The description of the JSON doors, OpenAPI 3.1, kept as a file and compared with the routes by a test.

use actix_web::HttpResponse;

use crate::http::json;

/// The document.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`.
pub async fn document() -> HttpResponse {
    json::private(200, DOCUMENT.to_owned())
}
