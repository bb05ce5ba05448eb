//! The operations on services.

mod access;
mod credentials;
mod gateways;
mod queries;

pub(super) use access::end_without_event;
pub use access::{change, disconnect};
pub(super) use credentials::end;
pub use credentials::{create, revoke, rotate};
pub(super) use gateways::{NotGranted, find_person, is_own_hop, may_ask};
pub(super) use queries::valid_credentials;
pub use queries::{find, find_by_credential, may_touch, resource_type, resource_types};
