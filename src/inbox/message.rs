//! A command as a service gets it: the body of a webhook, and an element of its inbox.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::model::{Command, CommandKind};
use crate::http::schema;

/// A command, with the members of Standard Webhooks 1.0.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Command)]
pub struct CommandMessage {
    /// The same at each attempt: acknowledge it with this id, and do it once.
    #[schema(example = "cmd_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub id: String,
    /// The position in the inbox.
    #[schema(example = 1_777_798_800_000_i64)]
    pub seq: i64,
    /// What to do.
    #[schema(schema_with = kinds)]
    pub r#type: &'static str,
    /// When the command was given.
    #[schema(format = DateTime, example = "2026-05-03T09:00:00.000Z")]
    pub timestamp: String,
    /// Until when to acknowledge. Missing: you need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-05-04T09:00:00.000Z")]
    pub deadline: Option<String>,
    /// The workspace that it is about. Missing: it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub workspace: Option<String>,
    /// The person whom it is about. Missing: it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "acc_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    pub subject: Option<String>,
    /// What else you need to do it, which depends on the type.
    #[schema(value_type = Object, additional_properties, example = json!({"resource": "ds-1"}))]
    pub data: Value,
}

fn kinds() -> utoipa::openapi::Object {
    schema::one_of("What to do.", CommandKind::ALL.map(CommandKind::as_str))
}

impl From<&Command> for CommandMessage {
    fn from(command: &Command) -> Self {
        Self {
            id: command.id.to_string(),
            seq: command.seq,
            r#type: command.kind.as_str(),
            timestamp: command.created_at.rfc3339(),
            deadline: command.deadline.map(|at| at.rfc3339()),
            workspace: command.workspace.map(|id| id.to_string()),
            subject: command.subject.map(|id| id.to_string()),
            data: command.data.clone(),
        }
    }
}
