//! **For:** credit: balances, grants and charges.
//! **Words:** credit, wallet, signup credit, grant, charge, statement, usage.
//! **Tables:** none of its own; its modules have them.
//! **Never:** uses a float for an amount; changes what was posted; decides who may see a wallet (pages and API do).
//! **Start reading:** [`ledger`], then [`usage`].

pub mod allowances;
pub mod api;
mod error;
mod events;
mod flashes;
mod jobs;
pub mod ledger;
mod model;
pub mod notices;
mod ops;
pub mod pages;
pub mod spending;
pub mod transactions;
pub mod usage;
pub mod vouchers;

pub use error::BillingError;
pub use events::BillingEvent;
pub use flashes::BillingFlash;
pub use jobs::{
    CLOSE_DISCONNECTED, CREDIT_NOTICES, EXPIRE_HOLDS, EXPIRE_LOTS, GRANT_ALLOWANCES, close_disconnected, expire_holds,
    expire_lots, grant_allowances, send_notices,
};
pub use model::REASON_CHARS_MAX;
pub use ops::{Wallet, forget, grant_by_operator, signup_credit, wallet};
