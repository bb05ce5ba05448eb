//! The pages of sign-up, verification, sign-in, sign-out, password reset, the second step and step-up.

mod confirm;
mod factor;
mod next;
mod not_me;
mod passkey;
mod reset;
mod revert;
mod session;
mod sign_in;
mod sign_up;
mod step_up;
mod strength;

use actix_web::{HttpRequest, HttpResponse};

use super::model::SignInOutcome;
use crate::app::App;
use crate::base::{AccountId, Secret, hours};
use crate::factors::MFA_PENDING_LIFE;
use crate::http::{DEVICE, Identity, SESSION, cookie, forget, redirect};
use crate::sessions::DEVICE_LIFETIME;

pub use confirm::{confirm, confirm_form};
pub use factor::{factor, factor_challenge, factor_form, keep_factors, keep_factors_form, lost_factor};
pub use next::next_path;
pub use not_me::{not_me, not_me_form};
pub use passkey::{passkey_challenge, sign_in_by_passkey};
pub use reset::{forgot, forgot_form, reset, reset_form};
pub use revert::{revert, revert_form};
pub use session::{session_left, stay};
pub(in crate::signin) use sign_in::show_sign_in_with;
pub use sign_in::{sign_in, sign_in_form, sign_out};
pub use sign_up::{resend, restart, sign_up, sign_up_form, verify, verify_form};
pub use step_up::{ask_for_proof, proof_of, step_up, step_up_challenge, step_up_form};
pub use strength::strength;

/// The cookie between sign-up and the code: names the account whose code is expected.
const VERIFICATION_COOKIE: &str = "__Host-pending";
/// The cookie of a pending sign-in, between its two steps. It gives no access.
const PENDING_SIGN_IN_COOKIE: &str = "__Host-half";

/// The response after an accepted proof: a redirect with the session cookie, or to the next step.
pub(in crate::signin) fn continue_sign_in(app: &App, started: SignInOutcome, next: &str) -> HttpResponse {
    match started {
        SignInOutcome::VerificationPending(account) => wait_for_code(app, account),
        SignInOutcome::MfaPending(token) => {
            let mut response = redirect(&format!("/signin/factor?next={}", next_path(next).replace('&', "%26")));
            let _ =
                response.add_cookie(&cookie(PENDING_SIGN_IN_COOKIE, token.expose().clone(), Some(MFA_PENDING_LIFE)));
            response
        }
        SignInOutcome::Session { token, keep, device } => {
            let mut response = redirect(next_path(next));
            let _ = response.add_cookie(&cookie(SESSION, token.expose().clone(), keep));
            let _ = response.add_cookie(&cookie(DEVICE, device.expose().clone(), Some(DEVICE_LIFETIME)));
            let _ = response.add_cookie(&forget(PENDING_SIGN_IN_COOKIE));
            response
        }
    }
}

fn wait_for_code(app: &App, account: AccountId) -> HttpResponse {
    let mut response = redirect("/verify");
    let value = format!("{account}.{}", pending_mac(app, &account.to_string()));
    let _ = response.add_cookie(&cookie(VERIFICATION_COOKIE, value, Some(hours(24))));
    response
}

/// The MAC of the cookie, so that a caller cannot choose the account.
fn pending_mac(app: &App, account: &str) -> String {
    app.keyring().mac("pending", account)
}

fn pending(app: &App, request: &HttpRequest) -> Option<AccountId> {
    let cookie = request.cookie(VERIFICATION_COOKIE)?;
    let (account, mac) = cookie.value().split_once('.')?;
    let is_valid = Secret::new(pending_mac(app, account)).matches(mac.as_bytes());
    AccountId::parse(account).filter(|_| is_valid)
}

/// Whether a person is signed in, for pages that anonymous visitors can see.
pub struct MaybeSignedIn(pub bool);

impl actix_web::FromRequest for MaybeSignedIn {
    type Error = crate::http::Fault;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        use actix_web::HttpMessage;
        std::future::ready(Ok(Self(request.extensions().get::<Identity>().is_some())))
    }
}
