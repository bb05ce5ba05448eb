//! Step-up: sensitive actions require a recent proof of identity, so that a borrowed browser cannot do them. The proof
//! may be ten minutes old, or as old as the admin configures.
//!
//! ```text
//! recent proof? ── yes: the handler
//!            └─ no ── a form with a proof? ── valid: new cookie, then the handler, which notices nothing
//!                                        └─ none or wrong: the page that asks for it, with the form inside
//! ```
//!
//! The operator console asks for a proof too, after a pause: also for its pages, and whatever the setting is.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse};

use crate::app::App;
use crate::base::Actor;
use crate::http::{Fault, Identity, NamedAct, RenewedCookie, VisitorOf, csrf, decode_form_owned, redirect};
use crate::signin::{flows, pages};

/// The middleware of a route that requires a recent proof. `act`: what a person does with it, see [`Route::act`].
///
/// [`Route::act`]: super::route::Route::act
pub(super) async fn fresh(
    act: Option<&'static str>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((app, identity)) = person_in_session(&request) else { return call_handler(request, next).await };
    if let Some(act) = act {
        request.extensions_mut().insert(NamedAct { act, reason: None });
    }
    if app.config().session.is_fresh(identity.proved_at, app.now()) {
        return call_handler(request, next).await;
    }
    require_proof(&app, &identity, request, next).await
}

/// The middleware of a page of the operator console.
pub(super) async fn operator(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((app, identity)) = operator_in_session(&request) else { return call_handler(request, next).await };
    if app.console_use().enter(identity.session, identity.proved_at, app.now()) {
        return call_handler(request, next).await;
    }
    request.extensions_mut().insert(NamedAct { act: "open the operator console", reason: Some(PAUSED) });
    let fields = [("next".to_owned(), request.path().to_owned())];
    let page = pages::ask_for_proof(&app, request.request(), &identity, &fields, None).await;
    Ok(request.into_response(page.unwrap_or_else(|fault| actix_web::ResponseError::error_response(&fault))))
}

/// The middleware of a change in the operator console.
pub(super) async fn fresh_operator(
    act: Option<&'static str>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((app, identity)) = operator_in_session(&request) else { return call_handler(request, next).await };
    if let Some(act) = act {
        request.extensions_mut().insert(NamedAct { act, reason: None });
    }
    let is_open = app.console_use().enter(identity.session, identity.proved_at, app.now());
    if is_open && app.config().session.is_fresh(identity.proved_at, app.now()) {
        return call_handler(request, next).await;
    }
    require_proof(&app, &identity, request, next).await
}

/// Why the console asks.
const PAUSED: &str = "The operator console asks for a confirmation when you have not used it for 15 minutes.";

/// The person of the request. `None`: there is none, and the handler itself refuses the request.
fn person_in_session(request: &ServiceRequest) -> Option<(Arc<App>, Identity)> {
    let app = request.app_data::<Data<Arc<App>>>()?.get_ref().clone();
    let identity = request.extensions().get::<Identity>().cloned()?;
    Some((app, identity))
}

/// The operator of the request. `None`: the handler itself refuses the request.
fn operator_in_session(request: &ServiceRequest) -> Option<(Arc<App>, Identity)> {
    person_in_session(request).filter(|(_, identity)| identity.is_operator && !identity.must_enrol_factor)
}

/// Calls the handler if the form has a valid proof. Otherwise answers with the page that asks for one.
async fn require_proof(
    app: &Arc<App>,
    identity: &Identity,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        let response = redirect(&format!("/step-up?next={}", request.path()));
        return Ok(request.into_response(response));
    }
    let body = match request.extract::<Bytes>().await {
        Ok(body) => body,
        Err(error) => return Ok(request.error_response(Fault(crate::http::json::body_problem(error)))),
    };
    request.set_payload(Payload::from(body.clone()));
    let fields = match read_form(app, &request, &body) {
        Ok(fields) => fields,
        Err(fault) => return Ok(request.error_response(fault)),
    };
    match prove(app, &request, identity, &fields).await {
        None => call_handler(request, next).await,
        Some(page) => Ok(request.into_response(page)),
    }
}

async fn call_handler(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

/// The fields of the form. A form of another site is refused before the person is asked for a proof.
fn read_form(app: &App, request: &ServiceRequest, body: &Bytes) -> Result<Vec<(String, String)>, Fault> {
    csrf::require_same_origin(request.request(), &app.config().public_url, app.config().demo)?;
    let fields = decode_form_owned(body)?;
    let token = fields.iter().find(|(name, _)| name == csrf::FIELD).map_or("", |(_, value)| value);
    csrf::check(app, request.request(), token)?;
    Ok(fields)
}

/// Checks the proof in the form. `None`: it is valid. Otherwise the page that asks for one.
async fn prove(
    app: &Arc<App>,
    request: &ServiceRequest,
    identity: &Identity,
    fields: &[(String, String)],
) -> Option<HttpResponse> {
    let problem = match pages::proof_of(fields) {
        None => None,
        Some(proof) => {
            let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default().0;
            let (account, workspace, session) = (identity.account, identity.workspace, identity.session);
            let actor = Actor::SignedIn { account, workspace, session, visitor };
            match flows::step_up(app, actor, account, session, proof).await {
                Ok(renewed) => {
                    request.extensions_mut().insert(RenewedCookie { token: renewed.token, keep: renewed.keep });
                    return None;
                }
                Err(error) => Some(crate::base::Problem::from(error)),
            }
        }
    };
    let page = pages::ask_for_proof(app, request.request(), identity, fields, problem.as_ref()).await;
    Some(page.unwrap_or_else(|fault| actix_web::ResponseError::error_response(&fault)))
}
