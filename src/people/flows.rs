//! Uploading a picture: the slow work happens before the one transaction, on a thread that may wait.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::error::PeopleError;
use super::imaging::{self, PictureFault};
use super::ops;
use crate::app::App;
use crate::base::{AccountId, Actor};
use crate::threads::spawn_blocking;

/// Pictures that are worked on at once: each may take a hundred megabytes for a moment.
const AT_ONCE_MAX: usize = 2;

/// Whose turn it is.
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

/// Writes an uploaded picture anew and takes it in place of the one before. Answers its name.
///
/// # Errors
/// [`PeopleError::Picture`] for a file that is not taken; [`PeopleError::Busy`] while others are worked on.
pub async fn set_picture(
    app: &Arc<App>,
    actor: Actor,
    account: AccountId,
    file: Vec<u8>,
) -> Result<String, PeopleError> {
    let turn = TURNS.try_acquire().map_err(|_| PeopleError::Busy)?;
    let work = move || {
        // Held until the work is done, whether or not somebody still waits for it.
        let _turn = turn;
        imaging::render(&file)
    };
    // A decoder that falls over a file is the file's fault.
    let rendered = spawn_blocking(work).await;
    let rendered = rendered.unwrap_or(Err(PictureFault::Damaged)).map_err(PeopleError::Picture)?;
    app.write(move |tx| ops::set_picture(tx, &actor, account, &rendered)).await
}
