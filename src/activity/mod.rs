//! **For:** showing people what happened in their account.
//! **Words:** activity (a reading of the audit for people), event.
//! **Tables:** none: it reads the audit.
//! **Never:** changes anything; shows one workspace another's events.
//! **Start reading:** `pages.rs`.

mod model;
pub mod pages;

pub use model::title_of;
