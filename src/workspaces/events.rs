//! The events of workspaces.

use crate::audit::{EventType, Fact, events};

events! {
    /// What happens to workspaces.
    WorkspaceEvent {
        Created = "workspace.created": EventType::for_workspace().done("Workspace created"),
        PlanChanged = "workspace.plan_changed": EventType::for_workspace().done("Plan changed").lasts().facts(&[Fact::CHANGE]),
    }
}
