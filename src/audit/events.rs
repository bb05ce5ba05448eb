//! The events of the appliance itself, which belong to no other module.

use super::event_type::{EventType, events};

events! {
    /// What operators do to the appliance.
    SiteEvent {
        DatabaseKeyShown = "site.database_key_shown": EventType::for_operators().done("Database key shown"),
        KeyringRotated = "site.keyring_rotated": EventType::for_operators().done("Keyring rotated"),
    }
}
