//! The events of sessions.

use crate::audit::{EventType, Fact, events};

events! {
    /// What happens to sessions.
    SessionEvent {
        Started = "session.started": EventType::for_person().done("Session started"),
        Revoked = "session.revoked": EventType::for_person().done("Signed out").ends_access(),
        RevokedAll = "session.revoked_all": EventType::for_person().done("Sessions signed out").ends_access().facts(&[Fact::Count("sessions", "session", "sessions")]),
        ReuseDetected = "session.reuse_detected":
            EventType::for_person().denied("Session ended: its cookie was copied").ends_access(),
    }
}
