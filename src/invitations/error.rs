//! Errors about invitations.

use crate::accounts::AccountError;
use crate::base::Problem;
use crate::db;

/// Why an operation on invitations was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// There is no such invitation, or the actor is not an operator.
    #[error("no such invitation")]
    NotFound,
    /// The address belongs to an account.
    #[error("the address belongs to an account")]
    EmailTaken,
    /// The link is unknown, used, withdrawn or expired.
    #[error("the link was refused")]
    LinkRefused,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<InvitationError> for Problem {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::NotFound => Problem::new(
                404,
                "invitation_unknown",
                "There is no such invitation. `domicile account invitations` lists the pending ones.",
            ),
            InvitationError::EmailTaken => AccountError::EmailTaken.into(),
            InvitationError::LinkRefused => Problem::new(
                400,
                "invitation_refused",
                "This invitation was used or withdrawn, or has expired. Ask your operator for a new one.",
            ),
            InvitationError::Db(error) => error.into(),
        }
    }
}
