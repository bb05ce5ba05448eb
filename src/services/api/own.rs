//! `/v1/services/enrol` and `/v1/services/self`: a service connects itself, and says what it is.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::callers::Caller;
use super::super::error::ServiceError;
use super::super::model::{
    Category, Enrolled, Grant, Manifest, ManifestDraft, ResourceTypeDraft, Service, ServiceScope, Sku, StoredManifest,
};
use super::super::ops;
use super::{ServiceRefusals, ServiceWrite, Written};
use crate::app::{App, NetworkQuota};
use crate::base::{Actor, Problem};
use crate::config::LimitKey;
use crate::db::{Tx, View};
use crate::http::schema::{self, ProblemDocument, ServerProblem, TooLarge};
use crate::http::{Answer, VisitorOf, json};

/// Attempts to enrol from one network: ample for an installation, and hopeless for guesses.
const ENROLMENTS: NetworkQuota = NetworkQuota { name: "service_enrolments", per_minute: 10 };

/// The code that an operator gave to the service.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EnrolmentRequest {
    #[schema(example = "doe_0123456789abcdefghijklmnopqrstuvwxyz0123")]
    code: String,
}

/// The new credential of the service. It is shown only here.
#[derive(Serialize, ToSchema)]
struct Enrolment<'a> {
    #[schema(example = "svc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(example = "training")]
    name: &'a str,
    /// The credential for `Authorization: Bearer`.
    #[schema(example = "dos_0123456789abcdefghijklmnopqrstuvwxyz0123")]
    credential: &'a str,
    /// The secret that signs webhooks (Standard Webhooks). Missing: the service has one already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    webhook_secret: Option<&'a str>,
    #[schema(schema_with = scopes)]
    scopes: Vec<&'static str>,
    /// The workspaces that the service may touch. Missing: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 500, example = json!(["ws_01k0r3v9qz8h2f7n5m4c6x1b0a"]))]
    workspaces: Option<Vec<String>>,
}

/// The service as it is known here.
#[derive(Serialize, ToSchema)]
#[schema(as = ServiceSelf)]
struct OwnAnswer<'a> {
    #[schema(example = "svc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    id: String,
    #[schema(example = "training")]
    name: &'a str,
    #[schema(schema_with = scopes)]
    scopes: Vec<&'static str>,
    /// The workspaces that the service may touch. Missing: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 500, example = json!(["ws_01k0r3v9qz8h2f7n5m4c6x1b0a"]))]
    workspaces: Option<Vec<String>>,
    /// Missing: the service sent none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    manifest: Option<ManifestBody>,
    /// The secret that signs webhooks (Standard Webhooks), in the answer that created it. It is shown only there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    webhook_secret: Option<&'a str>,
}

fn scopes() -> utoipa::openapi::schema::Array {
    let scope = schema::one_of("What the service may do.", ServiceScope::ALL.map(ServiceScope::as_str));
    utoipa::openapi::schema::ArrayBuilder::new().items(scope).max_items(Some(ServiceScope::ALL.len())).build()
}

/// What a service says about itself.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ServiceManifest)]
#[serde(deny_unknown_fields)]
struct ManifestBody {
    /// Your own number. A higher one replaces a lower one.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64, example = 3)]
    version: i64,
    /// Types of resources besides the built-in ones: project, dataset, model, deployment, export.
    #[serde(default)]
    #[schema(max_items = 50)]
    resource_types: Vec<TypeBody>,
    /// What you charge for. The site's settings have the prices.
    #[serde(default)]
    #[schema(max_items = 200)]
    skus: Vec<SkuBody>,
    /// Where you receive webhooks: an https address. Without it, or with null: you read your inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, max_length = 2048, example = "https://training.example.org/domicile")]
    webhook_url: Option<String>,
    /// Whether you export the data of a person when you are told to.
    #[serde(default)]
    #[schema(example = true)]
    can_export: bool,
    /// Whether you erase the data of a person when you are told to.
    #[serde(default)]
    #[schema(example = true)]
    can_erase: bool,
}

