//! The archive of an export: a zip inside an age file, written in one pass, never unencrypted on the disk.
//!
//! ```text
//! rows ── JSON, CSV ── zip ── age ── file
//! ```
//! `store/mod.rs` lists its parts. The data map says which database table is in which part.

mod activity;
mod cells;
mod files;
mod manifest;
mod store;
mod write;

pub use files::file_name;
pub(super) use files::{parse_artifact, remove, sealed_path, unfinished_path};
pub use store::{PART_STATEMENTS, PARTS, STATEMENTS};
pub use write::{SealedArchive, write};
