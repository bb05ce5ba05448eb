//! The section "Sessions".

use actix_web::web::Path;

use super::PATH;
use crate::base::{Problem, SessionId, Zone};
use crate::config::Provider;
use crate::http::page::{self, AppData};
use crate::http::{Answer, Form, SignedIn};
use crate::sessions::{self, Session, device_of};
use crate::signin::PROVIDER_PREFIX;

/// A row of the list.
pub(super) struct SessionRow {
    pub id: String,
    pub device: String,
    pub address: String,
    /// How the person signed in. Empty: not known.
    pub method: String,
    pub began: String,
    pub seen: String,
    pub is_this: bool,
}

/// The live sessions of the account, the current one first.
pub(super) fn rows(app: &AppData, who: &SignedIn) -> Result<Vec<SessionRow>, Problem> {
    let (account, own) = (who.identity.account, who.identity.session);
    let mut sessions = app.read_inline(|view| sessions::list(view, account))?;
    sessions.sort_by_key(|session| session.id != own);
    let (zone, providers) = (&who.identity.zone, &app.config().oauth);
    Ok(sessions.into_iter().map(|session| row(session, own, zone, providers)).collect())
}

fn row(session: Session, own: SessionId, zone: &Zone, providers: &[Provider]) -> SessionRow {
    SessionRow {
        id: session.id.to_string(),
        device: device_of(&session.visitor.agent),
        address: session.visitor.address,
        method: method_label(&session.method, providers),
        began: session.created_at.day_and_time_in(zone),
        seen: session.last_seen_at.day_and_time_in(zone),
        is_this: session.id == own,
    }
}

/// The proofs of a sign-in in words, such as `Password + authenticator app`.
fn method_label<'a>(method: &'a str, providers: &'a [Provider]) -> String {
    let word = |proof: &'a str| match proof {
        "password" => "password",
        "code" => "code by mail",
        "invitation" => "invitation",
        "passkey" => "passkey",
        "totp" => "authenticator app",
        "recovery_code" => "recovery code",
        other => match other.strip_prefix(PROVIDER_PREFIX) {
            Some(provider) => label_of(provider, providers),
            None => other,
        },
    };
    let words = method.split('+').map(word).collect::<Vec<_>>().join(" + ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The label of a provider. One that is no longer in the settings has its name as the label.
fn label_of<'a>(name: &'a str, providers: &'a [Provider]) -> &'a str {
    providers.iter().find(|provider| provider.name == name).map_or(name, |provider| provider.label.as_str())
}

/// `POST /settings/security/sessions/{id}/end`. The session of another person, or one that has ended, is not found.
pub async fn end_session(app: AppData, who: SignedIn, path: Path<String>, _form: Form) -> Answer {
    let session = SessionId::parse(&path).ok_or_else(Problem::not_found)?;
    let (actor, account) = (who.actor(), who.identity.account);
    let existed = app
        .write(move |tx| {
            let existed = sessions::list(tx, account)?.iter().any(|known| known.id == session);
            sessions::end(tx, &actor, account, session)?;
            Ok::<_, crate::db::Error>(existed)
        })
        .await?;
    if existed { Ok(page::redirect_with_flash(PATH, "session-ended")) } else { Err(Problem::not_found().into()) }
}

/// `POST /settings/security/sessions/end-others`.
pub async fn end_others(app: AppData, who: SignedIn, _form: Form) -> Answer {
    let (actor, account, own) = (who.actor(), who.identity.account, who.identity.session);
    app.write(move |tx| sessions::end_all(tx, &actor, account, Some(own))).await?;
    Ok(page::redirect_with_flash(PATH, "others-ended"))
}
