//! **For:** the other programs of the platform, which verify keys and tokens here and report usage.
//! **Words:** service, service credential (`dos_…`).
//! **Tables:** `service`.
//! **Never:** stores a credential; tells one service about another.
//! **Start reading:** [`create`].

pub mod api;
mod callers;
mod error;
mod events;
mod model;
mod ops;
mod store;
mod tables;

pub use callers::{Caller, Callers};
pub use error::ServiceError;
pub use events::ServiceEvent;
pub use model::{CREDENTIAL_PREFIX, Service, ServiceName};
pub use ops::{create, find_by_credential};
pub use store::STATEMENTS;
pub use tables::TABLES;
