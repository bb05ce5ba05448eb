//! **For:** mails about credit, once each: it runs low, an allowance is nearly spent, it expires soon.
//! **Words:** notice (one such mail), share (of the allowance of a month that is spent).
//! **Tables:** `credit_expiry_notice`, and `told_percent` of `credit_allowance`.
//! **Never:** mails twice about the same; changes credit.
//! **Start reading:** `model.rs`, then [`send_expiry_notices`].

mod mails;
mod model;
mod ops;
mod store;
mod tables;

pub(in crate::billing) use ops::note_charge;
pub use ops::{forget_past, send_allowance_notices, send_expiry_notices};
pub use store::STATEMENTS;
pub(in crate::billing) use store::delete_of_workspace as forget;
pub use tables::TABLES;
