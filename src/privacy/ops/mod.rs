//! What a person can ask for about their data.

mod erase;
mod export;

pub(super) use erase::erase_pending;
pub use erase::{erase, last_tombstone, verify_tombstones};
pub use export::{
    DOWNLOADS_LIFE, EXPORTS_A_DAY_MAX, export_link, exports_of, find_by_link, note_download, request_export,
};
pub(super) use export::{begin, fail_stale, finish, kept_files, open_recipient, progress, sweep};
