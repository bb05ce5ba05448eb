//! The events of API keys and their policy.

use crate::audit::{EventType, Fact, Part, events};

/// What can be changed of the limits of a key. Networks are counted, because addresses may be personal data.
const LIMITS: Fact = Fact::Changes(&[
    ("networks", "networks"),
    ("rate_per_minute", "requests per minute"),
    ("budget", "budget"),
    ("budget_period", "period of the budget"),
]);
/// A key, with its name as a personal part, which can be erased.
const ABOUT_A_KEY: EventType = EventType::for_workspace().with(&[Part::Text]);

events! {
    /// What happens to API keys.
    ApiKeyEvent {
        Created = "api_key.created": ABOUT_A_KEY.done("API key created").facts(&[Fact::Scopes("scopes")]),
        Changed = "api_key.changed": ABOUT_A_KEY.done("API key changed").may_end_access().facts(&[LIMITS]),
        ScopesReduced = "api_key.scopes_reduced": ABOUT_A_KEY.done("API key scopes reduced").ends_access().facts(&[Fact::CHANGE]),
        Rotated = "api_key.rotated": ABOUT_A_KEY.done("API key rotated").ends_access(),
        Disabled = "api_key.disabled": ABOUT_A_KEY.done("API key disabled").ends_access(),
        Enabled = "api_key.enabled": ABOUT_A_KEY.done("API key enabled").returns_access(),
        Revealed = "api_key.revealed": ABOUT_A_KEY.done("API key revealed"),
        ExposureReported = "api_key.exposure_reported":
            ABOUT_A_KEY.done("API key found in public").with(&[Part::Text, Part::Contact]),
        Quarantined = "api_key.quarantined": ABOUT_A_KEY.done("API key quarantined").ends_access(),
        Restored = "api_key.restored": ABOUT_A_KEY.done("API key restored").returns_access(),
        BudgetExhausted = "api_key.budget_exhausted": ABOUT_A_KEY.done("API key budget used up"),
        RotatedKeyUsed = "api_key.rotated_key_used":
            ABOUT_A_KEY.denied("Replaced API key still used").with(&[Part::Text, Part::Network]),
        Revoked = "api_key.revoked": ABOUT_A_KEY.done("API key revoked").ends_access(),
        PolicyChanged = "workspace.key_policy_changed":
            EventType::for_workspace().done("Maximum lifetime for API keys changed").facts(&[Fact::Change { before: "before", after: "max_life_days", unit: " days" }]),
    }
}
