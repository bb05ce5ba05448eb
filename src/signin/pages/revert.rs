//! Undoing a change of the primary address, from the address before, without signing in.

use actix_web::HttpRequest;
use actix_web::web::Query;
use askama::Template;
use serde::Deserialize;

use super::super::flows;
use crate::accounts::{self, LinkPurpose};
use crate::base::Problem;
use crate::http::page::{self, FormFault, PageContext, TheApp};
use crate::http::{Answer, Form, VisitorOf};

#[derive(Template)]
#[template(path = "signin/revert.html")]
struct RevertPage<'a> {
    context: PageContext,
    fault: Option<FormFault>,
    token: &'a str,
    /// Whether the link can be used.
    is_good: bool,
    /// The restored address. `None`: nothing was done yet.
    restored: Option<String>,
}

/// What a revert link carries.
#[derive(Deserialize)]
pub struct RevertLink {
    #[serde(default)]
    token: String,
}

const TITLE: &str = "Revert the change of your address";

/// `GET /revert`: says what would happen. Nothing happens: programs that look at links of mails follow this one, too.
pub async fn revert_form(app: TheApp, request: HttpRequest, link: Query<RevertLink>) -> Answer {
    let asked = link.token.clone();
    let found = app.read_offloaded(move |view| accounts::find_by_link(view, LinkPurpose::EmailRevert, &asked)).await?;
    let context = PageContext::new(&app, &request, TITLE);
    page::render(&RevertPage { context, fault: None, token: &link.token, is_good: found.is_some(), restored: None })
}

/// `POST /revert`.
pub async fn revert(app: TheApp, request: HttpRequest, visitor: VisitorOf, form: Form) -> Answer {
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
            // The page itself says what a link that is not good means here.
            let fault = Some(&problem).filter(|problem| problem.code != "link_refused").map(FormFault::from);
            page::again(&problem, &RevertPage { context, fault, token: "", is_good: false, restored: None })
        }
    }
}
