//! Everything about how a person comes in. Each section of the page is a card, made in a module of its own.

pub mod passkeys;
pub mod recovery;
pub mod two_step;

use actix_web::HttpRequest;
use askama::Template;

use crate::base::AccountId;
use crate::db::View;
use crate::factors::FactorError;
use crate::http::page::{self, Chrome, TheApp};
use crate::http::{Answer, SignedIn};
use passkeys::PasskeysCard;
use recovery::RecoveryCard;
use two_step::TwoStepCard;

#[derive(Template)]
#[template(path = "signin/security.html")]
struct SecurityPage {
    chrome: Chrome,
    owes_factor: bool,
    two_step: TwoStepCard,
    passkeys: PasskeysCard,
    recovery: RecoveryCard,
}

struct Cards(TwoStepCard, PasskeysCard, RecoveryCard);

fn cards(view: &View<'_>, account: AccountId) -> Result<Cards, FactorError> {
    Ok(Cards(two_step::card(view, account)?, passkeys::card(view, account)?, recovery::card(view, account)?))
}

/// `GET /settings/security`.
pub async fn security(app: TheApp, request: HttpRequest, who: SignedIn) -> Answer {
    let account = who.identity.account;
    let Cards(two_step, passkeys, recovery) = app.read(move |view| cards(view, account)).await?;
    let chrome = Chrome::of(&app, &request, "Security");
    page::render(&SecurityPage { chrome, owes_factor: who.identity.owes_factor, two_step, passkeys, recovery })
}
