//! Pages for sign-in with another provider: the redirect to the provider, the callback, sign-up, connecting an account,
//! and the buttons that other pages show.

mod authorization;
mod buttons;
mod connect;
mod sign_up;

pub use authorization::{callback, finish, posted_callback, start};
pub use buttons::{ProviderButton, icon_of, provider_buttons, step_up_buttons};
pub use connect::{confirm_connect, connect};
pub use sign_up::{sign_up, sign_up_form};

use actix_web::HttpRequest;

/// The state cookie. It binds an authorization request to the browser that started it (RFC 9700 §2.1).
const STATE_COOKIE: &str = "__Host-oauth";
/// Longer than an authorization request and the pending identity after it together.
const STATE_COOKIE_MAX_AGE: std::time::Duration = crate::base::minutes(40);

/// The value of the state cookie. `None`: the browser sent none, or a value that we did not make.
fn state_cookie_of(request: &HttpRequest) -> Option<String> {
    let value = request.cookie(STATE_COOKIE)?.value().to_owned();
    let is_ours = value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_ours.then_some(value)
}
