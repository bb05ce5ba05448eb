//! Why a whole batch is refused. A single invalid event has a [`super::Fault`].

use super::super::ledger::LedgerError;
use crate::base::Problem;
use crate::db;

/// A failure of a batch. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The actor is not a connected service.
    #[error("only a connected service can report usage")]
    NotAService,
    /// The actor is not the operator.
    #[error("only an operator can change how authorizations work")]
    NotAllowed,
    /// The margin or the time of a policy is not possible.
    #[error("not a policy")]
    BadPolicy,
    /// The workspace does not exist, or not for this service.
    #[error("the workspace does not exist")]
    UnknownWorkspace,
    /// The person who is responsible for the workspace is suspended.
    #[error("the account of the workspace is not active")]
    NotActive,
    /// The sku has no price.
    #[error("the sku has no price")]
    UnknownSku,
    /// The service has no such authorization.
    #[error("the authorization does not exist")]
    UnknownAuthorization,
    /// The cost is beyond the largest amount.
    #[error("the cost is beyond the largest amount")]
    TooLarge,
    /// The ledger refused a charge.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database returned an error.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::NotAService => Problem::new(
                403,
                "not_a_service",
                "Only a connected service can do this. Use the credential of the service.",
            ),
            UsageError::NotAllowed => {
                Problem::new(403, "not_allowed", "Only an operator can change this. Ask your operator.")
            }
            UsageError::BadPolicy => Problem::new(
                422,
                "bad_policy",
                "The margin must be 0 to 100 percent, and the time a minute to a year. Correct them.",
            ),
            UsageError::UnknownWorkspace => {
                let sentence = "There is no such workspace, or this service may not use it. Check its id.";
                Self { field: Some("workspace"), ..Self::new(404, "workspace_not_found", sentence) }
            }
            UsageError::NotActive => {
                let sentence = "The account of this workspace is not active. Nothing can be authorized for it now.";
                Self { field: Some("workspace"), ..Self::new(403, "account_not_active", sentence) }
            }
            UsageError::UnknownSku => {
                Problem::field("sku", "unknown_sku", "This sku has no price. Ask your operator to add one.")
            }
            UsageError::UnknownAuthorization => {
                let sentence = "You have no such authorization. Send the one that you were given.";
                Self { field: Some("authorization"), ..Self::new(404, "authorization_not_found", sentence) }
            }
            UsageError::TooLarge => {
                let sentence = "This costs more than the largest amount, 1,000,000,000 credits. Ask for less.";
                Self { field: Some("quantity"), ..Self::new(422, "too_large", sentence) }
            }
            UsageError::Ledger(error) => error.into(),
            UsageError::Db(error) => error.into(),
        }
    }
}
