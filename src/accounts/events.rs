//! The events of accounts, their addresses and passwords.

use crate::audit::{EventType, Fact, Part, events};

events! {
    /// What happens to accounts.
    AccountEvent {
        Created = "account.created": EventType::for_person().done("Account created").with(&[Part::Contact]),
        ProfileUpdated = "account.profile_updated": EventType::for_person().done("Profile changed").facts(&[Fact::Fields("fields")]),
        KeysLocked = "account.keys_locked": EventType::for_person().done("API keys locked").ends_access(),
        KeysUnlocked = "account.keys_unlocked": EventType::for_person().done("API keys unlocked").returns_access(),
        PasswordChanged = "auth.password_changed": EventType::for_person().done("Password changed").ends_access(),
        EmailAdded = "email.added": EventType::for_person().done("Address added").with(&[Part::Contact]),
        EmailCodeSent = "email.code_sent": EventType::for_person().done("Code sent by email"),
        EmailVerified = "email.verified": EventType::for_person().done("Address verified"),
        EmailVerifyFailed = "email.verify_failed": EventType::for_person().failed("Wrong code"),
        EmailPrimaryChanged = "email.primary_changed": EventType::for_person().done("Primary address changed"),
        EmailRemoved = "email.removed":
            EventType::for_person().done("Address removed").with(&[Part::Contact]).ends_access(),
        EmailChangeReverted = "email.change_reverted":
            EventType::for_person().done("Address change reverted").ends_access(),
    }
}
