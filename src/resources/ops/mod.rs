//! What can be done with resources.

mod activity;
mod forget;
mod items;
mod leases;
mod limits;
mod permission;
mod purge;
mod register;
mod service_side;
mod storage;
mod stored;
mod sync;
mod trash;

pub(super) use super::store::{list_cascaded, list_trash_sums as trash_sums, list_workspaces as list_counted};
pub use activity::report_activity;
pub use forget::forget;
pub use items::list_items;
pub use leases::{commit, expire_leases, grant_lease, release, renew};
pub use limits::check_limits;
pub use purge::{PURGE_ACKNOWLEDGED, free_unanswerable, purge_due, send_purges};
pub use register::{delete_by_service, find_of_service, list_of_service, parent_of, put, put_batch};
pub use storage::{count, is_counted_right, recalculate, storage, used_bytes, used_items};
pub use sync::end_sync;
pub use trash::{delete_for_good, empty_trash, find_in_trash, list_trash, list_trash_kinds, restore, trash};
