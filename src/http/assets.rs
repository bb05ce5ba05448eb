//! Style sheet, scripts, fonts and icons, embedded in the binary. The URL of a file has a part of the hash of its
//! content, so browsers may keep the file for ever: a new version has a new URL.

use std::collections::HashMap;
use std::sync::OnceLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use rust_embed::RustEmbed;

use crate::base::Problem;

use super::Answer;

#[derive(RustEmbed)]
#[folder = "assets/"]
#[exclude = "*.txt"]
// These are pictures for the README. No page shows them.
#[exclude = "screenshots/*"]
struct Files;

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const A_DAY: &str = "public, max-age=86400";

/// The URL of a file: `app.css` → `/assets/app.1f3a5c7e.css`.
pub fn href(name: &str) -> &'static str {
    static HREFS: OnceLock<HashMap<String, String>> = OnceLock::new();
    let hrefs = HREFS.get_or_init(|| Files::iter().map(|name| (name.to_string(), hashed(&name))).collect());
    hrefs.get(name).map_or("/assets/missing", String::as_str)
}

fn hashed(name: &str) -> String {
    let hash = Files::get(name).map(|file| hex::encode(&file.metadata.sha256_hash()[..4])).unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("/assets/{stem}.{hash}.{ending}"),
        None => format!("/assets/{name}"),
    }
}

/// The content of a file. `None`: there is none with this name.
pub fn content(name: &str) -> Option<Vec<u8>> {
    Files::get(name).map(|file| file.data.into_owned())
}

/// `GET /assets/{name}`: a file by its name with hash, cacheable for ever; a font, which the style sheet names without
/// a hash, cacheable for a day.
pub async fn serve(path: web::Path<String>) -> Answer {
    let requested = format!("/assets/{path}");
    let hashed_name = Files::iter().find(|name| href(name) == requested);
    let (name, caching) = match hashed_name {
        Some(name) => (name.to_string(), FOR_EVER),
        None if path.starts_with("fonts/") => (path.into_inner(), A_DAY),
        None => return Err(Problem::not_found().into()),
    };
    let file = Files::get(&name).ok_or_else(Problem::not_found)?;
    let mime = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, mime))
        .insert_header((header::CACHE_CONTROL, caching))
        .body(file.data.into_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn urls_have_a_hash_of_the_content() {
        let href = super::href("app.css");

        assert!(
            href.starts_with("/assets/app.")
                && href.ends_with(".css")
                && href.len() == "/assets/app.12345678.css".len()
        );
    }
}
