//! `/api/api-keys` and the extractor for all `/api/` routes; reports about keys that were found in public.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::{Deserialize, Serialize};

use super::model::{Channel, Refusal, VerifiedKey, VerifyRequest};
use super::{ExposureReport, KeyText, Verifier, ops};
use crate::app::App;
use crate::base::{Actor, Problem, Scopes};
use crate::http::{Answer, Fault, RateLimitStatus, VisitorOf, decode_form, json};

/// The extractor of a program with a good key. A program is not a person: it has no session, and there is no way to
/// make a [`crate::base::CredentialAdmin`] of it, which operations on credentials need.
pub struct KeyHolder {
    /// The key and its owner.
    pub verified: VerifiedKey,
    visitor: VisitorOf,
    verifier: Data<Verifier>,
    request: HttpRequest,
}

impl KeyHolder {
    /// The actor for operations and the audit.
    pub fn actor(&self) -> Actor {
        Actor::KeyHolder {
            key: self.verified.key,
            account: self.verified.account,
            workspace: self.verified.workspace,
            scopes: self.verified.rights,
            visitor: self.visitor.0.clone(),
        }
    }

    /// Fails unless the key has the scope. A refused request counts neither as a use nor against the rate limit.
    ///
    /// # Errors
    /// 403 `insufficient_scope`, with the sentence that the reference's client knows.
    pub fn require(&self, app: &App, scope: &str) -> Result<(), Problem> {
        let rights = app.config().scopes.parse(scope).filter(|rights| self.verified.rights.contains(*rights));
        match rights {
            Some(rights) => {
                self.verifier.record_rights(&self.verified, rights);
                Ok(())
            }
            None => {
                self.verifier.undo_use(&self.verified, Channel::Api);
                self.request.extensions_mut().remove::<RateLimitStatus>();
                Err(Problem::new(403, "insufficient_scope", "Permission denied for this operation"))
            }
        }
    }
}

impl FromRequest for KeyHolder {
    type Error = Fault;
    type Future = Ready<Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(holder_of(request))
    }
}

fn holder_of(request: &HttpRequest) -> Result<KeyHolder, Fault> {
    let verifier =
        request.app_data::<Data<Verifier>>().ok_or_else(|| Problem::internal("no verifier in the request"))?;
    let text = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, text)| text.trim())
        .ok_or(Fault(Refusal::Unknown.into()))?;
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default();
    let question = VerifyRequest {
        channel: Channel::Api,
        address: visitor.0.address.parse().ok(),
        agent: &visitor.0.agent,
        required: Scopes::NONE,
    };
    let verified = verifier.verify_request(text, &question)?;
    if let Some(status) = rate_limit_status(&verified) {
        request.extensions_mut().insert(status);
    }
    let verified = verified.map_err(Problem::from)?;
    Ok(KeyHolder { verified, visitor, verifier: verifier.clone(), request: request.clone() })
}

/// The state of the rate limit for the response headers. `None`: the key has no rate limit.
pub fn rate_limit_status(verified: &Result<VerifiedKey, Refusal>) -> Option<RateLimitStatus> {
    let window_seconds = super::rate_limit::WINDOW_SECONDS;
    match verified {
        Ok(VerifiedKey { rate_limit: Some(limit), .. }) => Some(RateLimitStatus {
            quota: limit.quota,
            window_seconds,
            remaining: limit.remaining,
            reset_seconds: limit.reset_seconds,
        }),
        Err(Refusal::RateLimited { quota, retry_after_seconds }) => {
            Some(RateLimitStatus { quota: *quota, window_seconds, remaining: 0, reset_seconds: *retry_after_seconds })
        }
        _ => None,
    }
}

#[derive(Serialize)]
struct KeyList {
    keys: Vec<KeyItem>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyItem {
    key_id: String,
    name: String,
    key_prefix: String,
    created_at: String,
}

/// `GET /api/api-keys`: the live keys of the key's workspace, without any secret.
pub async fn list(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    let workspace = holder.verified.workspace;
    let keys = app.read_offloaded(move |view| ops::list_live(view, workspace)).await?;
    let keys = keys.into_iter().map(|key| KeyItem {
        key_id: key.id.to_string(),
        name: key.name,
        key_prefix: key.display,
        created_at: key.created_at.rfc3339(),
    });
    let body = serde_json::to_string(&KeyList { keys: keys.collect() }).map_err(Problem::internal)?;
    Ok(json::private(200, body))
}

/// Keys in one report at most.
const REPORT_KEYS_MAX: usize = 100;
/// Characters of each text about a key that are kept.
const REPORT_TEXT_CHARS_MAX: usize = 2_000;
/// The response to every valid report. It never says whether a key exists.
const REPORT_RESPONSE: &str = r#"{"received":true}"#;

#[derive(Deserialize)]
struct ReportedKey {
    token: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    source: String,
}

/// `POST /v1/key-exposures`: reports keys that were found in public. The whole text of a key is proof enough to stop
/// it. The response is the same for every key, known or not.
pub async fn report_exposures(
    app: Data<Arc<App>>,
    verifier: Data<Verifier>,
    visitor: VisitorOf,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let address = visitor.0.address.parse().unwrap_or(std::net::Ipv6Addr::UNSPECIFIED.into());
    verifier.admit_report(address).map_err(|seconds| Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(429, "too_many_reports", "Too many reports from this network. Send up to 100 keys in each.")
    })?;
    let reported = read_report(&request, &body.map_err(json::body_problem)?)?;
    let reports = exposure_reports(&app, reported);
    if !reports.is_empty() {
        let known = app.read_offloaded(move |view| ops::known_keys(view, reports)).await?;
        if !known.is_empty() {
            app.write(move |tx| ops::expose(tx, &known)).await?;
        }
    }
    Ok(json::private(202, REPORT_RESPONSE))
}

fn read_report(request: &HttpRequest, body: &[u8]) -> Result<Vec<ReportedKey>, Problem> {
    let bad_report = || {
        Problem::new(
            400,
            "bad_report",
            "Send a JSON array of objects that each have a \"token\", or a form with the field token.",
        )
    };
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let reported: Vec<ReportedKey> = if kind.starts_with("application/x-www-form-urlencoded") {
        let fields = decode_form(body)?;
        let field =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone().into_owned());
        let token = field("token").ok_or_else(bad_report)?;
        let text = |name: &str| field(name).unwrap_or_default();
        vec![ReportedKey { token, r#type: text("type"), url: text("url"), source: text("source") }]
    } else {
        serde_json::from_slice(body).map_err(|_| bad_report())?
    };
    if reported.len() > REPORT_KEYS_MAX {
        return Err(Problem::new(400, "too_many_keys", "A report has at most 100 keys. Send the rest in another one."));
    }
    Ok(reported)
}

/// The reports about texts with the form of a key. Other texts cost no look-up.
fn exposure_reports(app: &App, reported: Vec<ReportedKey>) -> Vec<ExposureReport> {
    let prefix = &app.config().api_keys.prefix;
    let truncated = |text: &str| text.chars().take(REPORT_TEXT_CHARS_MAX).collect::<String>();
    let well_formed = reported.iter().filter(|key| KeyText::is_well_formed(prefix, key.token.trim()));
    well_formed
        .map(|key| ExposureReport {
            lookups: app.keyring().lookups(key.token.trim().as_bytes()).collect(),
            kind: truncated(&key.r#type),
            url: truncated(&key.url),
            source: truncated(&key.source),
        })
        .collect()
}
