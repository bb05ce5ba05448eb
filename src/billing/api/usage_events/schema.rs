//! Describes the body of a report in the document of the API.

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::super::super::usage::BATCH_EVENTS_MAX;
use super::members::SPECVERSIONS;
use crate::http::schema;

// Only describes: `read_events` reads it.
/// The body of a report: a batch of events.
pub struct UsageEvents;

impl PartialSchema for UsageEvents {
    fn schema() -> RefOr<Schema> {
        schema::list_of::<UsageEvent>(1..=BATCH_EVENTS_MAX)
    }
}

impl ToSchema for UsageEvents {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((UsageEvent::name().into_owned(), UsageEvent::schema()));
    }
}

// Only describes: `read_event` reads it.
/// What a workspace has used of one thing for sale.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "id": "17", "source": "https://gpu.example/farm-1", "workspace": "ws_00000000000000000000000000", "sku": "gpu.h100",
    "quantity": "3.5", "time": "2026-05-03T09:00:00Z", "key": "key_01k0r3v9qz8h2f7n5m4c6x1b0a",
}))]
#[expect(dead_code, reason = "only describes")]
struct UsageEvent {
    /// The id of the event, unique for its source.
    #[schema(min_length = 1, max_length = 200, example = "17")]
    id: String,
    /// Who measured it.
    #[schema(min_length = 1, max_length = 200, example = "https://gpu.example/farm-1")]
    source: String,
    /// The workspace that pays.
    #[schema(required = false, pattern = "^ws_[0-9a-z]{26}$", example = "ws_00000000000000000000000000")]
    workspace: String,
    /// What was used: a `sku` of the price list.
    #[schema(required = false, example = "gpu.h100")]
    sku: String,
    #[schema(schema_with = signed_quantity, required = false)]
    quantity: String,
    /// When it was used, RFC 3339 with an offset: from the year 2000 to a day ahead of the server's clock.
    #[schema(format = DateTime, example = "2026-05-03T09:00:00Z")]
    time: String,
    /// The id of the API key that it was used with.
    #[schema(example = "key_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    key: Option<String>,
    /// The id of an authorization of your service for this workspace and sku. Without one, leave it out or send null.
    #[schema(example = json!(null))]
    authorization: Option<String>,
    /// The id of an event of the same source that was counted and whose quantity this one takes back, in whole or in part. Then
    /// the quantity is below zero.
    #[schema(min_length = 1, max_length = 200, example = json!(null))]
    corrects: Option<String>,
    #[schema(schema_with = specversion_schema, required = false)]
    specversion: Option<String>,
    /// An attribute of CloudEvents. Accepted but ignored.
    #[schema(nullable = false, example = "usage")]
    r#type: Option<String>,
    /// An attribute of CloudEvents. Accepted but ignored.
    #[schema(nullable = false, example = "application/json")]
    datacontenttype: Option<String>,
    /// An attribute of CloudEvents. Accepted but ignored.
    #[schema(nullable = false, example = "https://gpu.example/schemas/usage.json")]
    dataschema: Option<String>,
    /// An attribute of CloudEvents. Accepted but ignored.
    #[schema(nullable = false, example = "farm-1")]
    subject: Option<String>,
    /// An attribute of CloudEvents. Accepted but ignored.
    #[schema(nullable = false, example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    traceparent: Option<String>,
    /// An attribute of CloudEvents. Accepted but ignored.
    #[schema(nullable = false, example = "farm=1")]
    tracestate: Option<String>,
    #[schema(schema_with = data_schema, required = false)]
    data: Option<serde_json::Value>,
}

fn specversion_schema() -> utoipa::openapi::Object {
    schema::one_of("The version of CloudEvents, if the event is one.", SPECVERSIONS)
}

fn data_schema() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .description(Some(
            "What a CloudEvent is about: workspace, sku, quantity, key, authorization and corrects, which are in the event or in \
             here, not in both.",
        ))
        .property("workspace", text())
        .property("sku", text())
        .property("quantity", signed_quantity())
        .property("key", text())
        .property("authorization", text())
        .property("corrects", text())
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .into()
}

/// Above zero, or below zero with `corrects`.
fn signed_quantity() -> Schema {
    quantity_schema(r"^-?[0-9]+(\.[0-9]{1,6})?$", "3.5")
}

/// A decimal number as text, of this pattern, or a whole number.
pub(in super::super) fn quantity_schema(pattern: &str, example: &str) -> Schema {
    let decimal = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    let whole = ObjectBuilder::new().schema_type(Type::Integer);
    OneOfBuilder::new().item(decimal).item(whole).examples([example]).into()
}
