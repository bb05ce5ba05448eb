//! Forms from other sites are refused: first by what browsers say of the sender, then by a token only our pages know.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::app::App;
use crate::base::{Problem, Secret};

/// The cookie that binds a token where there is no session yet.
pub const VISIT: &str = "__Host-visit";
/// A visit that begins with this request: its cookie is set on the answer, so that the page's form has a token.
#[derive(Clone)]
pub struct NewVisit(pub String);

/// The hidden field.
pub const FIELD: &str = "csrf";

/// The token for forms of this browser: keyed with what is in its cookie, so that knowing one's own tells nothing of
/// another's.
pub fn token(app: &App, binding: &str) -> String {
    app.keyring().mark("csrf", binding)
}

/// What a token is bound to: the session, else the visit. `None`: the browser has neither.
pub fn binding(request: &HttpRequest) -> Option<String> {
    [super::SESSION, VISIT].into_iter().find_map(|name| request.cookie(name)).map(|cookie| cookie.value().to_owned())
}

/// Whether the browser says that the form came from elsewhere.
pub fn refuse_foreign(request: &HttpRequest, public_url: &str, is_demo: bool) -> Result<(), Problem> {
    let header = |name: header::HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = header(header::HeaderName::from_static("sec-fetch-site")) {
        // "none" is a person who typed or reloaded; everything but our own pages is foreign.
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(foreign()) };
    }
    match header(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if origin == public_url => Ok(()),
        // The demo answers to both names of this machine.
        Some(origin) if is_demo && origin == public_url.replace("//localhost", "//127.0.0.1") => Ok(()),
        Some(_) => Err(foreign()),
    }
}

/// Whether the form's token belongs to this browser.
pub fn check(app: &App, request: &HttpRequest, typed: &str) -> Result<(), Problem> {
    let expected = binding(request).map(|binding| Secret::new(token(app, &binding))).ok_or_else(stale)?;
    if expected.matches(typed.as_bytes()) { Ok(()) } else { Err(stale()) }
}

fn foreign() -> Problem {
    Problem::new(
        403,
        "cross_site",
        "This form was sent from another site, so nothing was changed. Open the page here and try again.",
    )
}

fn stale() -> Problem {
    Problem::new(
        403,
        "csrf",
        "This form is out of date, so nothing was changed. Go back, reload the page and send it again.",
    )
}
