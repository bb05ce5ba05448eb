//! **For:** the other programs of the platform, which verify keys and tokens here and report usage.
//! **Words:** service, service credential (`dos_…`).
//! **Tables:** `service`, `service_credential`.
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
pub use model::{CREDENTIAL_PREFIX, IssuedCredential, Service, ServiceCredential, ServiceName};
pub use ops::{create, find, find_by_credential, revoke, rotate};
pub use store::{STATEMENTS, list, list_credentials};
pub use tables::TABLES;
