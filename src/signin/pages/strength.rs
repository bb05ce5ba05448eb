//! The strength of a password while it is typed. The script of the page asks the server, so that the rule exists only
//! once.

use actix_web::HttpRequest;
use serde::Serialize;

use super::super::flows;
use super::super::model::PasswordContext;
use crate::base::Problem;
use crate::http::page::AppData;
use crate::http::{Answer, Form, Identity, json};

#[derive(Serialize)]
struct PasswordRating<'a> {
    score: u8,
    sentence: &'a str,
}

/// `POST /password/strength`, with the form that has the password. Nothing of it is stored, recorded or logged.
pub async fn strength(app: AppData, request: HttpRequest, form: Form) -> Answer {
    use actix_web::HttpMessage;
    let person = request.extensions().get::<Identity>().map(|identity| identity.account);
    let context = match (person, form.text("token")) {
        (Some(account), _) => PasswordContext::SignedIn(account),
        (None, "") => PasswordContext::SigningUp {
            email: form.text("email").to_owned(),
            username: form.text("username").to_owned(),
        },
        (None, token) => PasswordContext::Resetting(token.to_owned()),
    };
    let rated = flows::rate_password(&app, context, form.secret("password")).await.map_err(Problem::from)?;
    let rating = PasswordRating { score: rated.score, sentence: &rated.sentence };
    Ok(json::private(200, serde_json::to_string(&rating).map_err(Problem::internal)?))
}