/// A type of resources.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ServiceResourceType)]
#[serde(deny_unknown_fields)]
struct TypeBody {
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$", example = "checkpoint")]
    name: String,
    /// As people read it.
    #[schema(min_length = 1, max_length = 64, example = "Checkpoint")]
    label: String,
    /// The type of the resources that contain these. Without it, or with null: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "model")]
    parent: Option<String>,
    /// The category of storage that their bytes count in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = category, required = false)]
    category: Option<String>,
    /// The limit of the plan that counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = limit, required = false)]
    limit: Option<String>,
}

fn category() -> utoipa::openapi::Object {
    let names = Category::DECLARABLE.into_iter().map(Category::as_str);
    one_or_null(
        "The category of storage that their bytes count in. Without it, or with null: only in the total.",
        names,
    )
}

fn limit() -> utoipa::openapi::Object {
    let names = LimitKey::ALL.into_iter().filter(|limit| limit.counted().is_some()).map(LimitKey::as_str);
    one_or_null("The limit of the plan that counts them. Without it, or with null: none does.", names)
}

/// One of these texts, or null.
fn one_or_null(description: &str, names: impl Iterator<Item = &'static str>) -> utoipa::openapi::Object {
    use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(description))
        .enum_values(Some(names.map(Some).chain([None])))
        .build()
}

/// Something that you charge for.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ServiceSku)]
#[serde(deny_unknown_fields)]
struct SkuBody {
    #[schema(pattern = "^[A-Za-z0-9._:/-]{1,64}$", example = "gpu.h100")]
    sku: String,
    /// As people read it.
    #[schema(min_length = 1, max_length = 64, example = "NVIDIA H100")]
    label: String,
    #[schema(pattern = "^[A-Za-z0-9._:/-]{1,32}$", example = "second")]
    unit: String,
}

impl From<ManifestBody> for ManifestDraft {
    fn from(body: ManifestBody) -> Self {
        let ManifestBody { version, resource_types, skus, webhook_url, can_export, can_erase } = body;
        let resource_types = resource_types.into_iter().map(|one| {
            let TypeBody { name, label, parent, category, limit } = one;
            ResourceTypeDraft { name, label, parent, category, limit }
        });
        let skus = skus.into_iter().map(|SkuBody { sku, label, unit }| Sku { sku, label, unit });
        let (resource_types, skus) = (resource_types.collect(), skus.collect());
        Self { version, resource_types, skus, webhook_url, can_export, can_erase }
    }
}

impl From<StoredManifest> for ManifestBody {
    fn from(StoredManifest { manifest, .. }: StoredManifest) -> Self {
        let Manifest { version, resource_types, skus, webhook_url, can_export, can_erase } = manifest;
        let resource_types = resource_types.into_iter().map(|one| TypeBody {
            name: one.name,
            label: one.label,
            parent: one.parent,
            category: one.category.map(|category| category.as_str().to_owned()),
            limit: one.limit.map(|limit| limit.as_str().to_owned()),
        });
        let skus = skus.into_iter().map(|Sku { sku, label, unit }| SkuBody { sku, label, unit });
        let (resource_types, skus) = (resource_types.collect(), skus.collect());
        Self { version, resource_types, skus, webhook_url, can_export, can_erase }
    }
}

fn grant_members(grant: &Grant) -> (Vec<&'static str>, Option<Vec<String>>) {
    let workspaces = grant.workspaces.listed().map(|listed| listed.iter().map(ToString::to_string).collect());
    (grant.scopes.iter().map(ServiceScope::as_str).collect(), workspaces)
}

