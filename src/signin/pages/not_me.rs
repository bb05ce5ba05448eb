//! The link in the mail about a sign-in with a new device.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::ops;
use crate::accounts::AccountError;
use crate::base::Actor;
use crate::http::page::{self, PageContext, TheApp};
use crate::http::{Answer, Form, VisitorOf};
use crate::sessions::{Session, device_of};

const TITLE: &str = "This was not me";

/// Where the link stands.
enum Link {
    /// It can be used. With the sign-in in words, where its session is still in use.
    Good(Option<SignInWords>),
    /// It was used just now.
    Done,
    /// It was used before, or is too old.
    Over,
}

struct SignInWords {
    device: String,
    address: String,
    began: String,
}

impl From<Session> for SignInWords {
    fn from(session: Session) -> Self {
        Self {
            device: device_of(&session.visitor.agent),
            address: session.visitor.address,
            began: session.created_at.day_and_time(),
        }
    }
}

#[derive(Template)]
#[template(path = "signin/not_me.html")]
struct NotMePage<'a> {
    context: PageContext,
    link: Link,
    token: &'a str,
}

/// What the link carries.
#[derive(Deserialize)]
pub struct NotMeLink {
    #[serde(default)]
    token: String,
}

fn show(app: &TheApp, request: &HttpRequest, link: Link, token: &str) -> Answer {
    let status = if matches!(link, Link::Over) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page::with_status(status, &NotMePage { context: PageContext::new(app, request, TITLE), link, token })
}

/// `GET /not-me`: explains, and changes nothing. Programs that look into mail follow links, too.
pub async fn not_me_form(app: TheApp, request: HttpRequest, link: Query<NotMeLink>) -> Answer {
    let token = link.token.clone();
    let found = app.read_offloaded(move |view| ops::find_not_me(view, &token)).await?;
    let state = found.map_or(Link::Over, |session| Link::Good(session.map(Into::into)));
    show(&app, &request, state, &link.token)
}

/// `POST /not-me`.
pub async fn not_me(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = form.text("token").to_owned();
    match app.write(move |tx| ops::not_me(tx, &Actor::Anonymous(visitor.0), &token)).await {
        Ok(()) => show(&app, &request, Link::Done, ""),
        Err(SigninError::Account(AccountError::LinkRefused)) => show(&app, &request, Link::Over, ""),
        Err(error) => Err(error.into()),
    }
}
