//! The errors of workspaces, and the sentences about them.

use crate::base::Problem;
use crate::db;

/// An error of an operation on workspaces.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// There is no such workspace.
    #[error("there is no such workspace")]
    NotFound,
    /// The actor is no operator.
    #[error("only an operator may do this")]
    NotAllowed,
    /// The settings have no such plan.
    #[error("there is no such plan")]
    UnknownPlan {
        /// The codes of those that the settings have.
        known: Vec<String>,
    },
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<WorkspaceError> for Problem {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::NotFound => {
                Self::new(404, "workspace_not_found", "There is no workspace with this id. Check its id.")
            }
            WorkspaceError::NotAllowed => {
                Self::new(403, "not_allowed", "Only an operator can change the plan of a workspace. Ask your operator.")
            }
            WorkspaceError::UnknownPlan { known } => {
                let known = known.join(", ");
                let sentence =
                    format!("There is no such plan. The plans are {known}. [[plans]] in the settings adds others.");
                Self::field("plan", "unknown_plan", sentence)
            }
            WorkspaceError::Db(error) => error.into(),
        }
    }
}
