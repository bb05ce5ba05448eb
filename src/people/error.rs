//! Errors about profiles, pictures and preferences.

use super::imaging::PictureFault;
use super::links::Platform;
use crate::accounts::AccountError;
use crate::base::Problem;
use crate::db;

/// Why an operation on a profile, a picture or preferences was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such account, or it is not the actor's.
    #[error("no such account")]
    NotFound,
    /// A link does not have the form of its platform.
    #[error("not a link of {0:?}")]
    Link(Platform),
    /// The file is not an acceptable picture.
    #[error("not a picture: {0:?}")]
    Picture(PictureFault),
    /// Too many pictures are being processed.
    #[error("too many pictures at once")]
    Busy,
    /// There is no such theme.
    #[error("not a theme")]
    Theme,
    /// There are no pages in this language.
    #[error("not a language")]
    Language,
    /// There is no such time zone.
    #[error("not a time zone")]
    Zone,
    /// The operation on the account was refused or failed.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::NotFound => Problem::not_found(),
            PeopleError::Link(platform) => Problem::field(platform.field(), "link_invalid", platform.correction()),
            PeopleError::Picture(fault) => fault.into(),
            PeopleError::Busy => Problem::busy(
                "pictures_busy",
                "Several pictures are being processed. Upload yours again in a moment.",
                5,
            ),
            PeopleError::Theme => Problem::field("theme", "theme_unknown", "Choose a theme from the list."),
            PeopleError::Language => Problem::field("language", "language_unknown", "Choose a language from the list."),
            PeopleError::Zone => Problem::field("time_zone", "time_zone_unknown", "Choose a time zone from the list."),
            PeopleError::Account(error) => error.into(),
            PeopleError::Db(error) => error.into(),
        }
    }
}
