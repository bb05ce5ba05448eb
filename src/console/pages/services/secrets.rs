//! What is shown once: a new credential, a webhook secret, an enrolment code.

use std::time::Duration;

use actix_web::HttpResponse;

use super::{PATH, to_problem};
use crate::api_keys::parse_overlap;
use crate::base::{Problem, Secret, ServiceId};
use crate::db::Tx;
use crate::http::page::AppData;
use crate::http::{Form, SignedIn, redirect};
use crate::inbox::InboxError;
use crate::services::ServiceError;

/// What is shown once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretKind {
    Credential,
    WebhookSecret,
    EnrolCode,
}

impl SecretKind {
    const ALL: [Self; 3] = [Self::Credential, Self::WebhookSecret, Self::EnrolCode];

    /// The word in the address of the page that shows it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::WebhookSecret => "webhook-secret",
            Self::EnrolCode => "code",
        }
    }

    /// Reads the word. `None`: the address names nothing that is shown once.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Credential => "This is the credential of the service.",
            Self::WebhookSecret => "This is the secret that signs the webhooks of the service.",
            Self::EnrolCode => "This is the enrolment code of the service. It works for ten minutes and once.",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Credential | Self::WebhookSecret => {
                "Copy it into the settings of the program now: it is shown for five minutes and never again."
            }
            Self::EnrolCode => {
                "Give it to the program now, which gets its credential for it: the code is shown for five minutes and never again."
            }
        }
    }

    /// What to do when it is not shown any more.
    pub const fn when_gone(self) -> &'static str {
        match self {
            Self::Credential => "If you do not have it, rotate the credential.",
            Self::WebhookSecret => "If you do not have it, rotate the webhook secret.",
            Self::EnrolCode => "If you do not have it, make another code.",
        }
    }
}

/// A new secret on the page of its service.
pub(super) struct NewSecret {
    pub title: &'static str,
    pub advice: &'static str,
    pub text: String,
    /// A first request with it, and what it is for. `None`: it is for no request.
    pub command: Option<(&'static str, String)>,
}

fn text_name(kind: SecretKind, id: ServiceId) -> String {
    format!("{} of {id}", kind.as_str())
}

/// Redirects to the page of the service, which shows the secret.
pub(super) fn show(
    app: &AppData,
    who: &SignedIn,
    id: ServiceId,
    kind: SecretKind,
    secret: Secret<String>,
) -> HttpResponse {
    app.shown_once().keep(who.identity.session, &text_name(kind, id), secret, app.now());
    redirect(&format!("{PATH}/{id}?new={}", kind.as_str()))
}

/// Replaces a secret with the overlap that was typed, and redirects to the page of the service, which shows the new one once.
///
/// # Errors
/// [`Problem`] of `rotate`; of an overlap that is none, and `rotate` is not called then.
pub(super) async fn rotate(
    app: &AppData,
    who: &SignedIn,
    id: ServiceId,
    kind: SecretKind,
    form: &Form,
    rotate: impl FnOnce(&mut Tx<'_>, Duration) -> Result<Secret<String>, ServiceError> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let invalid = match kind {
        SecretKind::WebhookSecret => ServiceError::Webhook(InboxError::Overlap),
        SecretKind::Credential | SecretKind::EnrolCode => ServiceError::Overlap,
    };
    let rotated = match parse_overlap(form.text("overlap")) {
        Some(overlap) => app.write(move |tx| rotate(tx, overlap)).await,
        None => Err(invalid),
    };
    rotated.map(|secret| show(app, who, id, kind, secret)).map_err(to_problem)
}

/// The secret that this session made a moment ago. `None`: it is not shown any more.
pub(super) fn recent(app: &AppData, who: &SignedIn, id: ServiceId, kind: SecretKind) -> Option<NewSecret> {
    let secret = app.shown_once().text(who.identity.session, &text_name(kind, id), app.now())?;
    let (url, text) = (&app.config().public_url, secret.expose());
    let command = match kind {
        SecretKind::Credential => Some((
            "A first request with it; put an API key in place of KEY",
            format!("curl -d token=KEY -H \"Authorization: Bearer {text}\" {url}/v1/introspect"),
        )),
        SecretKind::WebhookSecret => None,
        SecretKind::EnrolCode => Some((
            "How the program sends it",
            format!("curl --json '{{\"code\": \"{text}\"}}' {url}/v1/services/enrol"),
        )),
    };
    Some(NewSecret { title: kind.title(), advice: kind.advice(), command, text: text.clone() })
}
