//! Operations that work a part at a time, so that other writes can run between the parts.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::ResourceError;
use super::model::{BatchResult, CASCADE_STEP, Follower, NewResource, State};
use super::ops;
use crate::app::App;
use crate::base::{Actor, ResourceId, ServiceId, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::idempotency::{self, Answer, IdempotencyError, Request};

type Move = fn(&mut Tx<'_>, &Actor, WorkspaceId, ResourceId) -> Result<usize, ResourceError>;

/// Does this with a resource, and then with what is left below it. Returns how many moved.
async fn move_all(
    app: &Arc<App>,
    (operation, to): (Move, State),
    (actor, workspace, id): (Actor, WorkspaceId, ResourceId),
) -> Result<usize, ResourceError> {
    let moved = app.write(move |tx| operation(tx, &actor, workspace, id)).await?;
    let is_all = moved + 1 < CASCADE_STEP as usize;
    Ok(if is_all { moved } else { moved + move_below(app, id, to).await? })
}

/// What is below some resources of a tree that is moved.
#[derive(Default)]
struct Below {
    /// What has to follow.
    followers: Vec<Follower>,
    /// What the first step moved.
    moved: Vec<ResourceId>,
    /// The resources that were looked at, of the front of the queue.
    seen: usize,
    /// Whether the last of them has more below it.
    has_more: bool,
}

impl Below {
    /// Looks at the front of the queue until a step is full.
    fn read(view: &View<'_>, queue: &[(ResourceId, bool)], root: ResourceId, to: State) -> Result<Self, Error> {
        let mut below = Self::default();
        for (parent, is_new) in queue {
            if *is_new {
                below.moved.extend(ops::list_below_in_state(view, *parent, to, CASCADE_STEP)?);
            }
            let room = CASCADE_STEP - u32::try_from(below.followers.len()).unwrap_or(CASCADE_STEP);
            let found = ops::list_below(view, *parent, (root, to), room)?;
            below.has_more = found.len() == room as usize;
            below.followers.extend(found);
            below.seen += 1;
            if below.has_more {
                break;
            }
        }
        Ok(below)
    }
}

/// Moves what is left below a resource, of which a step was moved: from top to bottom, a part at a time. What is left is read outside of
/// the writer, which others can use between the parts. Returns how many.
async fn move_below(app: &Arc<App>, root: ResourceId, to: State) -> Result<usize, ResourceError> {
    let mut moved = 0;
    // Each with whether it is new: what the first step moved below it was not read yet.
    let mut queue = VecDeque::from([(root, true)]);
    while !queue.is_empty() {
        let front: Vec<_> = queue.iter().copied().take(CASCADE_STEP as usize).collect();
        let below = app.read_offloaded(move |view| Below::read(view, &front, root, to)).await?;
        queue.drain(..below.seen - usize::from(below.has_more));
        if below.has_more
            && let Some(last) = queue.front_mut()
        {
            last.1 = false;
        }
        queue.extend(below.moved.into_iter().map(|id| (id, true)));
        let followers = below.followers;
        if followers.is_empty() {
            continue;
        }
        queue.extend(followers.iter().map(|follower| (follower.id, false)));
        match app.write(move |tx| ops::move_followers(tx, &followers)).await? {
            // Something else was done with it meanwhile. The job moves what is left.
            0 => break,
            more => moved += more,
        }
    }
    Ok(moved)
}

/// As [`move_below`], below several resources.
async fn move_below_all(app: &Arc<App>, roots: Vec<ResourceId>, to: State) -> Result<usize, ResourceError> {
    let mut moved = 0;
    for root in roots {
        moved += move_below(app, root, to).await?;
    }
    Ok(moved)
}

/// As [`ops::trash`], of a tree of any size.
///
/// # Errors
/// As for [`ops::trash`].
pub async fn trash(
    app: &Arc<App>,
    actor: Actor,
    workspace: WorkspaceId,
    id: ResourceId,
) -> Result<usize, ResourceError> {
    move_all(app, (ops::trash, State::Trashed), (actor, workspace, id)).await
}

/// As [`ops::restore`], of a tree of any size.
///
/// # Errors
/// As for [`ops::restore`].
pub async fn restore(
    app: &Arc<App>,
    actor: Actor,
    workspace: WorkspaceId,
    id: ResourceId,
) -> Result<usize, ResourceError> {
    move_all(app, (ops::restore, State::Active), (actor, workspace, id)).await
}

/// As [`ops::delete_for_good`], of a tree of any size.
///
/// # Errors
/// As for [`ops::delete_for_good`].
pub async fn delete_for_good(
    app: &Arc<App>,
    actor: Actor,
    workspace: WorkspaceId,
    id: ResourceId,
) -> Result<usize, ResourceError> {
    move_all(app, (ops::delete_for_good, State::Purging), (actor, workspace, id)).await
}

/// Moves everything that has to follow what is above it, a part at a time: what operations left that were interrupted. Returns how many.
///
/// # Errors
/// [`ResourceError::Db`].
pub async fn move_followers(app: &Arc<App>) -> Result<usize, ResourceError> {
    let mut moved = 0;
    loop {
        let followers = app.read_offloaded(|view| ops::list_followers(view, CASCADE_STEP)).await?;
        if followers.is_empty() {
            return Ok(moved);
        }
        // What is left may have changed meanwhile; the job looks again.
        match app.write(move |tx| ops::move_followers(tx, &followers)).await? {
            0 => return Ok(moved),
            more => moved += more,
        }
    }
}

/// Deletes everything in the trash of a workspace for good. Returns how many.
///
/// # Errors
/// As for [`ops::empty_trash`].
pub async fn empty_trash(app: &Arc<App>, actor: Actor, workspace: WorkspaceId) -> Result<usize, ResourceError> {
    let mut deleted = 0;
    loop {
        let actor = actor.clone();
        let part = app.write(move |tx| ops::empty_trash(tx, &actor, workspace)).await?;
        if part.moved == 0 {
            return Ok(deleted);
        }
        deleted += part.moved + move_below_all(app, part.unfinished, State::Purging).await?;
    }
}

/// Moves what a disconnected service keeps for a workspace to the trash. Returns how many.
///
/// # Errors
/// As for [`ops::trash_leftovers`].
pub async fn trash_leftovers(
    app: &Arc<App>,
    actor: Actor,
    workspace: WorkspaceId,
    service: ServiceId,
) -> Result<usize, ResourceError> {
    let mut moved = 0;
    loop {
        let actor = actor.clone();
        let part = app.write(move |tx| ops::trash_leftovers(tx, &actor, workspace, service)).await?;
        if part.moved == 0 {
            return Ok(moved);
        }
        moved += part.moved + move_below_all(app, part.unfinished, State::Trashed).await?;
    }
}

/// The last batch of a full sync, as it came.
pub(super) struct LastBatch {
    pub actor: Actor,
    pub generation: i64,
    pub resources: Vec<Result<NewResource, ResourceError>>,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// Its idempotency key. `None`: it has none.
    pub repeatable: Option<Request>,
}

type Ended<T> = Result<T, IdempotencyError<ResourceError>>;

/// Registers the last batch of a full sync and ends the sync, in several transactions. The same batch again gets the same answer and
/// changes nothing, with a key or without one. `render` writes the answer, from what the batch did and how many resources the sync
/// did not name. Also answers whether it is the answer of before.
///
/// # Errors
/// As for [`ops::put_batch`] and [`ops::end_sync`]; [`IdempotencyError::Mismatch`]. A part may be registered then; the same batch
/// again goes on.
pub(super) async fn end_sync(
    app: &App,
    batch: LastBatch,
    render: fn(BatchResult<ResourceError>, usize) -> String,
) -> Ended<(String, bool)> {
    let LastBatch { actor, generation, resources, digest, repeatable } = batch;
    let (by, request) = (actor.clone(), repeatable.clone());
    let first = move |tx: &mut Tx<'_>| -> Ended<Result<BatchResult<ResourceError>, String>> {
        if let Some(request) = &request
            && let Some(answer) = idempotency::stored(tx, request)?
        {
            return Ok(Err(answer.body));
        }
        let known = ops::repeated_end(tx, &by, generation, &digest).map_err(IdempotencyError::Operation)?;
        match known {
            Some(answer) => Ok(Err(answer)),
            None => {
                let put = ops::put_batch(tx, &by, resources, Some(generation));
                Ok(Ok(put.map_err(IdempotencyError::Operation)?))
            }
        }
    };
    let result = match app.write(first).await? {
        Ok(result) => result,
        Err(answer) => return Ok((answer, true)),
    };
    let by = actor.clone();
    let batch_end = SyncEnd { actor, generation, digest, repeatable };
    match mark_and_finish(app, batch_end, render, result).await {
        // The same batch was sent twice at the same time, and the other one was first.
        Err(IdempotencyError::Operation(error @ ResourceError::StaleGeneration { .. })) => {
            let known = app.write(move |tx| ops::repeated_end(tx, &by, generation, &digest)).await;
            match known.map_err(IdempotencyError::Operation)? {
                Some(answer) => Ok((answer, true)),
                None => Err(IdempotencyError::Operation(error)),
            }
        }
        ended => ended,
    }
}

/// What names the end of a full sync.
struct SyncEnd {
    actor: Actor,
    generation: i64,
    digest: [u8; 32],
    repeatable: Option<Request>,
}

/// Marks what the sync did not name, a part at a time, then stores the answer.
async fn mark_and_finish(
    app: &App,
    SyncEnd { actor, generation, digest, repeatable }: SyncEnd,
    render: fn(BatchResult<ResourceError>, usize) -> String,
    result: BatchResult<ResourceError>,
) -> Ended<(String, bool)> {
    let mut missing = 0;
    loop {
        let by = actor.clone();
        match app.write(move |tx| ops::end_sync(tx, &by, generation)).await.map_err(IdempotencyError::Operation)? {
            0 => break,
            more => missing += more,
        }
    }
    let body = render(result, missing);
    let last = move |tx: &mut Tx<'_>| {
        let write = |tx: &mut Tx<'_>| {
            ops::finish_sync(tx, &actor, generation, Some((digest, body.clone())))?;
            Ok::<_, ResourceError>(Answer { status: 200, body, workspace: None })
        };
        idempotency::once(tx, repeatable.as_ref(), write)
    };
    let (answer, is_repetition) = app.write(last).await?;
    Ok((answer.body, is_repetition))
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
