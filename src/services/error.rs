//! The errors of services, and the sentences about them.

use crate::base::Problem;
use crate::db;

/// An error of an operation on services.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name is empty, too long, or has other characters than allowed.
    #[error("not a service name")]
    Name,
    /// A service with this name exists already.
    #[error("the name is taken")]
    NameTaken,
    /// There is no service with this name or id.
    #[error("there is no such service")]
    NotFound,
    /// The service has no such credential, or it is not valid any more.
    #[error("there is no such credential")]
    NoCredential,
    /// The overlap of a rotation is longer than a week.
    #[error("the overlap is too long")]
    Overlap,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Name => Problem::field(
                "name",
                "service_name_invalid",
                "The name of a service has 1 to 64 of the characters a-z, 0-9, hyphen, dot and underscore. Choose another name.",
            ),
            ServiceError::NameTaken => Problem {
                status: 409,
                ..Problem::field(
                    "name",
                    "service_name_taken",
                    "A service with this name exists already. Choose another name.",
                )
            },
            ServiceError::NotFound => Problem::new(
                404,
                "service_not_found",
                "There is no service with this name or id. `domicile service list` shows all services.",
            ),
            ServiceError::NoCredential => Problem::new(
                404,
                "service_credential_not_found",
                "The service has no such valid credential. `domicile service show NAME` lists its credentials.",
            ),
            ServiceError::Overlap => Problem::field(
                "overlap",
                "overlap_invalid",
                "The old credential can stay valid for 0 to 7 days. Give a time such as 24h, or 0 to end it at once.",
            ),
            ServiceError::Db(error) => error.into(),
        }
    }
}
