//! **For:** monthly allowances: so much credit each month, and what is left of it expires.
//! **Words:** allowance, monthly grant, month (of the calendar, in UTC).
//! **Tables:** `credit_allowance`.
//! **Never:** grants a month twice; makes up for a month in which the appliance was stopped.
//! **Start reading:** [`set`], then [`grant_due`].

mod model;
mod ops;
pub mod replay;
mod store;
mod tables;

pub use model::Allowance;
pub use ops::{grant_due, set};
pub(in crate::billing) use store::delete as forget;
pub use store::{STATEMENTS, find};
pub(crate) use tables::CREDIT_ALLOWANCE;
pub use tables::TABLES;
