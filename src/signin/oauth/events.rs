//! The events of accounts at other providers.

use crate::audit::{EventType, Fact, Part, events};

events! {
    /// What happens to the connections with other providers.
    IdentityEvent {
        Linked = "auth.identity_linked":
            EventType::for_person().done("Sign-in provider connected").with(&[Part::Contact]).facts(&[Fact::Method("method")]),
        LinkRefused = "auth.identity_link_refused":
            EventType::for_person()
                .failed("Sign-in provider could not be connected")
                .denied("Sign-in provider not connected: another account uses it").facts(&[Fact::Method("method")]),
        Unlinked = "auth.identity_unlinked":
            EventType::for_person()
                .done("Sign-in provider disconnected")
                .denied("Sign-in provider not disconnected: it is the only sign-in method")
                .ends_access().facts(&[Fact::Method("method")]),
    }
}
