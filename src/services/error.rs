//! The errors of services, and the sentences about them.

use super::model::{FaultKind, ManifestFault, ServiceScope, ServiceScopes, WORKSPACES_MAX};
use crate::base::Problem;
use crate::db;
use crate::inbox::InboxError;

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
    /// A grant was given for a service that exists and has its own.
    #[error("the service has a grant already")]
    HasGrant,
    /// An enrolment code is wrong, was used or has expired.
    #[error("not a valid enrolment code")]
    EnrolCode,
    /// The actor is no service.
    #[error("only a service may do this")]
    NotAService,
    /// The manifest is not valid.
    #[error("the manifest is not valid: {}", .0.path)]
    Manifest(ManifestFault),
    /// A manifest with this version, or a higher one, is stored already.
    #[error("version {stored} of the manifest is stored")]
    #[allow(missing_docs)]
    StaleVersion { stored: i64 },
    /// The address of the webhook cannot be used.
    #[error(transparent)]
    Webhook(InboxError),
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
            ServiceError::HasGrant => Problem::field(
                "scope",
                "service_name_taken",
                "This service exists already and keeps its scopes and workspaces. Leave them out, or change them with `domicile \
                 service change`.",
            ),
            ServiceError::EnrolCode => Problem::field(
                "code",
                "enrol_code_invalid",
                "This code is wrong, was used already or has expired. Ask the operator for a new one.",
            ),
            ServiceError::NotAService => Problem::new(
                403,
                "not_a_service",
                "Only a connected service can do this. Use the credential of the service.",
            ),
            ServiceError::Manifest(fault) => {
                let sentence =
                    format!("{} {}. Correct the manifest and send it again.", fault.path, reason(fault.kind));
                Problem::field(fault.member, "manifest_invalid", sentence)
            }
            ServiceError::StaleVersion { stored } => {
                let sentence = format!(
                    "Version {stored} of the manifest is stored. Send a higher version, or the same content again."
                );
                Problem { status: 409, ..Problem::field("version", "stale_version", sentence) }
            }
            ServiceError::Webhook(error) => error.into(),
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
            ServiceError::Workspace => Problem {
                status: 404,
                ..Problem::field(
                    "workspace",
                    "workspace_not_found",
                    "There is no workspace with this id. `domicile account show NAME` prints the workspace of a person.",
                )
            },
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

/// What is wrong with a value of a manifest, after its name.
fn reason(kind: FaultKind) -> String {
    let reason = match kind {
        FaultKind::TooMany(most) => return format!("has more than {most} elements"),
        FaultKind::Version => "must be a whole number from 1 to 9007199254740991",
        FaultKind::Identifier => "must have 1 to 64 of the characters a-z, 0-9 and underscore, and begin with a letter",
        FaultKind::BuiltIn => "is reserved, or the name of a built-in type, which every service has",
        FaultKind::Repeated => "is in the list twice",
        FaultKind::Label => "must have 1 to 64 visible characters other than < and >, without spaces at its ends",
        FaultKind::NoParent => "is neither a built-in type nor one of this manifest",
        FaultKind::Cycle => "makes a circle of parents",
        FaultKind::Limit => "must be models, datasets, projects, deployments or concurrent_trainings, or be left out",
        FaultKind::Category => "must be datasets, models or exports, or be left out",
        FaultKind::Sku => "must be one word of the characters a-z, A-Z, 0-9, dot, hyphen, underscore, colon and slash",
    };
    reason.to_owned()
}

impl From<InboxError> for ServiceError {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Db(error) => Self::Db(error),
            error => Self::Webhook(error),
        }
    }
}
