//! What can be done with resources.

mod activity;
mod forget;
mod items;
mod leases;
mod leftovers;
mod limits;
mod notices;
mod permission;
mod purge;
mod register;
mod service_side;
mod storage;
mod stored;
mod sync;
mod trash;

pub use super::store::list_followers;
pub(super) use super::store::{
    count_cascaded, list_cascaded, list_trash_sums as trash_sums, list_workspaces as list_counted,
};
pub(super) use super::store::{list_below, list_below_in_state};
pub use activity::report_activity;
pub use forget::forget;
pub use items::list_items;
pub use leases::{commit, expire_leases, grant_lease, release, renew};
pub use leftovers::{leftovers, trash_leftovers};
pub use limits::check_limits;
pub use notices::{is_notice_due, send_storage_notice};
pub use purge::{PURGE_ACKNOWLEDGED, forget_names_of_deleted, free_unanswerable, purge_due, send_purges};
pub use register::{delete_by_service, find_of_service, list_of_service, parent_of, put, put_batch};
pub use storage::{count, is_counted_right, recalculate, storage, used_bytes, used_items};
pub use sync::{end_sync, finish_sync, repeated_end};
pub use trash::{
    delete_for_good, empty_trash, find_in_trash, list_trash, list_trash_kinds, move_followers, restore, trash,
};
