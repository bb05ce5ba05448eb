//! What services tell people about their resources.

use super::{ExternalId, ResourceName};
use crate::base::WorkspaceId;

macro_rules! actions {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// What happened (the reference's list).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum ActivityAction { $($variant),+ }

        impl ActivityAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Reads the form of [`ActivityAction::as_str`]. `None`: there is no such action.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|action| action.as_str() == text)
            }
        }
    };
}

actions! {
    Created = "created",
    Updated = "updated",
    Deleted = "deleted",
    Trashed = "trashed",
    Restored = "restored",
    Started = "started",
    Completed = "completed",
    Failed = "failed",
    Cancelled = "cancelled",
    Uploaded = "uploaded",
    Shared = "shared",
    Unshared = "unshared",
    Exported = "exported",
    Cloned = "cloned",
    Analyzed = "analyzed",
}

/// Something that a service reports for the activity of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewActivity {
    #[allow(missing_docs)]
    pub workspace: WorkspaceId,
    /// The name of a type of resources, or `training`.
    pub kind: String,
    #[allow(missing_docs)]
    pub action: ActivityAction,
    /// The service's id of the resource. `None`: it is about none.
    pub resource: Option<ExternalId>,
    /// What people call it. `None`: as the resource is called.
    pub name: Option<ResourceName>,
}
