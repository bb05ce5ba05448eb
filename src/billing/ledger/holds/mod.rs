//! **For:** credit that is reserved for usage that has not happened yet, so that nobody spends it twice.
//! **Words:** hold, capture (charge usage to a hold), close (settled, released or expired), reserved, available.
//! **Tables:** `credit_hold`, `credit_hold_lot`; triggers move the bounds of `ledger_balance` by them.
//! **Never:** reserves credit that is not there; lets a wallet have debt while credit is free; opens a closed hold.
//! **Start reading:** [`reserve`], then [`capture`].

mod model;
mod ops;
mod store;

pub use model::{Hold, HoldState, NewHold};
pub(in crate::billing) use ops::capture;
pub(super) use ops::release_due_of;
pub use ops::{available, close, expire_holds, reserve};
pub use store::{STATEMENTS, find, reserved};
