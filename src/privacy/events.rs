//! The events of exports and erasures.

use crate::audit::{EventType, Part, events};

events! {
    /// What happens to the data of a person as a whole.
    PrivacyEvent {
        ExportRequested = "privacy.export_requested": EventType::for_person().done("Export requested"),
        ExportReady = "privacy.export_ready": EventType::for_person().done("Export ready"),
        ExportDownloaded = "privacy.export_downloaded": EventType::for_person().done("Export downloaded"),
        ExportExpired = "privacy.export_expired": EventType::for_person().done("Export expired"),
        ErasureAnswered = "privacy.erasure_service_ack": EventType::for_operators().done("Service answered about an erasure"),
        ErasureAttested =
            "privacy.erasure_attested": EventType::for_operators().done("Erasure at a service attested").with(&[Part::Text]),
        ErasureCompleted = "privacy.erasure_completed": EventType::for_operators().done("Receipt of an erasure final"),
        AccountDeleted = "account.deleted": EventType::for_person().done("Account deleted").ends_access(),
    }
}
