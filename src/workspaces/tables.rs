//! The tables of workspaces: each column once, with its tags.

use crate::db::{Cell, Erasure, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[WORKSPACE, MEMBERSHIP];

table! {
    /// Workspaces.
    pub(crate) WORKSPACE: "workspace" { part: Some("workspaces/{workspace}/workspace"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    kind = exported(Cell::Text);
    slug = exported(Cell::Text).personal("names the workspace in addresses");
    name = exported(Cell::Text).personal("names the workspace");
    plan = exported(Cell::Text);
    region = exported(Cell::Text);
    owner_id = exported(Cell::Text).named("owner");
    state = exported(Cell::Text);
    created_at = exported(Cell::Time);
}

table! {
    /// Who is in a workspace.
    pub(crate) MEMBERSHIP: "membership" { part: Some("workspaces/{workspace}/members"), erasure: Erasure::Deletes }
    account_id = exported(Cell::Text).named("account");
    role = exported(Cell::Text);
    joined_at = exported(Cell::Time);
    workspace_id = left_out("in the name of the file");
}
