//! Sign-in by a passkey alone.

use actix_web::HttpRequest;

use super::super::error::SigninError;
use super::super::flows;
use super::sign_in::sign_in_again;
use super::{assertion_in, challenge_answer, let_in};
use crate::factors::{self, ChallengeFor, FactorError};
use crate::http::page::TheApp;
use crate::http::{Answer, Form, VisitorOf};

/// `POST /signin/passkey/challenge`, for a script. It names nobody, so it tells nothing about anybody.
pub async fn passkey_challenge(app: TheApp, _form: Form) -> Answer {
    Ok(challenge_answer(app.write(|tx| factors::challenge(tx, ChallengeFor::SignIn)).await?))
}

/// `POST /signin/passkey`.
pub async fn sign_in_by_passkey(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let Some(signed) = assertion_in(&form) else {
        let nothing = FactorError::PasskeyRefused("nothing was signed".into());
        return sign_in_again(&app, &request, &form, SigninError::from(nothing));
    };
    match flows::sign_in_by_passkey(&app, visitor.0, signed, form.is_ticked("remember")).await {
        Ok(started) => Ok(let_in(&app, started, form.text("next"))),
        Err(error) => sign_in_again(&app, &request, &form, error),
    }
}
