//! The section "Password".

use actix_web::{HttpMessage, HttpRequest};

use super::{PATH, SecurityPage};
use crate::accounts;
use crate::base::{Problem, Timestamp};
use crate::http::page::{self, AppData};
use crate::http::{Answer, Form, RenewedCookie, SignedIn};
use crate::signin::flows;

pub(super) struct PasswordCard {
    /// When it was set. `None`: the account has no password.
    pub changed: Option<String>,
    /// For password managers.
    pub username: String,
    pub min_length: usize,
}

impl PasswordCard {
    pub(super) fn new(app: &AppData, who: &SignedIn) -> Result<Self, Problem> {
        let account = who.identity.account;
        let changed = app.read_inline(|view| accounts::password_changed_at(view, account))?;
        Ok(Self {
            changed: changed.map(Timestamp::day),
            username: who.identity.username.clone(),
            min_length: app.config().passwords.min_length,
        })
    }
}

/// `POST /settings/security/password`.
pub async fn change_password(app: AppData, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (account, session) = (who.identity.account, who.identity.session);
    match flows::change_password(&app, who.actor(), account, session, form.secret("password")).await {
        Ok(renewed) => {
            request.extensions_mut().insert(RenewedCookie { token: renewed.token, keep: renewed.keep });
            Ok(page::redirect_with_flash(PATH, "own-password-changed"))
        }
        Err(error) => {
            let problem = Problem::from(error);
            page::render_form_error(&problem, &SecurityPage::build(&app, &request, &who, Some(&problem))?)
        }
    }
}
