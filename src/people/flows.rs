//! The upload of a picture: the slow work happens before the transaction, on a blocking thread.

use std::sync::Arc;

use super::error::PeopleError;
use super::imaging::{self, PictureFault};
use super::ops;
use crate::app::{App, ConcurrencyLimit};
use crate::base::{AccountId, Actor};
use crate::threads::spawn_blocking;

/// Pictures that are processed at once: each can take a hundred megabytes for a moment.
const PICTURES: ConcurrencyLimit = ConcurrencyLimit { name: "pictures", max: 2 };

/// Encodes an uploaded picture again and stores it in place of the previous one. Returns its name.
///
/// # Errors
/// [`PeopleError::Picture`] for a file that is not acceptable; [`PeopleError::Busy`] while
/// two others are processed; [`PeopleError::NotFound`] when the account is not the actor's.
pub async fn set_picture(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    file: Vec<u8>,
) -> Result<String, PeopleError> {
    let permit = app.try_permit(PICTURES).ok_or(PeopleError::Busy)?;
    let work = move || {
        // Held until the work is done, even if the request was dropped meanwhile.
        let _permit = permit;
        imaging::render(&file)
    };
    // When the decoder panics, the file is damaged.
    let rendered = spawn_blocking(work).await;
    let rendered = rendered.unwrap_or(Err(PictureFault::Damaged)).map_err(PeopleError::Picture)?;
    app.write(move |tx| ops::set_picture(tx, &actor, account, &rendered)).await
}
