//! Protection against forms from other sites (CSRF): checks the headers in which browsers name the origin, then a token
//! that only pages of this site know.

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};

use crate::app::App;
use crate::base::{Problem, Secret};

/// The cookie that a token is bound to when there is no session.
pub const VISIT: &str = "__Host-visit";
/// The value of a new [`VISIT`] cookie. The middleware sets it on the response, so that the form of the page has a
/// token.
#[derive(Clone)]
pub struct NewVisit(pub String);

/// The hidden form field with the token.
pub const FIELD: &str = "csrf";

/// The token for the forms of a browser: a MAC of its cookie, so that a person who knows their own token learns nothing
/// about the tokens of others.
pub fn token(app: &App, binding: &str) -> String {
    app.keyring().mac("csrf", binding)
}

/// What the token is bound to: the session cookie, or else the visit cookie. `None`: the browser has neither.
pub fn binding(request: &HttpRequest) -> Option<String> {
    [super::SESSION, VISIT].into_iter().find_map(|name| request.cookie(name)).map(|cookie| cookie.value().to_owned())
}

/// Refuses a form if the headers of the browser say that another site sent it.
pub fn require_same_origin(request: &HttpRequest, public_url: &str, is_demo: bool) -> Result<(), Problem> {
    let header = |name: header::HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = header(header::HeaderName::from_static("sec-fetch-site")) {
        // "none" means that the person typed the address or reloaded the page. Everything else comes from another
        // origin.
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(foreign()) };
    }
    match header(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if origin == public_url => Ok(()),
        // A demonstration is reachable under both names of this machine.
        Some(origin) if is_demo && origin == public_url.replace("//localhost", "//127.0.0.1") => Ok(()),
        Some(_) => Err(foreign()),
    }
}

/// Refuses a form of a browser that has no cookie of this site, before anything of the body is read: its token cannot be
/// right.
pub fn require_cookie(request: &HttpRequest) -> Result<(), Problem> {
    binding(request).map(drop).ok_or_else(|| without_cookie(request))
}

/// Marks a request for a form that does not need a session, such as the one of the sign-in page. Its token may be the one of
/// the visit: the person may have opened the form before they signed in with another window.
#[derive(Clone, Copy)]
pub struct OpenForm {
    /// The form signs a person in, so it gives way to a session, unless one of these fields has a value.
    /// `None`: it does not sign in.
    pub gives_way_unless: Option<&'static [&'static str]>,
}

/// Refuses a form whose token does not belong to this browser.
pub fn check(app: &App, request: &HttpRequest, typed: &str) -> Result<(), Problem> {
    let is_right = |binding: &str| Secret::new(token(app, binding)).matches(typed.as_bytes());
    if is_right(&binding(request).ok_or_else(|| without_cookie(request))?) {
        return Ok(());
    }
    let is_open = request.extensions().get::<OpenForm>().is_some();
    let visit = request.cookie(VISIT).filter(|_| is_open);
    if !visit.is_some_and(|visit| is_right(visit.value())) {
        return Err(stale());
    }
    request.extensions_mut().insert(OpenedBefore);
    Ok(())
}

/// Marks a form that was opened before another window of its browser got the cookie that it has now.
struct OpenedBefore;

/// Whether the form was opened before its person signed in with another window of this browser.
pub(super) fn was_opened_before_sign_in(request: &HttpRequest) -> bool {
    request.extensions().get::<OpenedBefore>().is_some()
}

fn foreign() -> Problem {
    Problem::new(
        403,
        "cross_site",
        "This form was sent from another site, so nothing was changed. Open the page on this site and try again.",
    )
}

/// A browser that sends no cookie at all has probably been told to send none. Every page sets one.
fn without_cookie(request: &HttpRequest) -> Problem {
    if request.headers().contains_key(header::COOKIE) {
        return stale();
    }
    Problem::new(
        403,
        "no_cookies",
        "Your browser sent no cookie, so nothing was changed and you cannot sign in. Allow cookies for this site, reload the page and send the form again.",
    )
}

fn stale() -> Problem {
    Problem::new(
        403,
        "csrf",
        "This form is out of date, so nothing was changed. Go back, reload the page and send it again.",
    )
}
