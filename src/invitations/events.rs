//! The events of invitations.

use crate::audit::{EventType, Part, events};

events! {
    /// What happens to invitations.
    InvitationEvent {
        Sent = "account.invited": EventType::for_operators().done("Person invited").with(&[Part::Contact]),
        Withdrawn = "account.invitation_withdrawn":
            EventType::for_operators().done("Invitation withdrawn").ends_access(),
    }
}
