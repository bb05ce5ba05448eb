//! The events of exports and erasures.

use crate::audit::{EventType, events};

events! {
    /// What happens to the data of a person as a whole.
    PrivacyEvent {
        ExportRequested = "privacy.export_requested": EventType::for_person().done("Export requested"),
        ExportReady = "privacy.export_ready": EventType::for_person().done("Export ready"),
        ExportDownloaded = "privacy.export_downloaded": EventType::for_person().done("Export downloaded"),
        ExportExpired = "privacy.export_expired": EventType::for_person().done("Export expired"),
        AccountDeleted = "account.deleted": EventType::for_person().done("Account deleted").ends_access(),
    }
}
