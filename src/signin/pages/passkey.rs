//! Sign-in by passkey alone.

use actix_web::HttpRequest;

use super::super::error::SigninError;
use super::super::flows;
use super::continue_sign_in;
use super::sign_in::redisplay_sign_in;
use crate::factors::pages::{assertion_from, challenge_response};
use crate::factors::{self, ChallengePurpose, FactorError};
use crate::http::page::AppData;
use crate::http::{Answer, Form, VisitorOf};

/// `POST /signin/passkey/challenge`, for a script. The challenge names no account, so it reveals nothing.
pub async fn passkey_challenge(app: AppData, _form: Form) -> Answer {
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
