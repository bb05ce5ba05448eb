//! Ending sessions.

use actix_web::web::Path;

use super::super::super::flashes::SettingsFlash;
use super::page::SESSIONS;
use crate::base::{Problem, SessionId};
use crate::http::page::AppData;
use crate::http::{Answer, Form, SignedIn, redirect_with_flash};
use crate::{factors, sessions};

/// `POST /settings/security/sessions/{id}/end`. The session of another person, or one that has ended, is not found.
pub async fn end_session(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let session = SessionId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, account) = (who.actor(), who.identity.account);
    let was_live = app.write(move |tx| sessions::end_live(tx, &actor, account, session)).await?;
    if was_live {
        Ok(redirect_with_flash(SESSIONS, SettingsFlash::SessionEnded))
    } else {
        Err(Problem::not_found().into())
    }
}

/// `POST /settings/security/sessions/end-others`.
pub async fn end_others(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account, own) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| factors::end_other_access(tx, &actor, account, Some(own))).await?;
    Ok(redirect_with_flash(SESSIONS, SettingsFlash::OthersEnded))
}
