//! The events of pictures and preferences. A change of the profile is an event of the account.

use crate::audit::{EventType, Fact, events};

events! {
    /// What happens to pictures and preferences.
    PeopleEvent {
        AvatarChanged = "account.avatar_changed": EventType::for_person().done("Picture changed"),
        PreferencesUpdated = "account.preferences_updated": EventType::for_person().done("Preferences changed").facts(&[Fact::Fields("fields")]),
    }
}
