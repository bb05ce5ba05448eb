//! Leaving for a provider, and coming back.

use actix_web::web::{Bytes, Path, Query};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Deserialize;

use super::super::super::pages::{let_in, sign_in_instead};
use super::super::error::OauthError;
use super::super::flows;
use super::super::model::{Answered, Arrived, Purpose};
use super::{BINDER, BINDER_KEPT, binder_of};
use crate::base::{Actor, Problem, Rng};
use crate::crypto::tokens;
use crate::http::page::{self, TheApp};
use crate::http::{Answer, Identity, Renewed, VisitorOf, cookie, decode_form_owned, redirect};

/// What a link to a provider says.
#[derive(Deserialize)]
pub struct Leaving {
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    next: String,
}

/// The person in the browser's session, where there is one.
fn who(request: &HttpRequest) -> Option<Identity> {
    request.extensions().get::<Identity>().cloned()
}

/// `GET /oauth/{name}/start`: a link and no form, because our pages' policy sends forms nowhere else.
pub async fn start(app: TheApp, request: HttpRequest, name: Path<String>, leaving: Query<Leaving>) -> Answer {
    flows::provider(&app, &name)?;
    let purpose = Purpose::parse(&leaving.purpose).ok_or_else(Problem::not_found)?;
    let who = who(&request);
    if purpose != Purpose::SignIn && who.is_none() {
        return Err(Problem::new(401, "signed_out", "Sign in to see this page.").into());
    }
    // Several pages of one browser may be on their way at once.
    let binder = binder_of(&request).unwrap_or_else(|| tokens::random_token(&mut Rng::system()).expose().clone());
    let account = who.map(|who| who.account);
    match flows::start(&app, &name, purpose, account, page::safe_path(&leaving.next), &binder).await {
        Ok(url) => {
            let mut response = redirect(&url);
            let _ = response.add_cookie(&cookie(BINDER, binder, Some(BINDER_KEPT)));
            Ok(response)
        }
        Err(error) => failed(&app, &request, error),
    }
}

/// What a provider's answer says (RFC 6749 §4.1.2, RFC 9207).
#[derive(Deserialize)]
pub struct Returning {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
    iss: Option<String>,
}

/// `GET /oauth/{name}/callback`.
pub async fn callback(
    app: TheApp,
    request: HttpRequest,
    visitor: VisitorOf,
    name: Path<String>,
    back: Query<Returning>,
) -> Answer {
    let Returning { state, code, error, iss } = back.into_inner();
    let answered = Answered { state, code, error, issuer: iss, user: String::new() };
    arrive(&app, &request, visitor, &name, answered).await
}

/// `POST /oauth/{name}/callback`: Apple's answer, a form from another site. No cookie comes along (they are `SameSite=Lax`)
/// and no token of ours, so nothing is decided here: the answer waits a minute in the row of its state, and the browser is
/// led to [`finish`] with a GET that brings its cookies.
pub async fn posted_callback(app: TheApp, name: Path<String>, body: Bytes) -> Answer {
    flows::provider(&app, &name)?;
    let fields = decode_form_owned(&body)?;
    let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let text = |wanted: &str| field(wanted).unwrap_or_default();
    let answered = Answered {
        state: text("state"),
        code: text("code"),
        error: text("error"),
        issuer: field("iss"),
        user: text("user"),
    };
    let is_state = answered.state.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let state = if is_state { answered.state.clone() } else { String::new() };
    flows::post(&app, &name, answered).await?;
    Ok(redirect(&format!("/oauth/{name}/finish?state={state}")))
}

/// `GET /oauth/{name}/finish`: takes the answer that was posted.
pub async fn finish(
    app: TheApp,
    request: HttpRequest,
    visitor: VisitorOf,
    name: Path<String>,
    back: Query<Returning>,
) -> Answer {
    let posted = flows::fetch_posted(&app, &name, &back.state).await?;
    arrive(&app, &request, visitor, &name, posted).await
}

async fn arrive(app: &TheApp, request: &HttpRequest, visitor: VisitorOf, name: &str, answered: Answered) -> Answer {
    let identity = who(request);
    let actor = match &identity {
        None => Actor::Anonymous(visitor.0),
        Some(who) => {
            Actor::SignedIn { account: who.account, workspace: who.workspace, session: who.session, visitor: visitor.0 }
        }
    };
    let session = identity.map(|who| (who.account, who.session));
    match flows::finish(app, actor, name, answered, binder_of(request), session).await {
        Ok((arrived, next)) => Ok(go_on(app, request, arrived, &next)),
        Err(error) => failed(app, request, error),
    }
}

fn go_on(app: &TheApp, request: &HttpRequest, arrived: Arrived, next: &str) -> HttpResponse {
    match arrived {
        Arrived::Entered(started) => let_in(app, started, next),
        Arrived::MustChoose | Arrived::MustSignIn => redirect("/oauth/sign-up"),
        Arrived::MustConfirm => redirect("/oauth/connect"),
        Arrived::Connected => page::go("/settings/security", "connected"),
        Arrived::Proved(renewed) => {
            request.extensions_mut().insert(Renewed { token: renewed.token, keep: renewed.keep });
            redirect(page::safe_path(next))
        }
    }
}

/// Whoever is signed in sees what happened; others see it above the other ways in.
fn failed(app: &TheApp, request: &HttpRequest, error: OauthError) -> Answer {
    let problem = Problem::from(error);
    if let Some(cause) = problem.cause.as_ref().filter(|_| problem.status == 503) {
        tracing::warn!(cause, "A provider could not be asked.");
    }
    if problem.status == 404 || who(request).is_some() {
        return Err(problem.into());
    }
    sign_in_instead(app, request, &problem)
}
