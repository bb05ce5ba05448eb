//! The step-up page. `server/fresh.rs` shows it in place of any route that needs a fresh proof. The form that it
//! interrupts is kept in hidden fields and is submitted with the proof.

use std::sync::Arc;

use actix_web::http::header::REFERER;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Query;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::super::model::{FactorInput, StepUp, StepUpOptions};
use super::super::oauth::pages::{ProviderButton, step_up_buttons};
use super::super::ops;
use super::next::next_path;
use crate::app::App;
use crate::base::{Problem, Secret};
use crate::factors::pages::challenge_response;
use crate::factors::{self, Assertion, ChallengePurpose};
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, Identity, NamedAct, SignedIn, csrf, redirect};

const PATH: &str = "/step-up";
/// The prefix of the fields for the proof. They are not kept in the form.
const PROOF: &str = "proof_";
/// The field with the page that the person came from, while they try again.
const BACK: &str = "proof_back";

struct HiddenField {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "signin/step_up.html")]
struct StepUpPage {
    context: PageContext,
    fault: Option<FormFault>,
    action: String,
    kept: Vec<HiddenField>,
    username: String,
    display_name: String,
    /// What the person is about to do. `None`: a page of ours asks for a proof in advance.
    act: Option<NamedAct>,
    /// Where the person came from.
    back: String,
    good_for_minutes: u64,
    open: StepUpOptions,
    /// The connected providers, for a person who has no other proof.
    providers: Vec<ProviderButton>,
}

impl StepUpPage {
    fn reason(&self) -> Option<&'static str> {
        self.act.and_then(|named| named.reason)
    }
}

/// The proof in a form. `None`: the form has none.
pub fn proof_of(fields: &[(String, String)]) -> Option<StepUp> {
    let typed = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    if let Some(credential) = typed("proof_credential").filter(|credential| !credential.is_empty()) {
        let ticket = typed("proof_ticket").unwrap_or_default();
        return Some(StepUp::Factor(FactorInput::Passkey(Assertion { ticket, credential })));
    }
    if let Some(code) = typed("proof_code") {
        return Some(StepUp::Factor(FactorInput::Typed(Secret::new(code))));
    }
    typed("proof_password").map(|password| StepUp::Password(Secret::new(password)))
}

/// Renders the step-up page in place of the requested one. `fields`: the interrupted form, which is kept in hidden
/// fields.
pub async fn ask_for_proof(
    app: &Arc<App>,
    request: &HttpRequest,
    identity: &Identity,
    fields: &[(String, String)],
    fault: Option<&Problem>,
) -> Answer {
    let account = identity.account;
    let kept = fields.iter().filter(|(name, _)| !name.starts_with(PROOF) && name != csrf::FIELD);
    let back = match fields.iter().find(|(name, _)| name == BACK) {
        Some((_, back)) => next_path(back).to_owned(),
        None => referring_page(app, request),
    };
    let next = match fields.iter().find(|(name, _)| name == "next") {
        Some((_, next)) => next.clone(),
        // A form cannot be sent along to another site, so the person returns to the page they were on.
        None => back.clone(),
    };
    let (open, providers) = app
        .read_offloaded(move |view| {
            let open = ops::step_up_options(view, account)?;
            let providers = if open.provider { step_up_buttons(view, account, &next)? } else { Vec::new() };
            Ok::<_, crate::db::Error>((open, providers))
        })
        .await?;
    let page = StepUpPage {
        context: PageContext::new(app, request, "Confirm that it is you"),
        fault: fault.map(FormFault::from),
        // A page is no form: the proof is sent to the page for proofs, which redirects to it.
        action: if request.method() == Method::GET { PATH } else { request.path() }.to_owned(),
        kept: kept.map(|(name, value)| HiddenField { name: name.clone(), value: value.clone() }).collect(),
        username: identity.username.clone(),
        display_name: identity.display_name.clone(),
        act: request.extensions().get::<NamedAct>().copied(),
        back,
        good_for_minutes: app.config().session.step_up_after.as_secs() / 60,
        open,
        providers,
    };
    match fault {
        Some(problem) => page::render_form_error(problem, &page),
        None => {
            let mut response = page::with_status(StatusCode::FORBIDDEN, &page)?;
            // For a script, which gets a problem document instead of the page.
            response.extensions_mut().insert(proof_needed());
            Ok(response)
        }
    }
}

fn proof_needed() -> Problem {
    Problem::new(403, "proof_needed", "This action needs a recent proof of identity. Do it on the page.")
}

/// The path of our page that the request came from (`Referer`), made safe.
fn referring_page(app: &App, request: &HttpRequest) -> String {
    let referer = request.headers().get(REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = referer.strip_prefix(app.config().public_url.as_str()).unwrap_or_default();
    next_path(if path.starts_with(PATH) { "" } else { path }).to_owned()
}

/// The query of the step-up page: the path to continue at.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /step-up`: for actions that are not forms, such as links and scripts of ours. Its form leads to [`step_up`].
pub async fn step_up_form(app: AppData, request: HttpRequest, who: SignedIn, next: Query<Next>) -> Answer {
    let fields = [("next".to_owned(), next_path(&next.next).to_owned())];
    let mut response = ask_for_proof(&app, &request, &who.identity, &fields, None).await?;
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// `POST /step-up`: the middleware already checked the proof.
pub async fn step_up(_who: SignedIn, form: Form) -> HttpResponse {
    redirect(next_path(form.text("next")))
}

/// `POST /step-up/challenge`, for a script.
pub async fn step_up_challenge(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let purpose = ChallengePurpose::StepUp(who.identity.account);
    Ok(challenge_response(app.write(move |tx| factors::challenge(tx, purpose)).await?))
}
