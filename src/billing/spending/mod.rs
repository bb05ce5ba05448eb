//! **For:** what usage cost by day or month, and where it went.
//! **Words:** period (days from one to another), bar (a day or a month of it), share (of a price, a service or a key).
//! **Tables:** reads `usage_day`.
//! **Never:** reads events.
//! **Start reading:** `model.rs`, then [`read`].

mod model;
mod ops;
mod store;

pub use model::{Bar, GroupBy, Period, Share, Spending, Step};
pub use ops::read;
pub use store::STATEMENTS;
