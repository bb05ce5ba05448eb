//! Reads that combine several modules.

use super::model::{CommandDetails, ListedService, Overview, ServiceDetails, SnapshotState, WebhookDetails};
use crate::base::{CommandId, Cursor, PAGE_SIZE, ServiceId};
use crate::db::{Error, Layout, View};
use crate::inbox::{self, CommandFilter};
use crate::privacy::erasures;
use crate::services::ServiceError;
use crate::{accounts, journal, maintenance, services, sessions, snapshots};

/// Commands that the overview shows at most.
const COMMANDS_SHOWN: u32 = 10;

/// How the appliance is doing. It opens the published snapshot, so call it on a blocking thread.
///
/// # Errors
/// [`Error`].
// No permission: the routes of the console let operators in, and it shows nothing of a person.
pub fn read_overview(view: &View<'_>) -> Result<Overview, Error> {
    let layout = Layout::new(&view.site().config.data_dir);
    let published = snapshots::read_published(&layout.snapshot(), view.site(), view.now());
    let known = services::list(view)?;
    let name_of = |id| known.iter().find(|service| service.id == id).map(|service| service.name.clone());
    let late = inbox::list_needing_care(view, COMMANDS_SHOWN)?.into_iter();
    Ok(Overview {
        commands: late.filter_map(|command| name_of(command.service).map(|name| (command, name))).collect(),
        snapshot: published.map_or(SnapshotState::Missing, |found| SnapshotState::Published(found.stamp.made_at)),
        drills: maintenance::drill_state(view)?,
        escrow: maintenance::escrow(view)?,
        reminder: maintenance::escrow_reminder(view)?,
        erasures: erasures::notice(view)?,
        journal_lines: journal::head(view)?.seq,
        accounts: accounts::count(view)?,
        sessions: sessions::count_live(view)?,
        services: known.iter().filter(|service| service.disconnected_at.is_none()).count(),
    })
}

/// All services, each with its credentials and when it was last seen: those that are connected and those that were.
///
/// # Errors
/// [`Error`].
// No permission: as for `read_overview`.
pub fn list_services(view: &View<'_>) -> Result<Vec<ListedService>, Error> {
    let with_credentials = services::list(view)?.into_iter().map(|service| {
        let (credentials, last_seen) =
            (services::list_credentials(view, service.id)?, services::last_seen(view, service.id)?);
        Ok(ListedService { service, credentials, last_seen })
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
        webhook: webhook_details(view, id)?,
        manifest: services::manifest(view, id)?,
        last_seen: services::last_seen(view, id)?,
        service,
    })
}

fn webhook_details(view: &View<'_>, id: ServiceId) -> Result<WebhookDetails, Error> {
    let newest = inbox::list_commands(view, id, CommandFilter::All, None, PAGE_SIZE)?.rows;
    let sent = newest.iter().find(|command| command.attempts > 0);
    let deliveries = sent.map(|command| inbox::deliveries(view, command.id)).transpose()?;
    Ok(WebhookDetails { endpoint: inbox::webhook(view, id)?, last: deliveries.and_then(|all| all.into_iter().next()) })
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
