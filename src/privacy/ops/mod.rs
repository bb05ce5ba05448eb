//! The operations of exports and erasures.

mod erase;
mod export;
mod finish;

pub(super) use erase::erase_pending;
pub use erase::{erase, erase_again};
pub use export::{
    DOWNLOAD_LINK_TTL, EXPORTS_A_DAY_MAX, export_link, find_by_link, list_exports, record_download, request_export,
};
pub(super) use export::{begin, fail_stale, finish, open_recipient, sweep};
pub use finish::{erasures_without_trace, pending_erasures};
pub(super) use finish::{log_emptied, snapshot_replaced};
