//! **For:** credit: who has how much, what they were given, what they used.
//! **Words:** credit, wallet, signup credit, grant, charge, statement, usage.
//! **Tables:** none of its own; its rooms [`ledger`] and [`usage`] have them.
//! **Never:** touches a float; changes what was posted; knows who may see a wallet (the doors ask).
//! **Start reading:** [`ledger`], then [`usage`].

pub mod api;
mod error;
mod jobs;
pub mod ledger;
mod ops;
pub mod pages;
pub mod usage;

pub use error::BillingError;
pub use jobs::{EXPIRE_LOTS, expire_lots};
pub use ops::{REASON_CHARS_MAX, forget, grant_by_operator, signup_credit};
