//! The page of the link in the mail about a sign-in with a new device.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::error::SigninError;
use super::super::ops;
use crate::accounts::AccountError;
use crate::base::{Actor, Timestamp, Zone};
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, Form, Moment, TimeFormat, VisitorOf};
use crate::sessions::{Session, device_of};

const TITLE: &str = "This was not me";

/// The state of the link.
enum Link {
    /// It is valid. Contains the sign-in, if its session has not ended.
    Valid(Option<SignInDetails>),
    /// It was just used.
    Done,
    /// It was used before, or it has expired.
    Expired,
}

struct SignInDetails {
    device: String,
    address: String,
    began: Moment,
}

impl SignInDetails {
    fn new(session: Session, now: Timestamp) -> Self {
        Self {
            device: device_of(&session.visitor.agent),
            address: session.visitor.address,
            began: TimeFormat::new(now, &Zone::default()).moment(session.created_at),
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

/// The query of the link.
#[derive(Deserialize)]
pub struct NotMeLink {
    #[serde(default)]
    token: String,
}

fn show(app: &AppData, request: &HttpRequest, link: Link, token: &str) -> Answer {
    let status = match link {
        Link::Expired => StatusCode::BAD_REQUEST,
        Link::Valid(_) | Link::Done => StatusCode::OK,
    };
    page::with_status(status, &NotMePage { context: PageContext::new(app, request, TITLE), link, token })
}

/// `GET /not-me`: explains the action and changes nothing, because mail scanners follow links too.
pub async fn not_me_form(app: AppData, request: HttpRequest, link: Query<NotMeLink>) -> Answer {
    let token = link.token.clone();
    let stored = app.read_offloaded(move |view| ops::find_not_me(view, &token)).await?;
    let state = stored
        .map_or(Link::Expired, |session| Link::Valid(session.map(|session| SignInDetails::new(session, app.now()))));
    show(&app, &request, state, &link.token)
}

/// `POST /not-me`.
pub async fn not_me(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = form.text("token").to_owned();
    match app.write(move |tx| ops::not_me(tx, &Actor::Anonymous(visitor.0), &token)).await {
        Ok(()) => show(&app, &request, Link::Done, ""),
        Err(SigninError::Account(AccountError::LinkRefused)) => show(&app, &request, Link::Expired, ""),
        Err(error) => Err(error.into()),
    }
}
