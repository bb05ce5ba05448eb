//! The page that asks once more who one is. `server/fresh.rs` shows it in place of any route that wants a fresh proof; the
//! form it interrupted goes along in hidden fields and is carried out once the proof is right.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::REFERER;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::model::{Presented, ProofsOpen, StepUp};
use super::super::oauth::pages::{Mark, step_up_marks};
use super::super::ops;
use super::challenge_answer;
use crate::app::App;
use crate::base::{Problem, Secret};
use crate::factors::{self, Assertion, ChallengeFor};
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, Identity, SignedIn, csrf, redirect};

/// What the fields of a proof begin with, on the page that asks for it: they are not kept.
const PROOF: &str = "proof_";

struct Kept {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "signin/step_up.html")]
struct StepUpPage {
    context: PageContext,
    fault: Option<FormFault>,
    action: String,
    kept: Vec<Kept>,
    username: String,
    good_for_minutes: u64,
    open: ProofsOpen,
    /// Where somebody proves themselves who has nothing else.
    providers: Vec<Mark>,
}

/// The proof in a form, where it has one.
pub fn proof_of(fields: &[(String, String)]) -> Option<StepUp> {
    let typed = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    if let Some(credential) = typed("proof_credential").filter(|credential| !credential.is_empty()) {
        let ticket = typed("proof_ticket").unwrap_or_default();
        return Some(StepUp::Factor(Presented::Passkey(Assertion { ticket, credential })));
    }
    if let Some(code) = typed("proof_code") {
        return Some(StepUp::Factor(Presented::Typed(Secret::new(code))));
    }
    typed("proof_password").map(|password| StepUp::Password(Secret::new(password)))
}

/// Asks for a proof in place of what `request` wanted. `fields`: its form, kept for when the proof is right.
pub async fn ask_for_proof(
    app: &Arc<App>,
    request: &HttpRequest,
    identity: &Identity,
    fields: &[(String, String)],
    fault: Option<&Problem>,
) -> Answer {
    let account = identity.account;
    let kept = fields.iter().filter(|(name, _)| !name.starts_with(PROOF) && name != csrf::FIELD);
    let next = match fields.iter().find(|(name, _)| name == "next") {
        Some((_, next)) => next.clone(),
        // A form cannot go along to another site: they come back to the page they were on.
        None => came_from(app, request),
    };
    let (open, providers) = app
        .read_offloaded(move |view| {
            let open = ops::proofs_open(view, account)?;
            let providers = if open.provider { step_up_marks(view, account, &next)? } else { Vec::new() };
            Ok::<_, crate::db::Error>((open, providers))
        })
        .await?;
    let page = StepUpPage {
        context: PageContext::new(app, request, "Confirm that it is you"),
        fault: fault.map(FormFault::from),
        action: request.path().to_owned(),
        kept: kept.map(|(name, value)| Kept { name: name.clone(), value: value.clone() }).collect(),
        username: identity.username.clone(),
        good_for_minutes: app.config().session.step_up_after.as_secs() / 60,
        open,
        providers,
    };
    match fault {
        Some(problem) => page::again(problem, &page),
        None => page::with_status(StatusCode::FORBIDDEN, &page),
    }
}

/// The page of ours that the request came from, as the browser says.
fn came_from(app: &App, request: &HttpRequest) -> String {
    let referer = request.headers().get(REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    page::safe_path(referer.strip_prefix(app.config().public_url.as_str()).unwrap_or_default()).to_owned()
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
    let mut response = ask_for_proof(&app, &request, &who.identity, &fields, None).await?;
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// `POST /step-up`: the proof was taken on the way here.
pub async fn step_up(_who: SignedIn, form: Form) -> HttpResponse {
    redirect(page::safe_path(form.text("next")))
}

/// `POST /step-up/challenge`, for a script.
pub async fn step_up_challenge(app: TheApp, who: SignedIn, _form: Form) -> Answer {
    let purpose = ChallengeFor::StepUp(who.identity.account);
    Ok(challenge_answer(app.write(move |tx| factors::challenge(tx, purpose)).await?))
}
