//! The events of accounts at other providers.

use crate::audit::{EventType, Part, events};

events! {
    /// What happens to the connections with other providers.
    IdentityEvent {
        Linked = "auth.identity_linked":
            EventType::for_person().done("Sign-in provider connected").with(&[Part::Contact]),
        LinkRefused = "auth.identity_link_refused":
            EventType::for_person()
                .failed("Sign-in provider could not be connected")
                .denied("Sign-in provider not connected: another account uses it"),
        Unlinked = "auth.identity_unlinked":
            EventType::for_person()
                .done("Sign-in provider disconnected")
                .denied("Sign-in provider not disconnected: it is the only sign-in method")
                .ends_access(),
    }
}
