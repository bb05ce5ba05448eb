//! **For:** the one file that backup jobs copy: whole, consistent, encrypted, and replaced in one instant.
//! **Words:** snapshot (the published file), stamp (what it says of itself, inside), manifest (the same for people, beside it).
//! **Tables:** `snapshot_stamp`.
//! **Never:** writes into the published file; publishes what it has not verified; needs the manifest to verify.
//! **Start reading:** [`publish`], then `verify.rs`.

mod error;
pub mod jobs;
mod model;
mod publish;
mod store;
mod verify;

pub use error::{Damage, SnapshotError};
pub use model::{Manifest, Report, Stamp};
pub use publish::{clean_up, publish, publish_when_changed};
pub use store::STATEMENTS;
pub use verify::verify_file;
