//! What a workspace is.

use crate::base::{AccountId, Role, Timestamp, WorkspaceId};

/// Owner of keys, wallet, resources and activity.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Opaque, for ever.
    pub id: WorkspaceId,
    /// `personal` or `team`.
    pub kind: String,
    /// Its name in links.
    pub slug: String,
    /// Its name on pages.
    pub name: String,
    /// The plan it is on: `free`.
    pub plan: String,
    /// The region its data is in.
    pub region: String,
    /// Who answers for it.
    pub owner: AccountId,
    /// Since when.
    pub created_at: Timestamp,
}

/// Somebody's place in a workspace.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Who.
    pub account: AccountId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}
