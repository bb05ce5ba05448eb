//! The operations on services.

mod access;
mod credentials;
mod enrolment;
mod gateways;
mod manifest;
mod queries;
mod webhook;

pub(super) use access::end_without_event;
pub use access::{change, disconnect};
pub(super) use credentials::end;
pub use credentials::{create, revoke, rotate};
pub use enrolment::{create_enrol_code, create_enrol_code_of, enrol};
pub(super) use gateways::{NotGranted, find_person, is_own_hop, may_ask};
pub use manifest::{manifest, put_manifest};
pub use queries::{find, find_by_credential, may_touch, resource_type, resource_types};
pub(super) use queries::{record_seen, valid_credentials};
pub use webhook::{ping, rotate_webhook_secret, set_webhook};
