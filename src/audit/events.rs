//! The events of the appliance itself, which belong to no other module.

use super::event_type::{EventType, events};

events! {
    /// What happens to the appliance as a whole.
    SiteEvent {
        // It ends all sessions. Its entry in the journal follows those that the restore applies (`journal_restore`).
        BackupRestored = "site.backup_restored": EventType::for_operators().done("Backup restored").ends_access(),
        DatabaseKeyShown = "site.database_key_shown": EventType::for_operators().done("Database key shown"),
        ClockStepped = "time.clock_stepped": EventType::for_operators().done("Clock of the server set"),
        ClockConfirmed = "time.clock_confirmed": EventType::for_operators().done("Clock of the server confirmed"),
        KeyringExported = "site.keyring_exported": EventType::for_operators().done("Keyring exported"),
        KeyringExportWaived =
            "site.keyring_export_waived": EventType::for_operators().done("Export of the keyring waived"),
        RestoreDrill = "site.restore_drill": EventType::for_operators()
            .done("Restore drill succeeded")
            .failed("Restore drill failed"),
        KeyringRotated = "site.keyring_rotated": EventType::for_operators().done("Keyring rotated"),
    }
}
