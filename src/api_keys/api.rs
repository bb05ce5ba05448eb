//! `/v1/key-exposures`: reports about keys that were found in public.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use serde::Deserialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{OpenApi, PartialSchema, ToSchema};

use super::ops::{self, REPORT_KEYS_MAX, ReportedText};
use crate::app::{App, NetworkQuota};
use crate::base::Problem;
use crate::http::schema::{self, ProblemDocument, ServerProblem, TooLarge};
use crate::http::{Answer, VisitorOf, decode_form, json};

/// The description of the operation in this file.
#[derive(OpenApi)]
#[openapi(paths(report_exposures))]
pub struct Description;

/// Reports from one network. A scanner sends up to 100 keys in each.
const REPORTS: NetworkQuota = NetworkQuota { name: "key_exposures", per_minute: 30 };
/// The response to every valid report. It never says whether a key exists.
const REPORT_RESPONSE: &str = r#"{"received":true}"#;

#[derive(Deserialize, ToSchema)]
struct ReportedKey {
    /// The whole key.
    #[schema(example = "dok_eu_0123456789abcdefghijklmnopqrstuvwxyz")]
    token: String,
    /// The kind of key, according to the reporter.
    #[serde(default)]
    #[schema(example = "domicile_api_key")]
    r#type: String,
    /// Where the key was found.
    #[serde(default)]
    #[schema(example = "https://git.example/a/b/blob/main/.env")]
    url: String,
    /// The kind of place where the key was found.
    #[serde(default)]
    #[schema(example = "content")]
    source: String,
}

/// A report as JSON.
#[derive(Deserialize)]
struct ReportedKeys(Vec<ReportedKey>);

impl PartialSchema for ReportedKeys {
    fn schema() -> RefOr<Schema> {
        schema::list_of::<ReportedKey>(0..=REPORT_KEYS_MAX)
    }
}

impl ToSchema for ReportedKeys {}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes REPORT_RESPONSE")]
struct ReportReceipt {
    #[schema(schema_with = schema::only_true)]
    received: bool,
}

/// Reports leaked API keys.
///
/// No credential is required: having the whole key is proof enough to stop it. The site decides what happens to the
/// key, and its owner is informed. The answer is the same for every key, known or unknown.
#[utoipa::path(
    post,
    path = "/v1/key-exposures",
    operation_id = "reportExposures",
    tag = "services",
    security(),
    request_body(
        description = "At most 100 keys as JSON, or one key as a form.",
        content((ReportedKeys = "application/json"), (ReportedKey = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 202, description = "The report was received.", body = ReportReceipt),
        (
            status = 400,
            description = "The body is neither such a JSON array nor such a form, or it has more than 100 keys.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 429,
            description = "There were too many reports from this network.",
            body = ProblemDocument,
            content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "The seconds to wait."))
        ),
        TooLarge,
        ServerProblem
    )
)]
pub async fn report_exposures(
    app: Data<Arc<App>>,
    visitor: VisitorOf,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    app.admit(REPORTS, &visitor.0).map_err(|seconds| Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(429, "too_many_reports", "Too many reports from this network. Send up to 100 keys in each.")
    })?;
    let reported = read_report(&request, &body.map_err(json::body_problem)?)?;
    let reports = ops::exposure_reports(app.store().site(), reported)?;
    if !reports.is_empty() {
        let known = app.read_offloaded(move |view| ops::known_keys(view, reports)).await?;
        if !known.is_empty() {
            app.write(move |tx| ops::expose(tx, &known)).await?;
        }
    }
    Ok(json::private(202, REPORT_RESPONSE))
}

fn read_report(request: &HttpRequest, body: &[u8]) -> Result<Vec<ReportedText>, Problem> {
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
        let read = serde_json::from_slice::<ReportedKeys>(body);
        let is_list = body.trim_ascii_start().first() == Some(&b'[');
        let problem = |error: serde_json::Error| match is_list && error.is_data() {
            true => bad_report(),
            false => json::malformed_json(&error),
        };
        read.map_err(problem)?.0
    };
    let reported = reported.into_iter().map(|key| ReportedText {
        text: key.token,
        kind: key.r#type,
        url: key.url,
        source: key.source,
    });
    Ok(reported.collect())
}
