//! **For:** showing people the events of their account.
//! **Words:** activity (the audit events of an account, in words for people), event.
//! **Tables:** none: it reads the audit.
//! **Never:** changes anything; shows events of another workspace.
//! **Start reading:** `pages.rs`.

mod model;
pub mod pages;

pub use model::title_of;
