//! The events of connected services.

use crate::audit::{EventType, Part, events};

/// A service, with its name.
const ABOUT_A_SERVICE: EventType = EventType::for_operators().with(&[Part::Text]);

events! {
    /// What happens to connected services.
    ServiceEvent {
        Registered = "service.registered": ABOUT_A_SERVICE.done("Service registered"),
        Changed = "service.changed": ABOUT_A_SERVICE.done("Service access changed").may_end_access(),
        EnrolCodeCreated = "service.enrol_code_created": ABOUT_A_SERVICE.done("Enrolment code created"),
        Enrolled = "service.enrolled": ABOUT_A_SERVICE.done("Service enrolled"),
        ManifestChanged = "service.manifest_changed": ABOUT_A_SERVICE.done("Service manifest changed"),
        CredentialRotated = "service.credential_rotated":
            ABOUT_A_SERVICE.done("Service credential rotated").ends_access(),
        Disconnected = "service.disconnected": ABOUT_A_SERVICE.done("Service disconnected").ends_access(),
        CredentialRevoked = "service.credential_revoked":
            ABOUT_A_SERVICE.done("Service credential revoked").ends_access(),
    }
}
