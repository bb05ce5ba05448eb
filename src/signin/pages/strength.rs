//! How good a password is, while it is typed: the script of the page asks, so that there is one rule and it stands here.

use actix_web::HttpRequest;
use serde::Serialize;

use super::super::flows;
use super::super::model::Asker;
use crate::base::Problem;
use crate::http::page::TheApp;
use crate::http::{Answer, Form, Identity, json};

#[derive(Serialize)]
struct Rated<'a> {
    score: u8,
    sentence: &'a str,
}

/// `POST /password/strength`, with the form the password stands in. Nothing of it is kept, recorded or logged.
pub async fn strength(app: TheApp, request: HttpRequest, form: Form) -> Answer {
    use actix_web::HttpMessage;
    let person = request.extensions().get::<Identity>().map(|identity| identity.account);
    let asker = match (person, form.text("token")) {
        (Some(account), _) => Asker::SignedIn(account),
        (None, "") => {
            Asker::SigningUp { email: form.text("email").to_owned(), username: form.text("username").to_owned() }
        }
        (None, token) => Asker::Resetting(token.to_owned()),
    };
    let rated = flows::rate_password(&app, asker, form.secret("password")).await.map_err(Problem::from)?;
    let told = Rated { score: rated.score, sentence: &rated.sentence };
    Ok(json::private(200, serde_json::to_string(&told).map_err(Problem::ours)?))
}
