//! What can be wrong with an invitation.

use crate::accounts::AccountError;
use crate::base::Problem;
use crate::db;

/// A refusal or failure about invitations.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// There is no such invitation, or the asker has nothing to do with them.
    #[error("no such invitation")]
    NotFound,
    /// The address has an account.
    #[error("the address belongs to an account")]
    EmailTaken,
    /// The link is unknown, used, withdrawn or too old.
    #[error("the link is not good")]
    LinkRefused,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<InvitationError> for Problem {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::NotFound => Problem::new(
                404,
                "invitation_unknown",
                "There is no such invitation. `domicile account invitations` lists those that wait.",
            ),
            InvitationError::EmailTaken => AccountError::EmailTaken.into(),
            InvitationError::LinkRefused => Problem::new(
                400,
                "invitation_refused",
                "This invitation was used or withdrawn, or is too old. Ask your operator for a new one.",
            ),
            InvitationError::Db(error) => error.into(),
        }
    }
}
