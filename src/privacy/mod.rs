//! **For:** a person's rights over their data: export all of it, or have all of it erased.
//! **Words:** export (request, archive, artifact, link), recipient, erasure, receipt, data map.
//! **Tables:** `data_request`, `export_artifact`, `export_link`, `erasure_pending`, `erasure`, `erasure_service`.
//! **Never:** writes an export unencrypted; puts a secret into an export; omits a table (see `data_map`).
//! **Start reading:** `data_map.rs`, then [`request_export`] and [`erase`]; `erasures/` for what services do about it.

mod archive;
pub mod data_map;
pub mod erasures;
mod error;
mod events;
mod flashes;
pub mod flows;
pub mod jobs;
mod mails;
mod model;
mod ops;
pub mod pages;
mod store;
mod tables;

pub use archive::{PART_STATEMENTS, PARTS, STATEMENTS as ARCHIVE_STATEMENTS};
pub use erasures::STATEMENTS as ERASURE_STATEMENTS;
pub use error::PrivacyError;
pub use events::PrivacyEvent;
pub use flashes::PrivacyFlash;
pub use model::{Artifact, Download, Export, ExportState, Link, PUBLISH, PendingErasure, Receipt};
pub use ops::{
    DOWNLOAD_LINK_TTL, EXPORTS_A_DAY_MAX, erase, erase_again, erasures_without_trace, export_link, find_by_link,
    list_exports, pending_erasures, record_download, request_export,
};
pub use store::{STATEMENTS, delete_all_links as end_export_links};

/// The passphrase or public key that an export is encrypted to.
pub use crate::crypto::age_file::Recipient as ExportRecipient;
pub use tables::TABLES;
