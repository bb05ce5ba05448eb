//! The doors to other providers: leaving, coming back, becoming somebody, connecting, and what every page shows of them.

mod connect;
mod marks;
mod sign_up;
mod way;

pub use connect::{confirm_connect, connect, disconnect};
pub use marks::{Mark, icon_of, marks, step_up_marks};
pub use sign_up::{sign_up, sign_up_form};
pub use way::{callback, finish, posted_callback, start};

use actix_web::HttpRequest;

/// The cookie of the browser that left for a provider: only it brings the answer home.
const BINDER: &str = "__Host-oauth";
/// As long as anything waits for this browser.
const BINDER_KEPT: std::time::Duration = crate::base::minutes(40);

/// What the browser's cookie holds, where it is one of ours.
fn binder_of(request: &HttpRequest) -> Option<String> {
    let value = request.cookie(BINDER)?.value().to_owned();
    let is_ours = value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_ours.then_some(value)
}
