//! The Security page: one file for each section.

mod identities;
pub mod passkeys;
mod password;
pub mod recovery;
mod sessions;
pub mod two_step;

use actix_web::HttpRequest;
use askama::Template;

use crate::base::{AccountId, Problem};
use crate::db::View;
use crate::factors::FactorError;
use crate::http::page::{self, AppData, FormFault, PageContext};
use crate::http::{Answer, SignedIn};
use identities::IdentitiesCard;
use passkeys::PasskeysCard;
use password::PasswordCard;
use recovery::RecoveryCard;
use sessions::SessionRow;
use two_step::TwoStepCard;

pub use password::change_password;
pub use sessions::{end_others, end_session};

const PATH: &str = "/settings/security";

#[derive(Template)]
#[template(path = "settings/security.html")]
struct SecurityPage {
    context: PageContext,
    fault: Option<FormFault>,
    /// The person must set up a second factor first. Then only the sections about second factors are shown.
    must_enrol_factor: bool,
    password: PasswordCard,
    two_step: TwoStepCard,
    passkeys: PasskeysCard,
    recovery: RecoveryCard,
    identities: IdentitiesCard,
    sessions: Vec<SessionRow>,
    has_others: bool,
}

struct FactorCards(TwoStepCard, PasskeysCard, RecoveryCard);

fn factor_cards(view: &View<'_>, account: AccountId) -> Result<FactorCards, FactorError> {
    Ok(FactorCards(two_step::card(view, account)?, passkeys::card(view, account)?, recovery::card(view, account)?))
}

impl SecurityPage {
    fn build(app: &AppData, request: &HttpRequest, who: &SignedIn, fault: Option<&Problem>) -> Result<Self, Problem> {
        let account = who.identity.account;
        let FactorCards(two_step, passkeys, recovery) = app.read_inline(|view| factor_cards(view, account))?;
        let sessions = sessions::rows(app, who)?;
        Ok(Self {
            context: PageContext::new(app, request, "Security"),
            fault: fault.map(FormFault::from),
            must_enrol_factor: who.identity.must_enrol_factor,
            password: PasswordCard::new(app, who)?,
            two_step,
            passkeys,
            recovery,
            identities: IdentitiesCard::new(app, who)?,
            has_others: sessions.len() > 1,
            sessions,
        })
    }
}

/// `GET /settings/security`.
pub async fn security(app: AppData, request: HttpRequest, who: SignedIn) -> Answer {
    page::render(&SecurityPage::build(&app, &request, &who, None)?)
}
