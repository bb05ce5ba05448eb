//! **For:** the platform's other programs: who may ask about keys and tokens, and report usage.
//! **Words:** service, service credential (`dos_…`).
//! **Tables:** `service`.
//! **Never:** keeps a credential; tells one service about another.
//! **Start reading:** [`create`].

pub mod api;
mod callers;
mod error;
mod model;
mod ops;
mod store;

pub use callers::{Caller, Callers};
pub use error::ServiceError;
pub use model::{CREDENTIAL_PREFIX, Service, ServiceName};
pub use ops::{create, find_by_credential};
pub use store::STATEMENTS;
