//! Operations that work a part at a time, so that other writes can run between the parts.

use std::sync::Arc;

use super::error::ResourceError;
use super::ops;
use crate::app::App;
use crate::base::{Actor, WorkspaceId};

/// Deletes everything in the trash of a workspace for good. Returns how many.
///
/// # Errors
/// As for [`ops::empty_trash`].
pub async fn empty_trash(app: &App, actor: Actor, workspace: WorkspaceId) -> Result<usize, ResourceError> {
    let mut deleted = 0;
    loop {
        let actor = actor.clone();
        match app.write(move |tx| ops::empty_trash(tx, &actor, workspace)).await? {
            0 => return Ok(deleted),
            more => deleted += more,
        }
    }
}

/// Ends a full sync. Returns how many resources it did not name.
///
/// # Errors
/// As for [`ops::end_sync`].
pub async fn end_sync(app: &App, actor: Actor, generation: i64) -> Result<usize, ResourceError> {
    let mut missing = 0;
    loop {
        let actor = actor.clone();
        match app.write(move |tx| ops::end_sync(tx, &actor, generation)).await? {
            0 => return Ok(missing),
            more => missing += more,
        }
    }
}

/// Counts the rows of a workspace again, and writes only if the stored counts are wrong. Answers whether they were.
///
/// # Errors
/// As for [`ops::recalculate`].
pub async fn recalculate(app: &Arc<App>, actor: Actor, workspace: WorkspaceId) -> Result<bool, ResourceError> {
    let asker = actor.clone();
    if app.read_offloaded(move |view| ops::is_counted_right(view, &asker, workspace)).await? {
        return Ok(false);
    }
    app.write(move |tx| ops::recalculate(tx, &actor, workspace)).await
}
