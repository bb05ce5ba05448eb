//! The periodic work on resources.

use std::sync::Arc;

use super::error::ResourceError;
use super::{flows, ops};
use crate::app::App;
use crate::base::Actor;
use crate::jobs::Outcome;

/// The name of the work that deletes what was in the trash for 30 days.
pub const PURGE_TRASH: &str = "resources.purge_trash";
/// The name of the work that asks services to delete what is marked.
pub const SEND_PURGES: &str = "resources.send_purges";
/// The name of the work that counts everything again.
pub const RECOUNT: &str = "resources.recount";
/// The name of the work that mails owners whose storage is nearly full.
pub const NOTICES: &str = "resources.storage_notices";

/// Workspaces that are read at a time.
const WORKSPACES_AT_ONCE: u32 = 100;

fn outcome(done: Result<(), ResourceError>) -> Outcome {
    done.map_or_else(|error| Outcome::Again(error.to_string()), |()| Outcome::Done)
}

/// Deletes for good what was in the trash for 30 days.
pub async fn purge_trash(app: Arc<App>) -> Outcome {
    outcome(purge_all_due(&app).await)
}

async fn purge_all_due(app: &Arc<App>) -> Result<(), ResourceError> {
    while app.write(ops::purge_due).await? > 0 {}
    flows::move_followers(app).await?;
    while app.write(ops::send_purges).await? > 0 {}
    Ok(())
}

/// Asks services to delete what operations have marked and not asked for yet.
pub async fn send_purges(app: Arc<App>) -> Outcome {
    let sent = async {
        // What a step was not enough for, also of an operation that was interrupted.
        flows::move_followers(&app).await?;
        while app.write(ops::send_purges).await? > 0 {}
        while app.write(ops::free_unanswerable).await? > 0 {}
        while app.write(ops::forget_names_of_deleted).await? > 0 {}
        Ok(())
    };
    outcome(sent.await)
}

/// Compares the counts of every workspace with its rows, and corrects them.
pub async fn recount(app: Arc<App>) -> Outcome {
    outcome(recount_all(&app).await)
}

async fn recount_all(app: &Arc<App>) -> Result<(), ResourceError> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let workspaces = app.read_offloaded(move |view| ops::list_counted(view, &from, WORKSPACES_AT_ONCE)).await?;
        let Some(last) = workspaces.last() else { return Ok(()) };
        after = last.to_string();
        for workspace in workspaces {
            if flows::recalculate(app, Actor::System, workspace).await? {
                tracing::warn!(%workspace, "The storage of a workspace was counted wrong. It is right now.");
            }
        }
    }
}

/// Mails the owners whose storage has reached a share that they are told about.
pub async fn send_notices(app: Arc<App>) -> Outcome {
    outcome(notify_all(&app).await)
}

async fn notify_all(app: &Arc<App>) -> Result<(), ResourceError> {
    let mut after = String::new();
    loop {
        let from = after.clone();
        let (last, due) = app
            .read_offloaded(move |view| {
                let workspaces = ops::list_counted(view, &from, WORKSPACES_AT_ONCE)?;
                let mut due = Vec::new();
                for workspace in &workspaces {
                    if ops::is_notice_due(view, *workspace)? {
                        due.push(*workspace);
                    }
                }
                Ok::<_, ResourceError>((workspaces.last().copied(), due))
            })
            .await?;
        let Some(last) = last else { return Ok(()) };
        after = last.to_string();
        for workspace in due {
            app.write(move |tx| ops::send_storage_notice(tx, workspace)).await?;
        }
    }
}
