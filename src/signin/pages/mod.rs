//! The doors: sign-up, code, sign-in, sign-out, forgotten password, the second step, step-up, and the pages of security and
//! profile.

mod factor;
mod not_me;
mod passkey;
mod profile;
mod reset;
mod revert;
mod security;
mod session;
mod sign_in;
mod sign_up;
mod step_up;
mod strength;

use actix_web::{HttpRequest, HttpResponse};

use super::model::Started;
use crate::app::App;
use crate::base::{AccountId, Secret, hours};
use crate::factors::{Assertion, Challenged, HALF_LIFE};
use crate::http::{DEVICE, Form, Identity, SESSION, cookie, forget, json, page, redirect};
use crate::sessions::DEVICE_KEPT;

pub use factor::{factor, factor_challenge, factor_form, keep_factors, keep_factors_form, lost_factor};
pub use not_me::{not_me, not_me_form};
pub use passkey::{passkey_challenge, sign_in_by_passkey};
pub use profile::{
    add_email, profile, remove_email, remove_picture, resend_email, save_notifications, save_preferences, save_profile,
    set_colour, set_picture, set_primary, theme, verify_email,
};
pub use reset::{forgot, forgot_form, reset, reset_form};
pub use revert::{revert, revert_form};
pub use security::{change_password, end_others, end_session, passkeys, recovery, security, two_step};
pub use session::{session_left, stay};
pub(in crate::signin) use sign_in::sign_in_instead;
pub use sign_in::{sign_in, sign_in_form, sign_out};
pub use sign_up::{resend, sign_up, sign_up_form, verify, verify_form};
pub use step_up::{ask_for_proof, proof_of, step_up, step_up_challenge, step_up_form};
pub use strength::strength;

/// Remembers, between sign-up and code, whose code is waited for.
const PENDING: &str = "__Host-pending";
/// Remembers, between the two steps of a sign-in, what was proved. It opens nothing.
const HALF: &str = "__Host-half";

/// Answers somebody whose proof was taken: a session and the page they wanted, or the next question.
pub(in crate::signin) fn let_in(app: &App, started: Started, next: &str) -> HttpResponse {
    match started {
        Started::MustVerify(account) => wait_for_code(app, account),
        Started::MustProve(token) => {
            let mut response = redirect(&format!("/signin/factor?next={}", page::safe_path(next).replace('&', "%26")));
            let _ = response.add_cookie(&cookie(HALF, token.expose().clone(), Some(HALF_LIFE)));
            response
        }
        Started::Session { token, keep, device } => {
            let mut response = redirect(page::safe_path(next));
            let _ = response.add_cookie(&cookie(SESSION, token.expose().clone(), keep));
            let _ = response.add_cookie(&cookie(DEVICE, device.expose().clone(), Some(DEVICE_KEPT)));
            let _ = response.add_cookie(&forget(HALF));
            response
        }
    }
}

/// A challenge for a script: its ticket, and the options of `navigator.credentials`.
fn challenge_answer(given: Challenged) -> HttpResponse {
    let body = serde_json::json!({"ticket": given.ticket.expose(), "options": given.options});
    json::private(200, body.to_string())
}

/// What a script put into a form: a challenge's ticket and the browser's answer. `None`: it put nothing there.
fn assertion_in(form: &Form) -> Option<Assertion> {
    let (ticket, credential) = (form.text("ticket").to_owned(), form.text("credential").to_owned());
    (!credential.is_empty()).then_some(Assertion { ticket, credential })
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
