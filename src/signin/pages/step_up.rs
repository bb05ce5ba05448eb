//! The page that asks once more who one is. `server/fresh.rs` shows it in place of any route that wants a fresh proof; the
//! form it interrupted goes along in hidden fields and is carried out once the proof is right.

use actix_web::http::StatusCode;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::model::StepUp;
use crate::app::App;
use crate::base::{Problem, Secret};
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, Form, SignedIn, csrf, redirect};

/// The field of the proof, on the page that asks for it.
const PROOF: &str = "proof_password";

struct Kept {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "signin/step_up.html")]
struct StepUpPage {
    chrome: Chrome,
    fault: Option<FormFault>,
    action: String,
    kept: Vec<Kept>,
    username: String,
}

/// The proof in a form, where it has one.
pub fn proof_of(fields: &[(String, String)]) -> Option<StepUp> {
    let (_, typed) = fields.iter().find(|(name, _)| name == PROOF)?;
    Some(StepUp { password: Secret::new(typed.clone()) })
}

/// Asks for a proof in place of what `request` wanted. `fields`: its form, kept for when the proof is right.
pub fn ask_for_proof(
    app: &App,
    request: &HttpRequest,
    username: &str,
    fields: &[(String, String)],
    fault: Option<&Problem>,
) -> Answer {
    let kept = fields.iter().filter(|(name, _)| name != PROOF && name != csrf::FIELD);
    let page = StepUpPage {
        chrome: Chrome::of(app, request, "Confirm that it is you"),
        fault: fault.map(FormFault::from),
        action: request.path().to_owned(),
        kept: kept.map(|(name, value)| Kept { name: name.clone(), value: value.clone() }).collect(),
        username: username.to_owned(),
    };
    match fault {
        Some(problem) => page::again(problem, &page),
        None => page::with_status(StatusCode::FORBIDDEN, &page),
    }
}

/// Where to go on.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /step-up`: for what is no form, such as a link or a script of ours. Its own form leads to [`step_up`].
pub async fn step_up_form(app: TheApp, request: HttpRequest, who: SignedIn, next: Query<Next>) -> Answer {
    let fields = [("next".to_owned(), page::safe_path(&next.next).to_owned())];
    let mut response = ask_for_proof(&app, &request, &who.identity.username, &fields, None)?;
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// `POST /step-up`: the proof was taken on the way here.
pub async fn step_up(_who: SignedIn, form: Form) -> HttpResponse {
    redirect(page::safe_path(form.text("next")))
}
