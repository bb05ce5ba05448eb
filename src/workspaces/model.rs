//! What a workspace is.

use crate::base::{AccountId, Role, Timestamp, WorkspaceId};

/// The owner of keys, wallet, resources and activity.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Opaque and permanent.
    pub id: WorkspaceId,
    /// `personal` or `team`.
    pub kind: String,
    /// The name in links.
    pub slug: String,
    /// The name on pages.
    pub name: String,
    /// The plan it is on: `free`.
    pub plan: String,
    /// The region of its data.
    pub region: String,
    /// The account that is responsible for it.
    pub owner: AccountId,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The membership of an account in a workspace.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The member.
    pub account: AccountId,
    /// The rights of the member.
    pub role: Role,
    /// When they became a member.
    pub joined_at: Timestamp,
}
