//! Everything about how a person comes in, one section a file.

mod password;
mod sessions;

use actix_web::HttpRequest;
use askama::Template;

use crate::base::Problem;
use crate::http::page::{self, Chrome, FormFault, TheApp};
use crate::http::{Answer, SignedIn};
use password::PasswordCard;
use sessions::SessionRow;

pub use password::change_password;
pub use sessions::{end_others, end_session};

const PATH: &str = "/settings/security";

#[derive(Template)]
#[template(path = "signin/security.html")]
struct SecurityPage {
    chrome: Chrome,
    fault: Option<FormFault>,
    password: PasswordCard,
    sessions: Vec<SessionRow>,
    has_others: bool,
}

impl SecurityPage {
    async fn build(
        app: &TheApp,
        request: &HttpRequest,
        who: &SignedIn,
        fault: Option<&Problem>,
    ) -> Result<Self, Problem> {
        let sessions = sessions::rows(app, who).await?;
        Ok(Self {
            chrome: Chrome::of(app, request, "Security"),
            fault: fault.map(FormFault::from),
            password: PasswordCard::of(app, who).await?,
            has_others: sessions.len() > 1,
            sessions,
        })
    }
}

/// `GET /settings/security`.
pub async fn security(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&SecurityPage::build(&app, &request, &who, None).await?)
}
