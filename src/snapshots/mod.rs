//! **For:** the one file that backup jobs copy: complete, consistent, encrypted, and replaced atomically.
//! **Words:** snapshot (the published file), stamp (a row inside that describes it), manifest (the same as JSON, next to it).
//! **Tables:** `snapshot_stamp`.
//! **Never:** writes into the published file; publishes a file that is not verified; needs the manifest to verify.
//! **Start reading:** [`publish`], then `verify.rs`.

mod continuation;
mod error;
pub mod jobs;
mod live;
mod model;
mod noted;
mod publish;
mod store;
mod verify;

pub use continuation::{Head, Published, continues, delete_stamp, find_stamp, head, read_published};
pub use error::{Damage, SnapshotError};
pub use live::find_live_damage;
pub use model::{Manifest, Report, Stamp};
pub use noted::{note_head, read_noted};
pub use publish::{age_max, check_age, clean_up, publish, publish_when_changed, stamp_copy};
pub use store::STATEMENTS;
pub use verify::verify_file;
