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
            ServiceError::Db(error) => error.into(),
        }
    }
}
