//! What is recorded about drills and copies of the keyring.

use serde_json::json;

use super::error::EscrowError;
use super::model::{Drill, DrillState, ESCROW_REMINDER, Escrow, REASON_MAX};
use super::store;
use crate::audit::{self, Event, Outcome, SiteEvent};
use crate::base::Actor;
use crate::db::{self, Error, Tx, View};

/// What is known about drills.
///
/// # Errors
/// [`Error`].
pub fn drill_state(view: &View<'_>) -> Result<DrillState, Error> {
    let installed_at = db::find_stamp(view)?.map_or(view.now(), |stamp| stamp.created_at);
    Ok(DrillState { last: store::find_last_drill(view)?, last_good: store::find_last_good_drill(view)?, installed_at })
}

/// Records how a drill ended.
///
/// # Errors
/// [`Error`].
// No permission: the schedule and the admin at the command line make drills, and nobody else can.
pub(super) fn record_drill(tx: &mut Tx<'_>, actor: &Actor, drill: Drill) -> Result<Drill, Error> {
    let drill = drill.shortened();
    let outcome = if drill.is_good { Outcome::Success } else { Outcome::Failure };
    let snapshot = drill.snapshot_made_at.map(|at| at.rfc3339());
    let event = Event::new(SiteEvent::RestoreDrill).outcome(outcome).data(json!({"snapshot": snapshot}));
    audit::record(tx, actor, event)?;
    store::insert_drill(tx, &drill)?;
    Ok(drill)
}

/// Whether the keyring of this process, as it is now, was copied to a safe place.
///
/// # Errors
/// [`Error`].
pub fn escrow(view: &View<'_>) -> Result<Escrow, Error> {
    store::find_escrow(view, &view.site().keyring.fingerprint())
}

/// What operators hear until the keyring was copied to a safe place. `None`: it was, or an operator decided otherwise.
///
/// # Errors
/// [`Error`].
pub fn escrow_reminder(view: &View<'_>) -> Result<Option<&'static str>, Error> {
    Ok(match escrow(view)? {
        Escrow::Due => Some(ESCROW_REMINDER),
        Escrow::Exported(_) | Escrow::Waived(..) => None,
    })
}

/// Records that a copy of the keyring was made. Call it when the whole copy was written.
///
/// # Errors
/// [`EscrowError::NotAllowed`] for everybody but the admin at the machine; [`EscrowError::Db`].
pub fn record_export(tx: &mut Tx<'_>, actor: &Actor) -> Result<(), EscrowError> {
    if !matches!(actor, Actor::Operator) {
        return Err(EscrowError::NotAllowed);
    }
    let fingerprint = tx.site().keyring.fingerprint();
    let event = Event::new(SiteEvent::KeyringExported).data(json!({"fingerprint": fingerprint}));
    audit::record(tx, actor, event)?;
    Ok(store::insert_escrow(tx, &fingerprint, None)?)
}

/// Records the decision to make no copy of this keyring, for example because its file is kept elsewhere already.
///
/// # Errors
/// [`EscrowError::Reason`] if it is empty or longer than 500 characters; [`EscrowError::NotAllowed`],
/// [`EscrowError::Db`].
pub fn waive_export(tx: &mut Tx<'_>, actor: &Actor, reason: &str) -> Result<(), EscrowError> {
    if !matches!(actor, Actor::Operator) {
        return Err(EscrowError::NotAllowed);
    }
    let reason = reason.trim();
    if !(1..=REASON_MAX).contains(&reason.chars().count()) {
        return Err(EscrowError::Reason);
    }
    let fingerprint = tx.site().keyring.fingerprint();
    let event = Event::new(SiteEvent::KeyringExportWaived).data(json!({"fingerprint": fingerprint}));
    audit::record(tx, actor, event)?;
    Ok(store::insert_escrow(tx, &fingerprint, Some(reason))?)
}
