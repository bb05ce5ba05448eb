//! What can be wrong with a service.

use crate::base::Problem;
use crate::db;

/// A refusal or failure about services.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name has other characters.
    #[error("not a service name")]
    Name,
    /// A service of this name exists.
    #[error("the name is taken")]
    NameTaken,
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Name => Problem::field(
                "name",
                "service_name_invalid",
                "A service name has 1 to 64 of a-z, 0-9, hyphen, dot and underscore. Choose another one.",
            ),
            ServiceError::NameTaken => Problem {
                status: 409,
                ..Problem::field(
                    "name",
                    "service_name_taken",
                    "A service of this name exists already. Choose another name.",
                )
            },
            ServiceError::Db(error) => error.into(),
        }
    }
}
