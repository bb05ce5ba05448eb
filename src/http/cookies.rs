//! Cookies. Their names always begin with `__Host-`, so that no sibling domain can set them (RFC 6265bis §4.1.3.2).

use std::time::Duration;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};

/// The session cookie.
pub const SESSION: &str = "__Host-session";

/// The device cookie: recognises a browser that its person has signed in with before. It grants no access.
pub const DEVICE: &str = "__Host-device";

/// A cookie for this host only: Secure, HttpOnly, SameSite=Lax, path `/`. `keep`: how long the browser keeps it;
/// `None`: until the browser is closed.
pub fn cookie(name: &'static str, value: String, keep: Option<Duration>) -> Cookie<'static> {
    let mut cookie =
        Cookie::build(name, value).path("/").secure(true).http_only(true).same_site(SameSite::Lax).finish();
    if let Some(keep) = keep {
        cookie.set_max_age(CookieDuration::seconds(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX)));
    }
    cookie
}

/// A cookie that makes the browser delete the one of this name.
pub fn forget(name: &'static str) -> Cookie<'static> {
    let mut expired = cookie(name, String::new(), None);
    expired.set_max_age(CookieDuration::ZERO);
    expired
}
