//! Sign-in by passkey alone.

use actix_web::HttpRequest;

use super::super::error::SigninError;
use super::super::flows;
use super::continue_sign_in;
use super::sign_in::redisplay_sign_in;
use crate::app::{App, NetworkQuota};
use crate::base::Visitor;
use crate::factors::pages::{assertion_from, challenge_response};
use crate::factors::{self, ChallengePurpose, FactorError};
use crate::http::page::AppData;
use crate::http::{Answer, Form, VisitorOf};
use crate::sessions::RetryAfter;

/// Challenges of one network a minute. Each is a row for five minutes. A page without one still takes a password, and its
/// script asks again.
const CHALLENGES: NetworkQuota = NetworkQuota { name: "passkey challenges", per_minute: 300 };

/// Refuses a visitor whose network has asked for too many challenges.
///
/// # Errors
/// 429, with the time to wait.
pub(super) fn admit_challenge(app: &App, visitor: &Visitor) -> Result<(), SigninError> {
    app.admit(CHALLENGES, visitor).map_err(|wait_seconds| SigninError::Throttled(RetryAfter { wait_seconds }))
}

/// `POST /signin/passkey/challenge`, for a script. The challenge names no account, so it reveals nothing.
pub async fn passkey_challenge(app: AppData, visitor: VisitorOf, _form: Form) -> Answer {
    admit_challenge(&app, &visitor.0)?;
    Ok(challenge_response(app.write(|tx| factors::challenge(tx, ChallengePurpose::SignIn)).await?))
}

/// `POST /signin/passkey`.
pub async fn sign_in_by_passkey(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let Some(signed) = assertion_from(&form) else {
        let missing = FactorError::PasskeyRefused("the form has no assertion".into());
        return redisplay_sign_in(&app, &request, &form, SigninError::from(missing));
    };
    match flows::sign_in_by_passkey(&app, visitor.0, signed, form.is_ticked("remember")).await {
        Ok(started) => Ok(continue_sign_in(&app, started, form.text("next"))),
        Err(error) => redisplay_sign_in(&app, &request, &form, error),
    }
}
