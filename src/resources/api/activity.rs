//! `/v1/activity`: what services report for the activity of people.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data};
use utoipa::ToSchema;

use super::super::error::ResourceError;
use super::super::model::{ActivityAction, ExternalId, NewActivity, ResourceName};
use super::super::ops;
use super::body::{Members, bad_name};
use super::resource::{DONE, DoneAnswer};
use super::{Refusals, received, write_of};
use crate::app::App;
use crate::http::Answer;
use crate::http::schema::{self, ServerProblem};
use crate::services::Caller;
use crate::services::api::{ServiceRefusals, Written};

/// Something that happened.
#[derive(ToSchema)]
#[schema(as = ActivityItem)]
#[expect(dead_code, reason = "only describes")]
struct ActivityRequest {
    #[schema(example = "ws_01k0r3v9qz8h2f7n5m4c6x1b0a")]
    workspace: String,
    /// A type of resources, or `training`.
    #[schema(example = "training")]
    r#type: String,
    #[schema(schema_with = actions)]
    action: String,
    /// The service's own id of the resource it is about.
    #[schema(example = "model-1")]
    resource: Option<String>,
    /// What people call it. Without it: the name of the resource.
    #[schema(min_length = 1, max_length = 200, example = "Yolo 11")]
    name: Option<String>,
}

fn actions() -> utoipa::openapi::Object {
    schema::one_of("What happened.", ActivityAction::ALL.iter().map(|action| action.as_str()))
}

/// Adds an item to the activity of a workspace.
///
/// Resources that are registered, moved to the trash, restored or deleted have one without this.
#[utoipa::path(
    post,
    path = "/v1/activity",
    operation_id = "reportActivity",
    tag = "services",
    security(("service" = []), ("serviceBasic" = [])),
    request_body = ActivityRequest,
    responses(
        (status = 201, description = "The item is added.", body = DoneAnswer),
        ServiceRefusals,
        Refusals,
        ServerProblem
    )
)]
pub async fn report_activity(
    app: Data<Arc<App>>,
    caller: Caller,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Answer {
    let body = received(body)?;
    let write = write_of(&caller, &request)?;
    let members = Members::parse(&body, &["workspace", "type", "action", "resource", "name"])?;
    let rule = "one of the actions in the description of this address";
    let action = ResourceError::Bad { member: "action", code: "unknown_action", rule };
    let new = NewActivity {
        workspace: members.workspace()?,
        kind: members.kind()?,
        action: members.needed("action", ActivityAction::parse, action)?,
        resource: members.parsed("resource", ExternalId::parse, ResourceError::NotFound)?,
        name: members.parsed("name", ResourceName::parse, bad_name())?,
    };
    write
        .run(&app, &body, move |tx, actor| {
            ops::report_activity(tx, actor, &new)?;
            Ok::<_, ResourceError>(Written::new(201, &DONE).about(new.workspace))
        })
        .await
}
