//! Files at fixed addresses: what browsers and crawlers ask every site for, and the looks of this one (`[site]`).

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Path;

use crate::base::Problem;
use crate::http::page::AppData;
use crate::http::{Answer, assets, redirect};

/// For files whose address has a part of the hash of their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const A_DAY: &str = "public, max-age=86400";
/// Nothing here is for search engines: people come from the platform.
const ROBOTS: &str = "User-agent: *\nDisallow: /\n";

fn file(mime: &'static str, caching: &'static str, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, mime))
        .insert_header((header::CACHE_CONTROL, caching))
        .body(bytes)
}

/// `GET /favicon.ico`: the logo of the site, or the picture of the program.
pub(super) async fn favicon(app: AppData) -> Answer {
    icon(&app, "icons/favicon.ico", "image/vnd.microsoft.icon")
}

/// `GET /apple-touch-icon.png`: the same, for the home screen of a phone.
pub(super) async fn touch_icon(app: AppData) -> Answer {
    icon(&app, "icons/apple-touch-icon.png", "image/png")
}

fn icon(app: &AppData, name: &str, mime: &'static str) -> Answer {
    if let Some(logo) = app.config().site.logo_href() {
        return Ok(redirect(&logo));
    }
    Ok(file(mime, A_DAY, assets::content(name).ok_or_else(Problem::not_found)?))
}

/// `GET /robots.txt`.
pub(super) async fn robots() -> Answer {
    Ok(file("text/plain; charset=utf-8", A_DAY, ROBOTS.into()))
}

/// `GET /site/{name}`: the logo, or the style sheet with the accent.
pub(super) async fn of_site(app: AppData, name: Path<String>) -> Answer {
    let site = &app.config().site;
    match (name.as_str(), site.accent, &site.logo) {
        ("accent.css", Some(accent), _) => {
            Ok(file("text/css; charset=utf-8", FOR_EVER, accent.style_sheet().into_bytes()))
        }
        (name, _, Some(logo)) if name == format!("logo.{}", logo.ending) => {
            Ok(file(logo.mime, FOR_EVER, logo.bytes.clone()))
        }
        _ => Err(Problem::not_found().into()),
    }
}
