//! Shows the page.

use actix_web::HttpRequest;
use askama::Template;

use super::cards::{IdentitiesCard, PasskeysCard, PasswordCard, RecoveryCard, SessionsCard, TwoStepCard};
use crate::base::Problem;
use crate::http::page::{self, AppData, PageContext};
use crate::http::{Answer, SignedIn, TimeFormat};
use crate::settings::ops;

pub(super) const PATH: &str = "/settings/security";
/// The places on the page that forms return to.
pub(super) const PASSWORD: &str = "/settings/security#password-card";
pub(super) const TWO_STEP: &str = "/settings/security#two-step-card";
pub(super) const PASSKEYS: &str = "/settings/security#passkeys-card";
pub(super) const IDENTITIES: &str = "/settings/security#identities-card";
pub(super) const SESSIONS: &str = "/settings/security#sessions-card";

#[derive(Template)]
#[template(path = "settings/security.html")]
struct SecurityPage {
    context: PageContext,
    /// The person must set up a second factor first. Then only the sections about second factors are shown.
    must_enrol_factor: bool,
    password: PasswordCard,
    two_step: TwoStepCard,
    passkeys: PasskeysCard,
    recovery: RecoveryCard,
    identities: IdentitiesCard,
    sessions: SessionsCard,
}

impl SecurityPage {
    fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, refused: Option<&Problem>) -> Result<Self, Problem> {
        let (identity, config) = (&who.identity, app.config());
        let read = app.read_inline(|view| ops::read_security(view, identity.account))?;
        let times = TimeFormat::new(app.now(), &identity.zone);
        Ok(Self {
            context: PageContext::new(app, request, "Security"),
            must_enrol_factor: identity.must_enrol_factor,
            password: PasswordCard::new(&read, &identity.username, config.passwords.min_length, refused),
            two_step: TwoStepCard::new(&read, times),
            passkeys: PasskeysCard::new(&read, times),
            recovery: RecoveryCard::new(&read),
            identities: IdentitiesCard::new(&read.connections, times, &config.oauth),
            sessions: SessionsCard::new(read.sessions, identity.session, times, &config.oauth),
        })
    }
}

/// `GET /settings/security`.
pub async fn security(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&SecurityPage::build(&app, &request, &who, None)?)
}

/// Shows the page again with the refused password.
pub(super) fn show_refused(app: &AppData, request: &HttpRequest, who: &SignedIn, problem: &Problem) -> Answer {
    page::render_form_error(problem, &SecurityPage::build(app, request, who, Some(problem))?)
}
