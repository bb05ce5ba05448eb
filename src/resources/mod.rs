//! **For:** what services keep for people: models, datasets, projects, deployments; their storage, limits and trash.
//! **Words:** resource, type, plan and limit, lease (a reserved place), trash, purging (the service was asked to delete it).
//! **Tables:** `resource`, `workspace_storage`, `workspace_count`, `resource_lease`, `resource_sync`,
//! `purged_resource`, `storage_notice`.
//! **Never:** frees what a service has not confirmed to be deleted; lets an id come back; counts outside the triggers.
//! **Start reading:** `model/mod.rs`, then [`put`] and [`trash`].

pub mod api;
mod error;
mod events;
mod flashes;
pub mod flows;
pub mod jobs;
mod mails;
mod model;
mod ops;
pub mod pages;
pub mod replay;
mod store;
mod tables;

pub use error::ResourceError;
pub use events::ResourceEvent;
pub use flashes::ResourceFlash;
pub use model::{
    ActivityAction, BATCH_MAX, BatchResult, CASCADE_STEP, Category, CategoryUse, Change, DEPTH_MAX, ExternalId, Fill,
    Follower, Item, ItemFilter, ItemPage, LEASE_DEFAULT, LEASE_MAX, LEASE_QUANTITY_MAX, LargeItem, Lease, LeaseState,
    Leftover, LimitAnswer, NO_LIMIT, NUMBER_MAX, NewActivity, NewLease, NewResource, ParentName, Part, Rejected,
    Resource, ResourceKind, ResourceName, Slug, Standing, State, Storage, TRASH_KEPT, TrashFilter, TrashItem,
    TrashKind, TrashPage, TrashSum,
};
pub use ops::{
    PURGE_ACKNOWLEDGED, check_limits, commit, count, delete_by_service, delete_for_good, empty_trash, end_sync,
    expire_leases, find_in_trash, find_of_service, finish_sync, forget, forget_names_of_deleted, free_unanswerable,
    grant_lease, is_counted_right, is_notice_due, leftovers, list_followers, list_items, list_of_service, list_trash,
    list_trash_kinds, move_followers, parent_of, purge_due, put, put_batch, recalculate, release, renew,
    report_activity, restore, send_purges, send_storage_notice, storage, trash, trash_leftovers, used_bytes,
    used_items,
};
pub use store::{
    COUNT_STATEMENTS, LEASE_STATEMENTS, LIST_STATEMENTS, PURGING_STATEMENTS, ROW_STATEMENTS, SYNC_STATEMENTS,
    TRASH_STATEMENTS, count_active_of, count_unconfirmed, list_services_keeping as services_keeping,
};
pub(crate) use tables::RESOURCE;
pub use tables::TABLES;
