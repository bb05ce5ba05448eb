//! The events of the appliance itself, which belong to no other module.

use super::event_type::{EventType, events};

events! {
    /// What happens to the appliance as a whole.
    SiteEvent {
        BackupRestored = "site.backup_restored": EventType::for_operators().done("Backup restored"),
        DatabaseKeyShown = "site.database_key_shown": EventType::for_operators().done("Database key shown"),
        ClockStepped = "time.clock_stepped": EventType::for_operators().done("Clock of the server set"),
        ClockConfirmed = "time.clock_confirmed": EventType::for_operators().done("Clock of the server confirmed"),
        KeyringRotated = "site.keyring_rotated": EventType::for_operators().done("Keyring rotated"),
    }
}
