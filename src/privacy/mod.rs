//! **For:** a person's rights over their data: take all of it along, or have all of it deleted.
//! **Words:** export (request, archive, artifact, link), recipient, erasure, receipt, tombstone, erasure journal, data map.
//! **Tables:** `data_request`, `export_artifact`, `export_link`, `tombstone`.
//! **Never:** writes anything of an export unsealed; puts a secret into one; forgets a table (see `data_map`).
//! **Start reading:** `data_map.rs`, then [`request_export`] and [`erase`].

mod archive;
pub mod data_map;
mod error;
pub mod flows;
pub mod jobs;
mod left_out;
mod mails;
mod model;
mod ops;
pub mod pages;
mod store;
pub mod tombstones;

pub use archive::{PARTS, STATEMENTS as ARCHIVE_STATEMENTS};
pub use error::PrivacyError;
pub use model::{Artifact, Download, Export, ExportState, Link, PUBLISH, Receipt};
pub use ops::{
    DOWNLOADS_LIFE, EXPORTS_A_DAY_MAX, erase, export_link, exports_of, find_by_link, last_tombstone, note_download,
    request_export, verify_tombstones,
};
pub use store::STATEMENTS;

/// To whom an export is sealed.
pub use crate::crypto::age_file::Recipient as ExportRecipient;
