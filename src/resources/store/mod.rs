//! All SQL about resources. The triggers of the migration keep the counts and the storage of a workspace.

mod counts;
mod leases;
mod lists;
mod purging;
mod rows;
mod sync;
mod trash;

pub(super) use counts::{
    counted, delete_counts, find_count, find_notice, list_storage, list_trash_sums, list_workspaces, replace_counts,
    replace_notice, stored_counts,
};
pub(super) use leases::{
    delete_leases, delete_old_leases, expire, expire_of_workspace, find_lease, insert_lease, update_expires,
    update_lease_ended,
};
pub(super) use lists::{
    ServiceFilter, count_active, list_active_keys, list_active_roots, list_items, list_largest, list_of_service,
};
pub(super) use purging::{
    is_last, list_below, list_below_in_state, list_due, list_purging, list_purging_of, list_purging_services,
    list_purging_services_of, list_to_purge,
};
pub(super) use rows::{
    Placement, digest_of, find, find_external, find_purged, insert, insert_purged, list_all_named_purged,
    list_cascade_keys, list_named_purged, list_tree_keys, update, update_alone, update_back_in_trash, update_erased,
    update_following, update_ordered, update_purged, update_purging, update_restored, update_seen, update_trashed,
};
pub(super) use sync::{find_sync, replace_sync, update_missing};
pub(super) use trash::{count_cascaded, count_trash, list_cascaded, list_trash, list_trash_ids, list_trash_kinds};

pub use counts::{STATEMENTS as COUNT_STATEMENTS, count_unconfirmed, list_services_keeping};
pub use leases::STATEMENTS as LEASE_STATEMENTS;
pub use lists::{STATEMENTS as LIST_STATEMENTS, count_active_of};
pub use purging::{STATEMENTS as PURGING_STATEMENTS, list_followers};
pub use rows::STATEMENTS as ROW_STATEMENTS;
pub use sync::STATEMENTS as SYNC_STATEMENTS;
pub use trash::STATEMENTS as TRASH_STATEMENTS;
