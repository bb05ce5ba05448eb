//! **For:** asking before spending: a service authorizes usage, reports it while it runs, and settles at the end.
//! **Words:** authorization, quote (what it would cost), policy (whether a service's authorizations reserve credit), settle,
//! release.
//! **Tables:** `usage_authorization`, `usage_policy`. The reserved credit is in a hold of the ledger with the same id.
//! **Never:** charges another price than the one that was authorized; lets two authorizations have the same credit.
//! **Start reading:** [`authorize`], then [`settle`].

mod model;
mod ops;
mod store;

pub use model::{Authorization, AuthorizationState, Closed, Mode, Policy, PolicyChange, Quote, UsageRequest};
pub use ops::{authorize, change_policy, close_disconnected, policy, quote, release, release_by_operator, settle};
pub use store::{STATEMENTS, count_reserving};
pub(super) use store::{exists, find_of_service, update_meter};
