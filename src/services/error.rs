//! The errors of services, and the sentences about them.

use super::model::{ServiceScope, ServiceScopes, WORKSPACES_MAX};
use crate::base::Problem;
use crate::db;

/// An error of an operation on services.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name is empty, too long, or has other characters than allowed.
    #[error("not a service name")]
    Name,
    /// A service with this name exists already.
    #[error("the name is taken")]
    NameTaken,
    /// There is no service with this name or id.
    #[error("there is no such service")]
    NotFound,
    /// The service has no such credential, or it is not valid any more.
    #[error("there is no such credential")]
    NoCredential,
    /// The overlap of a rotation is longer than a week.
    #[error("the overlap is too long")]
    Overlap,
    /// The service was disconnected, for good.
    #[error("the service is disconnected")]
    Disconnected,
    /// The actor is no operator.
    #[error("only an operator may do this")]
    NotAllowed,
    /// The service does not have this scope.
    #[error("the service does not have the scope {}", .0.as_str())]
    MissingScope(ServiceScope),
    /// There is no scope with this name.
    #[error("there is no such scope of services")]
    Scope,
    /// There is no workspace with this id.
    #[error("there is no such workspace")]
    Workspace,
    /// More workspaces than [`WORKSPACES_MAX`] are listed.
    #[error("too many workspaces")]
    TooManyWorkspaces,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Name => Problem::field(
                "name",
                "service_name_invalid",
                "The name of a service has 1 to 64 of the characters a-z, 0-9, hyphen, dot and underscore. Choose another name.",
            ),
            ServiceError::NameTaken => Problem {
                status: 409,
                ..Problem::field(
                    "name",
                    "service_name_taken",
                    "A service with this name exists already. Choose another name.",
                )
            },
            ServiceError::NotFound => Problem::new(
                404,
                "service_not_found",
                "There is no service with this name or id. `domicile service list` shows all services.",
            ),
            ServiceError::NoCredential => Problem::new(
                404,
                "service_credential_not_found",
                "The service has no such valid credential. `domicile service show NAME` lists its credentials.",
            ),
            ServiceError::Overlap => Problem::field(
                "overlap",
                "overlap_invalid",
                "The old credential can stay valid for 0 to 7 days. Give a time such as 24h, or 0 to end it at once.",
            ),
            ServiceError::Disconnected => Problem::new(
                409,
                "service_disconnected",
                "This service is disconnected. Connect it again as a new service, which can have the same name.",
            ),
            ServiceError::NotAllowed => {
                Problem::new(403, "not_allowed", "Only an operator can manage services. Ask your operator.")
            }
            ServiceError::MissingScope(scope) => {
                let sentence = format!(
                    "This service does not have the scope {}. Ask the operator to add it with `domicile service change`.",
                    scope.as_str()
                );
                Problem::new(403, "insufficient_scope", sentence)
            }
            ServiceError::Scope => {
                let names = ServiceScopes::all().names().replace(' ', ", ");
                let sentence = format!("There is no such scope of services. The scopes are {names}.");
                Problem::field("scope", "service_scope_invalid", sentence)
            }
            ServiceError::Workspace => Problem::field(
                "workspace",
                "workspace_not_found",
                "There is no workspace with this id. `domicile account show NAME` prints the workspace of a person.",
            ),
            ServiceError::TooManyWorkspaces => {
                let sentence = format!(
                    "A service can be limited to {WORKSPACES_MAX} workspaces. List fewer, or allow all of them."
                );
                Problem::field("workspace", "too_many_workspaces", sentence)
            }
            ServiceError::Db(error) => error.into(),
        }
    }
}
