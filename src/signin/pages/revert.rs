//! The page that undoes a change of the primary address. It needs the link from the mail to the previous address, and
//! no sign-in.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::flows;
use crate::accounts::{self, LinkPurpose};
use crate::base::Problem;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, Form, VisitorOf};

#[derive(Template)]
#[template(path = "signin/revert.html")]
struct RevertPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    token: &'a str,
    /// Whether the link is valid.
    is_good: bool,
    /// The restored address. `None`: nothing was restored yet.
    restored: Option<String>,
}

/// The query of a revert link.
#[derive(Deserialize)]
pub struct RevertLink {
    #[serde(default)]
    token: String,
}

const TITLE: &str = "Undo the change of your address";

/// `GET /revert`: explains the action and changes nothing, because mail scanners follow links too.
pub async fn revert_form(app: AppData, request: HttpRequest, link: Query<RevertLink>) -> Answer {
    let token = link.token.clone();
    let stored = app.read_offloaded(move |view| accounts::find_by_link(view, LinkPurpose::EmailRevert, &token)).await?;
    let context = PageContext::new(&app, &request, TITLE);
    let status = if stored.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = RevertPage { context, fault: None, token: &link.token, is_good: stored.is_some(), restored: None };
    page::with_status(status, &page)
}

/// `POST /revert`.
pub async fn revert(app: AppData, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
    let token = form.text("token").to_owned();
    let done = flows::revert_email(&app, visitor.0, token).await;
    let context = PageContext::new(&app, &request, TITLE);
    match done {
        Ok(restored) => {
            let restored = Some(restored.to_string());
            page::render(&RevertPage { context, fault: None, token: "", is_good: false, restored })
        }
        Err(error) => {
            let problem = Problem::from(error);
            // The page itself explains an invalid link.
            let fault = Some(&problem).filter(|problem| problem.code != "link_refused").map(FormFault::from);
            page::render_form_error(&problem, &RevertPage { context, fault, token: "", is_good: false, restored: None })
        }
    }
}
