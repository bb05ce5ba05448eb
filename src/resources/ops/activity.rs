//! What services report for the activity of people.

use serde_json::json;

use super::super::error::ResourceError;
use super::super::events::ResourceEvent;
use super::super::model::{ActivityAction, NewActivity};
use super::super::store;
use super::limits::{reservable, workspace_of};
use super::service_side::service_of;
use crate::audit::{self, Event, Part};
use crate::base::Actor;
use crate::db::Tx;

/// Adds an item to the activity of a workspace.
///
/// # Errors
/// [`ResourceError::NotAService`], [`ResourceError::NoWorkspace`], [`ResourceError::UnknownType`],
/// [`ResourceError::NotFound`] for a resource of others; [`ResourceError::Db`].
pub fn report_activity(tx: &mut Tx<'_>, actor: &Actor, new: &NewActivity) -> Result<(), ResourceError> {
    let service = service_of(actor)?;
    let workspace = workspace_of(tx, service, new.workspace)?;
    reservable(tx, service, &new.kind)?;
    let resource = match &new.resource {
        None => None,
        Some(id) => {
            let found = match store::find_external(tx, service, id.as_str())? {
                Some(found) => Some(found),
                // What was deleted can be reported, too.
                None => match store::find_purged(tx, service, id.as_str())? {
                    Some(purged) => store::find(tx, purged)?,
                    None => None,
                },
            };
            Some(found.filter(|found| found.workspace == workspace.id).ok_or(ResourceError::NotFound)?)
        }
    };
    let name = new.name.as_ref().map(|name| name.as_str().to_owned());
    let name = name.or_else(|| resource.as_ref().map(|resource| resource.name.clone())).unwrap_or_default();
    let event = Event::new(event_of(new.action))
        .workspace(workspace.id)
        .subject(workspace.owner)
        .data(json!({"type": new.kind}))
        .private(Part::Text, json!({"name": name}));
    let event = match resource {
        Some(resource) => event.target(resource.id),
        None => event,
    };
    Ok(audit::record(tx, actor, event)?)
}

/// The event of an action that a service reports.
const fn event_of(action: ActivityAction) -> ResourceEvent {
    match action {
        ActivityAction::Created => ResourceEvent::ReportedCreated,
        ActivityAction::Updated => ResourceEvent::ReportedUpdated,
        ActivityAction::Deleted => ResourceEvent::ReportedDeleted,
        ActivityAction::Trashed => ResourceEvent::ReportedTrashed,
        ActivityAction::Restored => ResourceEvent::ReportedRestored,
        ActivityAction::Started => ResourceEvent::ReportedStarted,
        ActivityAction::Completed => ResourceEvent::ReportedCompleted,
        ActivityAction::Failed => ResourceEvent::ReportedFailed,
        ActivityAction::Cancelled => ResourceEvent::ReportedCancelled,
        ActivityAction::Uploaded => ResourceEvent::ReportedUploaded,
        ActivityAction::Shared => ResourceEvent::ReportedShared,
        ActivityAction::Unshared => ResourceEvent::ReportedUnshared,
        ActivityAction::Exported => ResourceEvent::ReportedExported,
        ActivityAction::Cloned => ResourceEvent::ReportedCloned,
        ActivityAction::Analyzed => ResourceEvent::ReportedAnalyzed,
    }
}
