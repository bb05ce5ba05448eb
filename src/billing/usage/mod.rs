//! **For:** turning what services report into charges: each event once, priced, exact to the last fraction.
//! **Words:** event, source, sku, meter (what a workspace's use of one sku cost so far), fault.
//! **Tables:** `usage_event`, `usage_meter`.
//! **Never:** refuses an event for want of credit; lets one bad event spoil a batch; counts an event twice.
//! **Start reading:** [`record_batch`].

mod error;
mod model;
mod ops;
mod store;

pub use error::UsageError;
pub use model::{BATCH_EVENTS_MAX, BatchAnswer, EventName, Fault, Meter, NewEvent, Rejected};
pub use ops::record_batch;
pub use store::STATEMENTS;
