//! Parts of the description of the API (OpenAPI) that all modules use: the two forms of an error, and closed lists.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoResponses, ToSchema};

use crate::base::Role;

/// A problem document (RFC 9457): the error of all addresses but those below `/api/`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// Always `about:blank`: the code says which problem it is.
    #[schema(example = "about:blank")]
    pub r#type: &'static str,
    /// The name of the status.
    #[schema(example = "Bad Request")]
    pub title: &'static str,
    /// The status.
    #[schema(example = 400)]
    pub status: u16,
    /// What happened and what to do, for people.
    #[schema(example = "The form needs the field token, with the key to check.")]
    pub detail: &'a str,
    /// A stable code, for programs.
    #[schema(example = "token_missing")]
    pub code: &'a str,
    /// The same as `detail`.
    #[schema(example = "The form needs the field token, with the key to check.")]
    pub error: &'a str,
    /// The id of the request in the log of the server.
    #[schema(example = "req_5f0c9e1b7a3d4c2e")]
    pub request_id: &'a str,
    /// The member, field or parameter that is wrong. Missing: it is not about one of them.
    #[schema(nullable = false, example = "token")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
    /// Only with `limit_reached`: which limit of the plan it is.
    #[schema(nullable = false, example = "models")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<&'a str>,
    /// Only with `limit_reached`: what the plan allows, things or bytes.
    #[schema(nullable = false, example = 3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Only with `limit_reached`: what is there, with what leases reserve.
    #[schema(nullable = false, example = 3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<i64>,
    /// Only with `limit_reached`: the plan of the workspace.
    #[schema(nullable = false, example = "free")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<&'a str>,
}

/// The error of the addresses below `/api/`.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    /// What happened and what to do, for people.
    #[schema(example = "Invalid API key")]
    pub error: &'a str,
    /// A stable code, for programs.
    #[schema(example = "invalid_key")]
    pub code: &'a str,
}

/// What every address but those below `/api/` can answer.
#[derive(IntoResponses)]
#[response(
    status = "5XX",
    description = "The server cannot answer. If there is a `Retry-After`, try again after so many seconds.",
    content_type = "application/problem+json"
)]
pub struct ServerProblem(#[expect(dead_code, reason = "only describes")] ProblemDocument<'static>);

/// What every address below `/api/` can answer.
#[derive(IntoResponses)]
#[response(
    status = "5XX",
    description = "The server cannot answer. If there is a `Retry-After`, try again after so many seconds."
)]
pub struct ServerError(#[expect(dead_code, reason = "only describes")] ErrorBody<'static>);

/// What every address with a body, but those below `/api/`, can answer.
#[derive(IntoResponses)]
#[response(status = 413, description = "The body is too large.", content_type = "application/problem+json")]
pub struct TooLarge(#[expect(dead_code, reason = "only describes")] ProblemDocument<'static>);

/// The schema of a list of `T` with this many elements.
pub fn list_of<T: ToSchema>(elements: RangeInclusive<usize>) -> RefOr<Schema> {
    let list = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
    let least = Some(*elements.start()).filter(|least| *least > 0);
    list.min_items(least).max_items(Some(*elements.end())).build().into()
}

/// Text from a closed list, and what it is about.
pub fn one_of<'t>(about: &str, texts: impl IntoIterator<Item = &'t str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about)).enum_values(Some(texts)).build()
}

/// A member that is always `true`.
pub fn only_true() -> Object {
    only(true)
}

/// A member that always has this value.
pub fn only(value: bool) -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([Value::Bool(value)])).build()
}

/// The role of a person in a workspace.
pub fn role() -> Object {
    one_of("The role of the person in the workspace.", Role::ALL.map(Role::as_str))
}
