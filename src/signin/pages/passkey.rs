//! Sign-in by passkey alone.

use actix_web::HttpRequest;

use super::super::error::SigninError;
use super::super::flows;
use super::next::next_path;
use super::sign_in::redisplay_sign_in;
use super::{MaybeSignedIn, continue_sign_in};
use crate::factors::pages::{assertion_from, challenge_response};
use crate::factors::{self, ChallengePurpose, FactorError};
use crate::http::page::AppData;
use crate::http::{Answer, Form, VisitorOf, csrf, redirect};

/// `POST /signin/passkey/challenge`, for a script. The challenge names no account, so it reveals nothing.
pub async fn passkey_challenge(app: AppData, _form: Form) -> Answer {
    Ok(challenge_response(app.write(|tx| factors::challenge(tx, ChallengePurpose::SignIn)).await?))
}

/// `POST /signin/passkey`.
pub async fn sign_in_by_passkey(
    app: AppData,
    request: HttpRequest,
    identity: MaybeSignedIn,
    visitor: VisitorOf,
    form: Form,
) -> Answer {
    if identity.0 && csrf::was_opened_before_sign_in(&request) {
        return Ok(redirect(next_path(form.text("next"))));
    }
    let Some(signed) = assertion_from(&form) else {
        let missing = FactorError::PasskeyRefused("the form has no assertion".into());
        return redisplay_sign_in(&app, &request, &form, SigninError::from(missing));
    };
    match flows::sign_in_by_passkey(&app, visitor.0, signed, form.is_ticked("remember")).await {
        Ok(started) => Ok(continue_sign_in(&app, started, form.text("next"))),
        Err(error) => redisplay_sign_in(&app, &request, &form, error),
    }
}
