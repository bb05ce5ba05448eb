//! What can be wrong with what people say about themselves.

use super::imaging::PictureFault;
use super::links::Platform;
use crate::accounts::AccountError;
use crate::base::Problem;
use crate::db;

/// A refusal or failure about profile, picture or preferences.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such account, or it is not yours.
    #[error("no such account")]
    NotFound,
    /// A link has not the form of its platform.
    #[error("not a link of {0:?}")]
    Link(Platform),
    /// The file is no picture that can be taken.
    #[error("not a picture: {0:?}")]
    Picture(PictureFault),
    /// Too many pictures are being worked on.
    #[error("too many pictures at once")]
    Busy,
    /// There is no such theme.
    #[error("not a theme")]
    Theme,
    /// The pages do not exist in this language.
    #[error("not a language")]
    Language,
    /// There is no such time zone.
    #[error("not a time zone")]
    Zone,
    /// About the account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The store.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::NotFound => Problem::not_found(),
            PeopleError::Link(platform) => Problem::field(platform.field(), "link_invalid", platform.wrong()),
            PeopleError::Picture(fault) => fault.into(),
            PeopleError::Busy => {
                Problem::busy("pictures_busy", "Several pictures are being worked on. Send yours again in a moment.", 5)
            }
            PeopleError::Theme => Problem::field("theme", "theme_unknown", "Choose one of the themes of the list."),
            PeopleError::Language => {
                Problem::field("language", "language_unknown", "Choose one of the languages of the list.")
            }
            PeopleError::Zone => {
                Problem::field("time_zone", "time_zone_unknown", "Choose one of the time zones of the list.")
            }
            PeopleError::Account(error) => error.into(),
            PeopleError::Db(error) => error.into(),
        }
    }
}
