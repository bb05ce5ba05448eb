//! Reads that combine several modules.

use super::model::{CommandDetails, Overview, ServiceDetails, SnapshotState};
use crate::base::{CommandId, Cursor, PAGE_SIZE, ServiceId};
use crate::db::{Error, Layout, View};
use crate::inbox::{self, CommandFilter};
use crate::services::{Service, ServiceCredential, ServiceError};
use crate::{accounts, journal, maintenance, services, sessions, snapshots};

/// How the appliance is doing. It opens the published snapshot, so call it on a blocking thread.
///
/// # Errors
/// [`Error`].
// No permission: the routes of the console let operators in, and it shows nothing of a person.
pub fn read_overview(view: &View<'_>) -> Result<Overview, Error> {
    let layout = Layout::new(&view.site().config.data_dir);
    let published = snapshots::read_published(&layout.snapshot(), view.site(), view.now());
    Ok(Overview {
        snapshot: published.map_or(SnapshotState::Missing, |found| SnapshotState::Published(found.stamp.made_at)),
        drills: maintenance::drill_state(view)?,
        escrow: maintenance::escrow(view)?,
        reminder: maintenance::escrow_reminder(view)?,
        journal_lines: journal::head(view)?.seq,
        accounts: accounts::count(view)?,
        sessions: sessions::count_live(view)?,
        services: services::list(view)?.iter().filter(|service| service.disconnected_at.is_none()).count(),
    })
}

/// All services, each with its credentials: those that are connected and those that were.
///
/// # Errors
/// [`Error`].
// No permission: as for `read_overview`.
pub fn list_services(view: &View<'_>) -> Result<Vec<(Service, Vec<ServiceCredential>)>, Error> {
    let with_credentials = services::list(view)?.into_iter().map(|service| {
        let credentials = services::list_credentials(view, service.id)?;
        Ok((service, credentials))
    });
    with_credentials.collect()
}

/// A service, with what belongs to it, and a page of its commands.
///
/// # Errors
/// [`ServiceError::NotFound`].
// No permission: as for `read_overview`.
pub fn read_service(
    view: &View<'_>,
    id: ServiceId,
    filter: CommandFilter,
    before: Option<Cursor>,
) -> Result<ServiceDetails, ServiceError> {
    let service = services::find(view, &id.to_string())?;
    Ok(ServiceDetails {
        credentials: services::list_credentials(view, id)?,
        types: services::resource_types(view, id)?,
        commands: inbox::list_commands(view, id, filter, before, PAGE_SIZE)?,
        service,
    })
}

/// A command, with its service and its deliveries. `None`: there is no such command.
///
/// # Errors
/// [`Error`].
// No permission: as for `read_overview`.
pub fn read_command(view: &View<'_>, id: CommandId) -> Result<Option<CommandDetails>, Error> {
    let Some(command) = inbox::find_command(view, id)? else { return Ok(None) };
    let service = services::list(view)?.into_iter().find(|service| service.id == command.service);
    let Some(service) = service else { return Ok(None) };
    Ok(Some(CommandDetails { service, deliveries: inbox::deliveries(view, id)?, command }))
}
