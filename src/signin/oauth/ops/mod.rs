//! What a person can do about other providers, each in one transaction.

mod arrive;
mod connect;
mod sign_up;
mod way;

pub use arrive::arrive;
pub(super) use connect::waiting;
pub use connect::{connect, disconnect, forget, identities, open_identities, unlink_since, ways_in};
pub use sign_up::sign_up;
pub use way::{begin, post, purge_old, take};
pub(super) use way::{posted, refuse};
