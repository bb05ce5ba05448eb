//! The operations of sign-in with another provider, one transaction each.

mod authorization;
mod callback;
mod connect;
mod connections;
mod sign_up;

pub use authorization::{begin, consume, keep_posted, purge_old};
pub(super) use authorization::{find_posted, refuse};
pub use callback::complete;
pub(super) use connect::pending_identity;
pub use connect::{connect, disconnect, unlink_since, usable_identities};
pub use connections::connections;
pub use sign_up::sign_up;
