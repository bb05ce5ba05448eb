//! The page that serves pictures.

use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::model::read_picture_path;
use crate::base::Problem;
use crate::http::Answer;
use crate::http::page::AppData;

/// A name changes with its content, so a browser requests it once; proxies do not store it.
const CACHING: &str = "private, max-age=31536000, immutable";

/// `GET /avatars/{name}-{pixels}`: for every visitor who knows the name, which cannot be guessed.
pub async fn avatar(app: AppData, request: HttpRequest, path: Path<String>) -> Answer {
    let (name, size) = read_picture_path(&path).ok_or_else(Problem::not_found)?;
    let etag = format!("\"{}\"", path.as_str());
    let name = name.to_owned();
    let picture =
        app.read_offloaded(move |view| super::picture(view, &name, size)).await?.ok_or_else(Problem::not_found)?;
    let is_cached =
        request.headers().get(header::IF_NONE_MATCH).is_some_and(|cached| cached.as_bytes() == etag.as_bytes());
    let mut answer = if is_cached { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::CACHE_CONTROL, CACHING)).insert_header((header::ETAG, etag));
    if is_cached {
        return Ok(answer.finish());
    }
    Ok(answer.insert_header((header::CONTENT_TYPE, picture.media)).body(picture.bytes))
}
