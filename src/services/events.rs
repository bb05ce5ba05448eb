//! The events of connected services.

use crate::audit::{EventType, Part, events};

events! {
    /// What happens to connected services.
    ServiceEvent {
        Registered = "service.registered": EventType::for_operators().done("Service registered").with(&[Part::Text]),
    }
}
