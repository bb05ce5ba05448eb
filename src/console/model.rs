//! What the pages of the console show, read at one moment.

use crate::base::{Page, Timestamp};
use crate::inbox::{Command, Delivery, WebhookEndpoint};
use crate::maintenance::{DrillState, Escrow};
use crate::services::{ResourceType, Service, ServiceCredential, StoredManifest};

/// How the appliance is doing.
pub struct Overview {
    #[allow(missing_docs)]
    pub snapshot: SnapshotState,
    #[allow(missing_docs)]
    pub drills: DrillState,
    /// Whether the keyring was copied to a safe place.
    pub escrow: Escrow,
    /// What an operator has to do about the keyring. `None`: nothing.
    pub reminder: Option<&'static str>,
    /// Lines of the journal.
    pub journal_lines: i64,
    /// Accounts, also those that are suspended or not yet verified.
    pub accounts: i64,
    /// Sessions that have not ended.
    pub sessions: i64,
    /// Connected services.
    pub services: usize,
    /// What an operator has to do about erasures. `None`: nothing.
    pub erasures: Option<String>,
    /// Commands that are overdue or failed, each with the name of its service; the oldest first.
    pub commands: Vec<(Command, String)>,
}

/// The published snapshot.
pub enum SnapshotState {
    /// It was made then.
    Published(Timestamp),
    /// None was made yet, or it cannot be read.
    Missing,
}

/// A service of the list.
pub struct ListedService {
    #[allow(missing_docs)]
    pub service: Service,
    /// The oldest first.
    pub credentials: Vec<ServiceCredential>,
    /// When it last sent a request, up to a minute late. `None`: it never did.
    pub last_seen: Option<Timestamp>,
}

/// A connected service, with what belongs to it.
pub struct ServiceDetails {
    #[allow(missing_docs)]
    pub service: Service,
    /// The oldest first.
    pub credentials: Vec<ServiceCredential>,
    /// The types of resources that it can register.
    pub types: Vec<ResourceType>,
    /// What it was asked to do, the newest first.
    pub commands: Page<Command>,
    /// How commands are sent to it.
    pub webhook: WebhookDetails,
    /// What it says about itself. `None`: it sent no manifest.
    pub manifest: Option<StoredManifest>,
    /// When it last sent a request, up to a minute late. `None`: it never did.
    pub last_seen: Option<Timestamp>,
}

/// How commands are sent to a service.
pub struct WebhookDetails {
    /// `None`: it never had one.
    pub endpoint: Option<WebhookEndpoint>,
    /// The last attempt for the newest of the commands that were sent. `None`: none was sent yet.
    pub last: Option<Delivery>,
}

/// A command, with the service that got it.
pub struct CommandDetails {
    #[allow(missing_docs)]
    pub command: Command,
    #[allow(missing_docs)]
    pub service: Service,
    /// The attempts to send it, the newest first.
    pub deliveries: Vec<Delivery>,
}
