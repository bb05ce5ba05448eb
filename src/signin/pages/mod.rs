//! The doors: sign-up, code, sign-in, sign-out, forgotten password, step-up, and the pages of security and profile.

mod profile;
mod reset;
mod revert;
mod security;
mod sign_in;
mod sign_up;
mod step_up;

use actix_web::{HttpRequest, HttpResponse};

use super::model::Started;
use crate::app::App;
use crate::base::{AccountId, Secret, hours};
use crate::http::{Identity, SESSION, cookie, page, redirect};

pub use profile::{
    add_email, profile, remove_email, remove_picture, resend_email, save_notifications, save_preferences, save_profile,
    set_colour, set_picture, set_primary, theme, verify_email,
};
pub use revert::{revert, revert_form};
pub use reset::{forgot, forgot_form, reset, reset_form};
pub use security::{change_password, end_others, end_session, security};
pub use sign_in::{sign_in, sign_in_form, sign_out};
pub use sign_up::{resend, sign_up, sign_up_form, verify, verify_form};
pub use step_up::{ask_for_proof, proof_of, step_up, step_up_form};

/// Remembers, between sign-up and code, whose code is waited for.
const PENDING: &str = "__Host-pending";

/// Answers somebody whose proof was taken: a session and the page they wanted, or the next question.
fn let_in(app: &App, started: Started, next: &str) -> HttpResponse {
    match started {
        Started::MustVerify(account) => wait_for_code(app, account),
        Started::Session { token, keep } => {
            let mut response = redirect(page::safe_path(next));
            let _ = response.add_cookie(&cookie(SESSION, token.expose().clone(), keep));
            response
        }
    }
}

fn wait_for_code(app: &App, account: AccountId) -> HttpResponse {
    let mut response = redirect("/verify");
    let value = format!("{account}.{}", pending_mark(app, &account.to_string()));
    let _ = response.add_cookie(&cookie(PENDING, value, Some(hours(24))));
    response
}

/// Signs the cookie, so that nobody waits for somebody else's code.
fn pending_mark(app: &App, account: &str) -> String {
    app.keyring().mark("pending", account)
}

fn pending(app: &App, request: &HttpRequest) -> Option<AccountId> {
    let cookie = request.cookie(PENDING)?;
    let (account, mark) = cookie.value().split_once('.')?;
    let right = Secret::new(pending_mark(app, account)).matches(mark.as_bytes());
    AccountId::parse(account).filter(|_| right)
}

/// Whether a person is signed in, for pages that strangers see too.
pub struct MaybeSignedIn(pub bool);

impl actix_web::FromRequest for MaybeSignedIn {
    type Error = crate::http::Fault;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        use actix_web::HttpMessage;
        std::future::ready(Ok(Self(request.extensions().get::<Identity>().is_some())))
    }
}
