//! The events of the appliance itself, which belong to no other module.

use super::event_type::{EventType, events};

events! {
    /// What operators do to the appliance.
    SiteEvent {
        BackupRestored = "site.backup_restored": EventType::for_operators().done("Backup restored"),
        DatabaseKeyShown = "site.database_key_shown": EventType::for_operators().done("Database key shown"),
        KeyringRotated = "site.keyring_rotated": EventType::for_operators().done("Keyring rotated"),
    }
}
