//! The pages about credit.

mod billing;
mod transactions;
mod usage;

pub use billing::{billing, redeem};
pub use transactions::download;
pub use usage::usage;

/// The billing page.
const PATH: &str = "/settings/billing";