/// Connects a service with the code that an operator gave it.
///
/// `domicile service enrol-code NAME` prints the code. It is valid for ten minutes and once. The answer has the credential of
/// the service, which is not shown again. A code that is wrong, was used or has expired gets the same answer.
#[utoipa::path(
    post,
    path = "/v1/services/enrol",
    operation_id = "enrolService",
    tag = "services",
    security(),
    request_body = EnrolmentRequest,
    responses(
        (status = 201, description = "The service is connected.", body = Enrolment),
        (
            status = 400,
            description = "The code is not valid, or the body is not such JSON.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        (
            status = 429,
            description = "There were too many attempts from this network.",
            body = ProblemDocument,
            content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "The seconds to wait."))
        ),
        TooLarge,
        ServerProblem
    )
)]
pub async fn enrol(app: Data<Arc<App>>, visitor: VisitorOf, body: Result<Bytes, actix_web::Error>) -> Answer {
    app.admit(ENROLMENTS, &visitor.0).map_err(|seconds| Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(429, "too_many_attempts", "Too many attempts from this network. Try again in a minute.")
    })?;
    let EnrolmentRequest { code } = json::parse(&body.map_err(json::body_problem)?)?;
    let request = visitor.0.request;
    let Enrolled { service, credential, webhook_secret } =
        app.write(move |tx| ops::enrol(tx, code.trim(), request)).await?;
    let (scopes, workspaces) = grant_members(&service.grant);
    let answer = Enrolment {
        id: service.id.to_string(),
        name: &service.name,
        credential: credential.expose(),
        webhook_secret: webhook_secret.as_ref().map(|secret| secret.expose().as_str()),
        scopes,
        workspaces,
    };
    Ok(json::private(201, serde_json::to_string(&answer).map_err(Problem::internal)?))
}

/// The service that asks: what it may do, and its manifest.
#[utoipa::path(
    get,
    path = "/v1/services/self",
    operation_id = "showSelf",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    responses((status = 200, description = "The service.", body = OwnAnswer), ServiceRefusals, ServerProblem)
)]
pub async fn own(app: Data<Arc<App>>, caller: Caller) -> Answer {
    let body = app.read_inline(|view| render(view, &caller.service, None))?;
    Ok(json::private(200, body))
}

/// Says what the service is: its types of resources, what it charges for, where it receives webhooks, and what it can export
/// and erase.
///
/// Send the whole manifest with a higher version when something changes. The same manifest again changes nothing but the address
/// for webhooks, which it sets again. The answer to
/// the first one with a webhook_url has the secret that signs webhooks, unless the enrolment had it.
#[utoipa::path(
    put,
    path = "/v1/services/self",
    operation_id = "putManifest",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = ManifestBody,
    responses(
        (status = 200, description = "The manifest is stored.", body = OwnAnswer),
        (
            status = 400,
            description = "The body is not such JSON (`malformed_json`, `unknown_member`, `missing_member`), or a member of the \
                           manifest is not valid (`bad_member`, `manifest_invalid`). Or the Idempotency-Key is not valid.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        ServiceRefusals,
        (
            status = 409,
            description = "This version is stored with another content, or a higher one is (`stale_version`). Or the \
                           Idempotency-Key was used for another request.",
            body = ProblemDocument,
            content_type = "application/problem+json"
        ),
        TooLarge,
        ServerProblem
    )
)]
pub async fn put_own(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = body.map_err(json::body_problem)?;
    let write = ServiceWrite::new(&caller, None, &request)?;
    let draft: ManifestBody = json::parse(&body)?;
    let manifest = Manifest::new(draft.into()).map_err(ServiceError::Manifest)?;
    let put = move |tx: &mut Tx<'_>, actor: &Actor| {
        let secret = ops::put_manifest(tx, actor, &manifest)?;
        // A stored answer has no secret.
        let shown = secret.map(|secret| render(tx, &caller.service, Some(secret.expose()))).transpose()?;
        Ok::<_, ServiceError>(Written::rendered(200, render(tx, &caller.service, None)?).showing(shown))
    };
    write.run(&app, &body, put).await
}

/// The service and its manifest as JSON.
fn render(view: &View<'_>, service: &Service, webhook_secret: Option<&str>) -> Result<String, crate::db::Error> {
    let manifest = ops::manifest(view, service.id)?.map(ManifestBody::from);
    let (scopes, workspaces) = grant_members(&service.grant);
    let answer =
        OwnAnswer { id: service.id.to_string(), name: &service.name, scopes, workspaces, manifest, webhook_secret };
    Ok(serde_json::to_string(&answer).unwrap_or_default())
}
