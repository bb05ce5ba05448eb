//! The password.

use actix_web::HttpRequest;

use super::super::super::flows;
use super::{PATH, SecurityPage};
use crate::accounts;
use crate::base::Problem;
use crate::http::page::{self, TheApp};
use crate::http::{Answer, Form, SignedIn};

/// What the section shows.
pub(super) struct PasswordCard {
    /// Whether there is one to be changed.
    pub is_set: bool,
    pub min_length: usize,
}

impl PasswordCard {
    pub(super) async fn of(app: &TheApp, who: &SignedIn) -> Result<Self, Problem> {
        let account = who.identity.account;
        let stored = app.read(move |view| accounts::password_hash(view, account)).await?;
        Ok(Self { is_set: stored.is_some(), min_length: app.config().passwords.min_length })
    }
}

/// `POST /settings/security/password`.
pub async fn change_password(app: TheApp, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (account, session) = (who.identity.account, who.identity.session);
    match flows::change_password(&app, who.actor(), account, session, form.secret("password")).await {
        Ok(()) => Ok(page::go(PATH, "own-password-changed")),
        Err(error) => {
            let problem = Problem::from(error);
            page::again(&problem, &SecurityPage::build(&app, &request, &who, Some(&problem)).await?)
        }
    }
}
