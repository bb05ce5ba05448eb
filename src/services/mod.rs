//! **For:** the other programs of the platform, which verify keys and tokens here and report usage.
//! **Words:** service, service credential (`dos_…`), scope, grant, enrolment code (`doe_…`), manifest, resource type.
//! **Tables:** `service`, `service_credential`, `service_workspace`, `service_use`, `service_enrolment`, `service_manifest`,
//! `service_resource_type`, `service_sku`.
//! **Never:** stores a credential; tells one service about another.
//! **Start reading:** [`create`].

pub mod api;
mod callers;
mod error;
mod events;
mod jobs;
mod model;
mod ops;
pub mod replay;
mod store;
mod tables;

pub use callers::{Caller, Callers};
pub use error::ServiceError;
pub use events::ServiceEvent;
pub use jobs::record_seen;
pub use model::{
    CREDENTIAL_PREFIX, Category, EnrolCode, Enrolled, FaultKind, Grant, IssuedCredential, Manifest, ManifestDraft,
    ManifestFault, ResourceType, ResourceTypeDraft, Service, ServiceCredential, ServiceName, ServiceScope,
    ServiceScopes, Sku, StoredManifest, WORKSPACES_MAX, WorkspaceGrant,
};
pub use ops::{
    change, create, create_enrol_code, create_enrol_code_of, disconnect, enrol, find, find_by_credential, manifest,
    may_touch, ping, put_manifest, resource_type, resource_types, revoke, rotate, rotate_webhook_secret, set_webhook,
};
pub use store::{
    STATEMENTS, delete_all_enrolments as end_enrol_codes, delete_expired_enrolments as purge_enrol_codes, last_seen,
    list, list_credentials,
};
pub use tables::TABLES;
