//! Connecting, once a form of ours says so, and taking off.

use actix_web::HttpRequest;
use actix_web::web::Path;
use askama::Template;

use super::super::error::OauthError;
use super::super::ops;
use super::{BINDER, Mark, binder_of};
use crate::base::{IdentityId, Problem};
use crate::http::page::{self, PageContext, TheApp};
use crate::http::{Answer, Form, SignedIn, forget};

const SECURITY: &str = "/settings/security";

#[derive(Template)]
#[template(path = "signin/oauth_connect.html")]
struct ConnectPage {
    context: PageContext,
    mark: Mark,
    who: String,
    username: String,
}

/// `GET /oauth/connect`: asks whether to connect who came back. Without the question somebody could be led here with an
/// account that is not theirs, and would open theirs to its owner.
pub async fn confirm_connect(app: TheApp, request: HttpRequest, person: SignedIn) -> Answer {
    let binder = binder_of(&request).ok_or(OauthError::NothingWaits)?;
    let waiting = app.read_offloaded(move |view| Ok::<_, OauthError>(ops::waiting(view, &binder)?)).await?;
    let (found, _) = waiting.ok_or(OauthError::NothingWaits)?;
    let provider = app.config().oauth.iter().find(|provider| provider.name == found.provider);
    let mark = Mark::new(provider.ok_or(OauthError::NothingWaits)?, "", "");
    let context = PageContext::new(&app, &request, &format!("Connect {}", mark.label));
    let username = person.identity.username.clone();
    page::render(&ConnectPage { context, mark, who: found.label(), username })
}

/// `POST /oauth/connect`.
pub async fn connect(app: TheApp, request: HttpRequest, who: SignedIn, _form: Form) -> Answer {
    let binder = binder_of(&request).ok_or(OauthError::NothingWaits)?;
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| ops::connect(tx, &actor, account, session, &binder)).await?;
    let mut response = page::go(SECURITY, "connected");
    let _ = response.add_cookie(&forget(BINDER));
    Ok(response)
}

/// `POST /settings/security/identities/{id}/disconnect`.
pub async fn disconnect(app: TheApp, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let id = IdentityId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| ops::disconnect(tx, &actor, account, session, id)).await??;
    Ok(page::go(SECURITY, "disconnected"))
}
