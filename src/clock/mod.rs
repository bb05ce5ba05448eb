//! **For:** a clock that is set, forward or back, while the appliance runs or is stopped.
//! **Words:** step (how the clock was set), ahead (set forward without a confirmation), grace (nothing is deleted yet).
//! **Tables:** `clock`, which `db` declares. It moves times in the tables of other slices, as their `tables.rs` say.
//! **Never:** changes the audit, the ledger or a date that a person chose; deletes anything.
//! **Start reading:** `base/clock.rs`, then [`follow`] and [`begin`].

mod flows;
mod model;
mod ops;
mod store;

pub use flows::{begin, confirm, follow, is_deletion_allowed, report};
pub use model::{GRACE, grace_end};
pub use ops::{confirm_step, record_start, record_step};
