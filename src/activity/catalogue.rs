//! All event types of the appliance.

use crate::accounts::AccountEvent;
use crate::api_keys::ApiKeyEvent;
use crate::audit::{EventType, SiteEvent};
use crate::billing::BillingEvent;
use crate::factors::FactorEvent;
use crate::inbox::InboxEvent;
use crate::invitations::InvitationEvent;
use crate::people::PeopleEvent;
use crate::privacy::PrivacyEvent;
use crate::resources::ResourceEvent;
use crate::services::ServiceEvent;
use crate::sessions::SessionEvent;
use crate::signin::SigninEvent;
use crate::signin::oauth::IdentityEvent;
use crate::tokens::TokenEvent;
use crate::workspaces::WorkspaceEvent;

/// The event types of each module. `tests/it/architecture/events.rs` finds a module that is missing.
pub const CATALOGUE: &[&[EventType]] = &[
    SiteEvent::TYPES,
    AccountEvent::TYPES,
    WorkspaceEvent::TYPES,
    InvitationEvent::TYPES,
    PeopleEvent::TYPES,
    SessionEvent::TYPES,
    ApiKeyEvent::TYPES,
    TokenEvent::TYPES,
    InboxEvent::TYPES,
    ServiceEvent::TYPES,
    FactorEvent::TYPES,
    BillingEvent::TYPES,
    SigninEvent::TYPES,
    IdentityEvent::TYPES,
    PrivacyEvent::TYPES,
    ResourceEvent::TYPES,
];

/// The type with this stored name. `None`: another release recorded it.
pub(super) fn find(name: &str) -> Option<&'static EventType> {
    CATALOGUE.iter().copied().flatten().find(|kind| kind.name == name)
}
