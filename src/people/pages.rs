//! The door to pictures.

use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::model::read_picture_path;
use super::ops;
use crate::base::Problem;
use crate::http::Answer;
use crate::http::page::TheApp;

/// Names change with their content, so a browser asks once; nobody between it and us keeps a person's picture.
const CACHING: &str = "private, max-age=31536000, immutable";

/// `GET /avatars/{name}-{pixels}`: for whoever was told the name, which nobody can guess.
pub async fn avatar(app: TheApp, request: HttpRequest, path: Path<String>) -> Answer {
    let (name, size) = read_picture_path(&path).ok_or_else(Problem::not_found)?;
    let tag = format!("\"{}\"", path.as_str());
    let name = name.to_owned();
    let picture =
        app.read_offloaded(move |view| ops::picture(view, &name, size)).await?.ok_or_else(Problem::not_found)?;
    let is_known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::CACHE_CONTROL, CACHING)).insert_header((header::ETAG, tag));
    if is_known {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((header::CONTENT_TYPE, picture.media)).body(picture.bytes))
}
