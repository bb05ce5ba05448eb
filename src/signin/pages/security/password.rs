//! The password of somebody who is signed in: the first, or another one.

use actix_web::{HttpMessage, HttpRequest};

use super::{PATH, build};
use crate::accounts;
use crate::base::Problem;
use crate::db;
use crate::http::page::{self, TheApp};
use crate::http::{Answer, Form, Renewed, SignedIn};
use crate::signin::flows;

/// What the page says of it.
pub(super) struct PasswordCard {
    pub(super) username: String,
    /// When it was set. `None`: there is none.
    pub(super) changed: Option<String>,
    pub(super) min_length: usize,
}

pub(super) async fn card(app: &TheApp, who: &SignedIn) -> Result<PasswordCard, Problem> {
    let account = who.identity.account;
    let changed = app.read(move |view| accounts::password_changed_at(view, account)).await.map_err(from_db)?;
    Ok(PasswordCard {
        username: who.identity.username.clone(),
        changed: changed.map(crate::base::Timestamp::day),
        min_length: app.config().passwords.min_length,
    })
}

fn from_db(error: db::Error) -> Problem {
    error.into()
}

/// `POST /settings/security/password`: the proof is fresh, so the old password is not asked for. The session goes on under a
/// new cookie; all others end.
pub async fn change_password(app: TheApp, request: HttpRequest, who: SignedIn, form: Form) -> Answer {
    let (actor, account, session) = (who.actor(), who.identity.account, who.identity.session);
    match flows::change_password(&app, actor, account, session, form.secret("password")).await {
        Ok(token) => {
            request.extensions_mut().insert(Renewed(token));
            Ok(page::go(PATH, "password-set"))
        }
        Err(error) => {
            let problem = Problem::from(error);
            page::again(&problem, &build(&app, &request, &who, Some(&problem)).await?)
        }
    }
}
