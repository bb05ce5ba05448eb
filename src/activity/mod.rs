//! **For:** showing people the events of their account.
//! **Words:** activity (the audit events of an account, in words for people), event, catalogue (all types of events).
//! **Tables:** none: it reads the audit.
//! **Never:** changes anything; shows events of another workspace; shows an action as done that was denied.
//! **Start reading:** `model.rs`.

mod catalogue;
mod changes;
mod model;
mod ops;
pub mod pages;

pub use catalogue::CATALOGUE;
pub use model::{Activity, ActivityFilter, ActivityPage, outcome_label, title};
pub use ops::{DOWNLOAD_MAX, list};
