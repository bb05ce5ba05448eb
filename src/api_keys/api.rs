//! For holders of a key: `/api/api-keys`, and the extractor every `/api/` route takes. For everybody: what was found in public.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::{Deserialize, Serialize};

use super::model::{Asked, Door, Refusal, Verified};
use super::{Find, KeyText, Verifier, ops};
use crate::app::App;
use crate::base::{Actor, Problem, Scopes};
use crate::http::{Answer, Fault, Paced, VisitorOf, decode_form, json};

/// A program with a good key. Not a person: it has no session, and makes no [`crate::base::CredentialAdmin`], which is what
/// operations on credentials take.
pub struct KeyHolder {
    /// The key and whose it is.
    pub verified: Verified,
    visitor: VisitorOf,
    verifier: Data<Verifier>,
    request: HttpRequest,
}

impl KeyHolder {
    /// As operations know it.
    pub fn actor(&self) -> Actor {
        Actor::KeyHolder {
            key: self.verified.key,
            account: self.verified.account,
            workspace: self.verified.workspace,
            scopes: self.verified.rights,
            visitor: self.visitor.0.clone(),
        }
    }

    /// Goes on only with a scope. A request that is refused here burns nothing.
    ///
    /// # Errors
    /// 403 with the sentence that the reference's client knows.
    pub fn require(&self, app: &App, scope: &str) -> Result<(), Problem> {
        let wanted = app.config().scopes.wanted(scope).filter(|wanted| self.verified.rights.grant(*wanted));
        match wanted {
            Some(wanted) => {
                self.verifier.note_wanted(&self.verified, wanted);
                Ok(())
            }
            None => {
                self.verifier.take_back(&self.verified, Door::Api);
                self.request.extensions_mut().remove::<Paced>();
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
    let verifier = request.app_data::<Data<Verifier>>().ok_or_else(|| Problem::ours("no verifier in the request"))?;
    let text = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, text)| text.trim())
        .ok_or(Fault(Refusal::Unknown.into()))?;
    let visitor = request.extensions().get::<VisitorOf>().cloned().unwrap_or_default();
    let asked = Asked {
        door: Door::Api,
        address: visitor.0.address.parse().ok(),
        agent: &visitor.0.agent,
        wanted: Scopes::NONE,
    };
    let verified = verifier.verify_at(text, &asked)?;
    if let Some(paced) = paced(&verified) {
        request.extensions_mut().insert(paced);
    }
    let verified = verified.map_err(Problem::from)?;
    Ok(KeyHolder { verified, visitor, verifier: verifier.clone(), request: request.clone() })
}

/// What the headers of an answer say about the rate, where there is one.
pub fn paced(verified: &Result<Verified, Refusal>) -> Option<Paced> {
    let window_seconds = super::pace::WINDOW_SECONDS;
    match verified {
        Ok(Verified { pace: Some(pace), .. }) => Some(Paced {
            quota: pace.quota,
            window_seconds,
            remaining: pace.remaining,
            reset_seconds: pace.reset_seconds,
        }),
        Err(Refusal::TooFast { quota, retry_after_seconds }) => {
            Some(Paced { quota: *quota, window_seconds, remaining: 0, reset_seconds: *retry_after_seconds })
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

/// `GET /api/api-keys`: the live keys of the key's workspace, without anything that opens something.
pub async fn list(app: Data<Arc<App>>, holder: KeyHolder) -> Answer {
    holder.require(&app, "account:read")?;
    let workspace = holder.verified.workspace;
    let keys = app.read_offloaded(move |view| ops::live(view, workspace)).await?;
    let keys = keys.into_iter().map(|key| KeyItem {
        key_id: key.id.to_string(),
        name: key.name,
        key_prefix: key.display,
        created_at: key.created_at.rfc3339(),
    });
    let body = serde_json::to_string(&KeyList { keys: keys.collect() }).map_err(Problem::ours)?;
    Ok(json::private(200, body))
}

/// Keys in one report.
const REPORTED_MAX: usize = 100;
/// Characters of what a finder says about one.
const SAID_CHARS_MAX: usize = 2_000;
/// Whatever was reported and whatever became of it: nobody learns here whether a key is good.
const REPORTED: &str = r#"{"received":true}"#;

#[derive(Deserialize)]
struct Reported {
    token: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    source: String,
}

/// `POST /v1/key-exposures`: somebody found keys where they should not be. Whoever has a whole key needs no other proof to have
/// it stopped. The answer is the same for every key, known or not.
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
    let finds = finds_of(&app, reported);
    if !finds.is_empty() {
        let known = app.read_offloaded(move |view| ops::known(view, finds)).await?;
        if !known.is_empty() {
            app.write(move |tx| ops::expose(tx, &known)).await?;
        }
    }
    Ok(json::private(202, REPORTED))
}

fn read_report(request: &HttpRequest, body: &[u8]) -> Result<Vec<Reported>, Problem> {
    let wrong = || {
        Problem::new(
            400,
            "bad_report",
            "A report is a JSON array of objects with a \"token\" each, or a form with the field token. Send one of these.",
        )
    };
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let reported: Vec<Reported> = if kind.starts_with("application/x-www-form-urlencoded") {
        let fields = decode_form(body)?;
        let field =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone().into_owned());
        let token = field("token").ok_or_else(wrong)?;
        let said = |name: &str| field(name).unwrap_or_default();
        vec![Reported { token, r#type: said("type"), url: said("url"), source: said("source") }]
    } else {
        serde_json::from_slice(body).map_err(|_| wrong())?
    };
    if reported.len() > REPORTED_MAX {
        return Err(Problem::new(400, "too_many_keys", "A report has at most 100 keys. Send the rest in another one."));
    }
    Ok(reported)
}

/// What has the form of a key; the rest costs no look-up.
fn finds_of(app: &App, reported: Vec<Reported>) -> Vec<Find> {
    let prefix = &app.config().api_keys.prefix;
    let cut = |said: &str| said.chars().take(SAID_CHARS_MAX).collect::<String>();
    let well_formed = reported.iter().filter(|one| KeyText::is_well_formed(prefix, one.token.trim()));
    well_formed
        .map(|one| Find {
            lookups: app.keyring().lookups(one.token.trim().as_bytes()).collect(),
            kind: cut(&one.r#type),
            url: cut(&one.url),
            source: cut(&one.source),
        })
        .collect()
}
