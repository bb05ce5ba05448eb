//! The tables of resources: each column once, with its tags.

use crate::db::{Cell, DERIVED, EVIDENCE, Erasure, LINK, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] =
    &[RESOURCE, WORKSPACE_STORAGE, WORKSPACE_COUNT, RESOURCE_LEASE, RESOURCE_SYNC, PURGED_RESOURCE, STORAGE_NOTICE];

/// Why a row without its names is kept after an erasure.
const UNTIL_DELETED: &str = "what services still have must be deleted there too, and it has to be known that it was; the row \
    has only opaque ids by then (GDPR Art. 17(1), Art. 5(2))";

table! {
    /// What services keep for people.
    pub(crate) RESOURCE: "resource" {
        part: Some("workspaces/{workspace}/resources"), erasure: Erasure::Empties(UNTIL_DELETED)
    }
    id = exported(Cell::Text);
    kind = exported(Cell::Text);
    external_id = exported(Cell::Text).personal("tells its service what to delete, until it has").emptied();
    name = exported(Cell::Text).personal("tells resources apart").emptied();
    slug = exported(Cell::Text).personal("the name in addresses").emptied();
    size_bytes = exported(Cell::Number);
    state = exported(Cell::Text);
    state_at = exported(Cell::Time);
    purge_after = exported(Cell::Time).ends().set_later();
    parent_id = exported(Cell::Text).named("parent");
    created_at = exported(Cell::Time);
    updated_at = exported(Cell::Time);
    service_id = left_out(LINK);
    workspace_id = left_out(LINK);
    count_key = left_out(DERIVED);
    category = left_out(DERIVED);
    version = left_out(STATE);
    cascade_root = left_out(LINK).set_later();
    purge_command = left_out(STATE).set_later();
    generation = left_out(STATE);
    missing_at = left_out(STATE).set_later();
}

table! {
    /// The bytes that a workspace uses, by category.
    pub(crate) WORKSPACE_STORAGE: "workspace_storage" { part: None, erasure: Erasure::Deletes }
    workspace_id = left_out(LINK);
    category = left_out(DERIVED);
    size_bytes = left_out(DERIVED);
    items = left_out(DERIVED);
    reserved_bytes = left_out(DERIVED);
}

table! {
    /// How many things a workspace has, by limit.
    pub(crate) WORKSPACE_COUNT: "workspace_count" { part: None, erasure: Erasure::Deletes }
    workspace_id = left_out(LINK);
    count_key = left_out(DERIVED);
    used = left_out(DERIVED);
    reserved = left_out(DERIVED);
    trashed = left_out(DERIVED);
    trashed_roots = left_out(DERIVED);
    trashed_bytes = left_out(DERIVED);
}

table! {
    /// Places that services reserved.
    pub(crate) RESOURCE_LEASE: "resource_lease" {
        part: None, kept: "30 days after its end", erasure: Erasure::Deletes
    }
    id = left_out(STATE);
    service_id = left_out(LINK);
    workspace_id = left_out(LINK);
    kind = left_out(STATE);
    count_key = left_out(STATE);
    category = left_out(STATE);
    quantity = left_out(STATE);
    size_bytes = left_out(STATE);
    created_at = left_out(STATE);
    expires_at = left_out(STATE).ends();
    state = left_out(STATE);
    ended_at = left_out(STATE).ages().set_later();
}

table! {
    /// The full syncs of services.
    pub(crate) RESOURCE_SYNC: "resource_sync" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(STATE);
    generation = left_out(STATE);
    ended_at = left_out(STATE);
    digest = left_out(STATE);
    answer = left_out("how many resources were registered, and why others were not");
}

table! {
    /// The ids of resources that were deleted for good.
    pub(crate) PURGED_RESOURCE: "purged_resource" {
        part: None,
        erasure: Erasure::Keeps("so that what was deleted for good never comes back (GDPR Art. 5(2), 17(1)): digests under a secret \
            key, and opaque ids"),
    }
    service_id = left_out(LINK);
    digest = left_out(EVIDENCE);
    resource_id = left_out(LINK);
    purged_at = left_out(STATE);
}

table! {
    /// What owners were mailed about their storage.
    pub(crate) STORAGE_NOTICE: "storage_notice" { part: None, erasure: Erasure::Deletes }
    workspace_id = left_out(LINK);
    percent = left_out(STATE);
}
