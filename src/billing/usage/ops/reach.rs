//! What a service can charge: which workspaces, how much more, and to which authorization.

use std::collections::btree_map::Entry;

use super::super::super::ledger;
use super::super::authorizations;
use super::super::error::UsageError;
use super::super::model::NewEvent;
use super::{Batch, whole_second};
use crate::audit;
use crate::base::{Credits, HoldId, WorkspaceId};
use crate::db::{Error, Tx, View};
use crate::{services, workspaces};

/// Whether a service can charge a workspace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// There is no such workspace.
    Gone,
    /// The service may not touch it. What was authorized before is charged all the same, because it was used.
    Taken,
    /// The service may touch it.
    Granted,
}

/// The authorization that an event is charged to. `None`: it names none, or one that a restore lost. Then it is charged as
/// without one, because services are asked to report everything again.
pub(super) fn authorization_of(tx: &Tx<'_>, batch: &mut Batch<'_>, event: &NewEvent) -> Result<Option<HoldId>, Error> {
    let Some(id) = event.authorization else { return Ok(None) };
    let is_lost = match batch.lost.entry(id) {
        Entry::Occupied(known) => *known.get(),
        Entry::Vacant(new) => *new.insert(is_lost(tx, id)?),
    };
    Ok(Some(id).filter(|_| !is_lost))
}

/// Whether an authorization was made after a backup that was restored later, so that only its service knows it.
fn is_lost(view: &View<'_>, id: HoldId) -> Result<bool, Error> {
    let made_at = id.created_at();
    let epochs = audit::epochs(view)?;
    let is_between =
        epochs.iter().any(|epoch| (whole_second(epoch.snapshot_made_at)..=epoch.opened_at).contains(&made_at));
    Ok(is_between && !authorizations::exists(view, id)?)
}

pub(super) fn reach_of(tx: &Tx<'_>, batch: &mut Batch<'_>, workspace: WorkspaceId) -> Result<Reach, Error> {
    let service = batch.service;
    Ok(match batch.reaches.entry(workspace) {
        Entry::Occupied(known) => *known.get(),
        Entry::Vacant(new) => *new.insert(if services::may_touch(tx, service, workspace)? {
            Reach::Granted
        } else if workspaces::find(tx, workspace)?.is_some() {
            Reach::Taken
        } else {
            Reach::Gone
        }),
    })
}

/// How much more a workspace can be charged: its debt may go up to the largest amount. Credit that it has is not counted, because
/// a part of it may be reserved.
pub(super) fn headroom_of(
    tx: &mut Tx<'_>,
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
) -> Result<Credits, UsageError> {
    if let Some(headroom) = batch.headrooms.get(&workspace) {
        return Ok(*headroom);
    }
    // Expires due credit first, which the charge at the end needs.
    ledger::expire_due_of(tx, workspace)?;
    let headroom = Credits::MAX.minus(ledger::debt(tx, workspace)?).unwrap_or(Credits::ZERO);
    batch.headrooms.insert(workspace, headroom);
    Ok(headroom)
}
