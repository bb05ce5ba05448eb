//! Cookies: always `__Host-`, so that no sibling domain can set them (RFC 6265bis §4.1.3.2).

use std::time::Duration;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};

/// The session cookie.
pub const SESSION: &str = "__Host-session";

/// Says which browser it is, so that its person is known to have used it before. It opens nothing.
pub const DEVICE: &str = "__Host-device";

/// A cookie for this host alone: Secure, HttpOnly, SameSite=Lax, path `/`. `keep`: `None` until the browser is closed.
pub fn cookie(name: &'static str, value: String, keep: Option<Duration>) -> Cookie<'static> {
    let mut cookie =
        Cookie::build(name, value).path("/").secure(true).http_only(true).same_site(SameSite::Lax).finish();
    if let Some(keep) = keep {
        cookie.set_max_age(CookieDuration::seconds(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX)));
    }
    cookie
}

/// The cookie that makes the browser drop one.
pub fn forget(name: &'static str) -> Cookie<'static> {
    let mut dropped = cookie(name, String::new(), None);
    dropped.set_max_age(CookieDuration::ZERO);
    dropped
}
