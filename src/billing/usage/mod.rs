//! **For:** charges for the usage that services report: each event counted once and priced exactly.
//! **Words:** event, source, sku, meter (the cost so far of a workspace's usage of one sku), fault,
//! watermark (up to when acknowledged usage is certainly stored).
//! **Tables:** `usage_event`, `usage_meter`, and those of [`authorizations`].
//! **Never:** refuses an event for lack of credit; rejects a batch because of one bad event; counts an event twice.
//! **Start reading:** [`record_batch`].

pub mod authorizations;
mod error;
mod model;
mod ops;
mod store;
mod tables;

pub use error::UsageError;
pub use model::{BATCH_EVENTS_MAX, BatchResult, EventName, Fault, Meter, NewEvent, Rejection, Watermark};
pub use ops::{Recorded, Report, record_batch, record_reports, watermark};
pub use store::STATEMENTS;
pub use tables::TABLES;
pub(crate) use tables::{USAGE_AUTHORIZATION, USAGE_EVENT};
