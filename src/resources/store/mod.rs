//! All SQL about resources. The triggers of the migration keep the counts and the storage of a workspace.

mod counts;
mod leases;
mod lists;
mod rows;

pub(super) use counts::{
    counted, delete_counts, find_count, list_storage, list_trash_sums, list_workspaces, replace_counts, stored_counts,
};
pub(super) use leases::{
    delete_leases, delete_old_leases, expire, expire_of_workspace, find_lease, insert_lease, update_expires,
    update_lease_ended,
};
pub(super) use lists::{
    ServiceFilter, count_trash, find_sync, list_cascaded, list_due, list_items, list_largest, list_of_service,
    list_purging, list_purging_services, list_to_purge, list_trash, list_trash_ids, list_trash_kinds, replace_sync,
    update_missing,
};
pub(super) use rows::{
    Placement, find, find_external, insert, update, update_back_in_trash, update_erased, update_ordered, update_purged,
    update_purging, update_restored, update_seen, update_trashed,
};

pub use counts::STATEMENTS as COUNT_STATEMENTS;
pub use leases::STATEMENTS as LEASE_STATEMENTS;
pub use lists::STATEMENTS as LIST_STATEMENTS;
pub use rows::STATEMENTS as ROW_STATEMENTS;
