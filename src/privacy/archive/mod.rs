//! The archive a person takes along: a zip inside an age file, written in one pass, never plain on the disk.
//!
//! ```text
//! rows ── JSON, CSV ── zip ── age ── file
//! ```
//! Its parts are one table in `store.rs`; the data map says which table of the database is in which part.

mod activity;
mod cells;
mod files;
mod manifest;
mod store;
mod write;

pub use files::file_name;
pub(super) use files::{artifact_of, remove, sealed_path, unfinished_path};
pub use store::{PARTS, STATEMENTS};
pub use write::{Sealed, write};
