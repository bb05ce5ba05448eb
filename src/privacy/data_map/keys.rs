//! The tables of API keys.

use super::{Erasure, LINK, SECRET, STATE, Table};

/// API keys.
pub(super) const API_KEY: Table = Table {
    name: "api_key",
    part: Some("keys/keys"),
    exported: &[
        "id",
        "workspace_id",
        "name",
        "display",
        "scopes",
        "state",
        "state_at",
        "ended_as",
        "created_at",
        "expires_at",
        "retire_at",
        "revoked_at",
        "predecessor_id",
        "networks",
        "rate_per_minute",
        "budget_micro",
        "budget_period",
        "spent_until",
    ],
    excluded: &[
        ("account_id", LINK),
        ("lookup", SECRET),
        ("pepper_id", STATE),
        ("sealed", SECRET),
        ("state_before", STATE),
        ("family_id", "the first key of the family, which the predecessors lead to"),
    ],
    erasure: Erasure::Deletes,
};

/// The last use of each key.
pub(super) const API_KEY_USE: Table = Table {
    name: "api_key_use",
    part: Some("keys/keys"),
    exported: &["last_used_at", "uses", "last_address", "last_agent"],
    excluded: &[("key_id", LINK)],
    erasure: Erasure::Deletes,
};

/// The uses of each key by day and channel.
pub(super) const API_KEY_USE_DAY: Table = Table {
    name: "api_key_use_day",
    part: Some("keys/days"),
    exported: &["key_id", "day", "door", "uses"],
    excluded: &[],
    erasure: Erasure::Deletes,
};

/// When each scope of a key was last used.
pub(super) const API_KEY_RIGHT_USE: Table = Table {
    name: "api_key_right_use",
    part: Some("keys/rights"),
    exported: &["key_id", "right_name", "last_day"],
    excluded: &[],
    erasure: Erasure::Deletes,
};

/// Who uses keys that are being replaced.
pub(super) const API_KEY_CALLER: Table = Table {
    name: "api_key_caller",
    part: Some("keys/callers"),
    exported: &["key_id", "address", "agent", "first_at", "last_at", "uses"],
    excluded: &[],
    erasure: Erasure::Deletes,
};

/// Mails that were sent about keys.
pub(super) const API_KEY_NOTICE: Table = Table {
    name: "api_key_notice",
    part: None,
    exported: &[],
    excluded: &[("key_id", LINK), ("kind", STATE), ("at", STATE)],
    erasure: Erasure::Deletes,
};

/// What the use of keys cost, by family.
pub(super) const API_KEY_SPEND: Table = Table {
    name: "api_key_spend",
    part: Some("keys/spending"),
    exported: &["family_id", "period", "spent_micro"],
    excluded: &[],
    erasure: Erasure::Deletes,
};

/// The maximum lifetime of new keys in a workspace.
pub(super) const API_KEY_POLICY: Table = Table {
    name: "api_key_policy",
    part: Some("workspaces/{workspace}/key_policy"),
    exported: &["max_life_days", "changed_at"],
    excluded: &[("workspace_id", LINK)],
    erasure: Erasure::Deletes,
};
