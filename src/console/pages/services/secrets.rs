//! What is shown once: a new credential.

use actix_web::HttpResponse;

use super::PATH;
use crate::base::{Secret, ServiceId};
use crate::http::page::AppData;
use crate::http::{SignedIn, redirect};

/// A new credential on the page of its service.
pub(super) struct NewSecret {
    pub text: String,
    /// A first request with it.
    pub command: String,
}

fn text_name(id: ServiceId) -> String {
    format!("credential of {id}")
}

/// Redirects to the page of the service, which shows the credential.
pub(super) fn show(app: &AppData, who: &SignedIn, id: ServiceId, credential: Secret<String>) -> HttpResponse {
    app.shown_once().keep(who.identity.session, &text_name(id), credential, app.now());
    redirect(&format!("{PATH}/{id}?new=1"))
}

/// The credential that this session made a moment ago. `None`: it is not shown any more.
pub(super) fn recent(app: &AppData, who: &SignedIn, id: ServiceId) -> Option<NewSecret> {
    let text = app.shown_once().text(who.identity.session, &text_name(id), app.now())?;
    let url = &app.config().public_url;
    Some(NewSecret {
        command: format!("curl -d token=KEY -H \"Authorization: Bearer {}\" {url}/v1/introspect", text.expose()),
        text: text.expose().clone(),
    })
}
