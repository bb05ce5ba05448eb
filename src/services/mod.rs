//! **For:** the other programs of the platform, which verify keys and tokens here and report usage.
//! **Words:** service, service credential (`dos_…`), scope, grant, manifest, resource type.
//! **Tables:** `service`, `service_credential`, `service_workspace`, `service_use`, `service_enrolment`, `service_manifest`,
//! `service_resource_type`, `service_sku`.
//! **Never:** stores a credential; tells one service about another.
//! **Start reading:** [`create`].

pub mod api;
mod callers;
mod error;
mod events;
mod model;
mod ops;
pub mod replay;
mod store;
mod tables;

pub use callers::{Caller, Callers};
pub use error::ServiceError;
pub use events::ServiceEvent;
pub use model::{
    CREDENTIAL_PREFIX, Category, Grant, IssuedCredential, LimitKey, ResourceType, Service, ServiceCredential,
    ServiceName, ServiceScope, ServiceScopes, WORKSPACES_MAX, WorkspaceGrant,
};
pub use ops::{
    change, create, disconnect, find, find_by_credential, may_touch, resource_type, resource_types, revoke, rotate,
};
pub use store::{STATEMENTS, list, list_credentials};
pub use tables::TABLES;
