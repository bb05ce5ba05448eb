//! What a service can charge: which workspaces, how much more, and to which authorization.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::super::ledger;
use super::super::authorizations;
use super::super::error::UsageError;
use super::super::model::NewEvent;
use crate::audit;
use crate::base::{Credits, HoldId, ServiceId, Timestamp, WorkspaceId};
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

/// What a batch of a service has read already.
pub(super) struct Known {
    service: ServiceId,
    /// Whether the service can charge each workspace.
    reaches: BTreeMap<WorkspaceId, Reach>,
    /// How much more each workspace can be charged.
    pub headrooms: BTreeMap<WorkspaceId, Credits>,
    /// Whether a restore lost each authorization.
    lost: BTreeMap<HoldId, bool>,
}

impl Known {
    pub(super) fn of(service: ServiceId) -> Self {
        Self { service, reaches: BTreeMap::new(), headrooms: BTreeMap::new(), lost: BTreeMap::new() }
    }

    /// The authorization that an event is charged to. `None`: it names none, or one that a restore lost. Then it is charged as
    /// without one, because services are asked to report everything again.
    pub(super) fn authorization_of(&mut self, tx: &Tx<'_>, event: &NewEvent) -> Result<Option<HoldId>, Error> {
        let Some(id) = event.authorization else { return Ok(None) };
        let is_lost = match self.lost.entry(id) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(is_lost(tx, id)?),
        };
        Ok(Some(id).filter(|_| !is_lost))
    }

    pub(super) fn reach_of(&mut self, tx: &Tx<'_>, workspace: WorkspaceId) -> Result<Reach, Error> {
        let service = self.service;
        Ok(match self.reaches.entry(workspace) {
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

    /// How much more a workspace can be charged: its debt may go up to the largest amount. Credit that it has is not counted,
    /// because a part of it may be reserved.
    pub(super) fn headroom_of(&mut self, tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<Credits, UsageError> {
        if let Some(headroom) = self.headrooms.get(&workspace) {
            return Ok(*headroom);
        }
        // Expires due credit first, which the charge at the end needs.
        ledger::expire_due_of(tx, workspace)?;
        let headroom = Credits::MAX.minus(ledger::debt(tx, workspace)?).unwrap_or(Credits::ZERO);
        self.headrooms.insert(workspace, headroom);
        Ok(headroom)
    }
}

/// Whether an authorization was made after a backup that was restored later, so that only its service knows it.
fn is_lost(view: &View<'_>, id: HoldId) -> Result<bool, Error> {
    let made_at = id.created_at();
    let epochs = audit::epochs(view)?;
    let is_between =
        epochs.iter().any(|epoch| (whole_second(epoch.snapshot_made_at)..=epoch.opened_at).contains(&made_at));
    Ok(is_between && !authorizations::exists(view, id)?)
}

/// The second in which a time is, as the header Date has it.
pub(super) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.unix_seconds().saturating_mul(1000))
}
