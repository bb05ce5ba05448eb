//! The tables of API keys.

use super::{Erasure, LINK, SECRET, STATE, Table};

/// Keys.
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
    left_out: &[
        ("account_id", LINK),
        ("lookup", SECRET),
        ("pepper_id", STATE),
        ("sealed", SECRET),
        ("state_before", STATE),
        ("family_id", "the first key of the line, which the predecessors lead to"),
    ],
    erasure: Erasure::Deletes,
};

/// Their last use.
pub(super) const API_KEY_USE: Table = Table {
    name: "api_key_use",
    part: Some("keys/keys"),
    exported: &["last_used_at", "uses", "last_address", "last_agent"],
    left_out: &[("key_id", LINK)],
    erasure: Erasure::Deletes,
};

/// Their uses by day.
pub(super) const API_KEY_USE_DAY: Table = Table {
    name: "api_key_use_day",
    part: Some("keys/days"),
    exported: &["key_id", "day", "door", "uses"],
    left_out: &[],
    erasure: Erasure::Deletes,
};

/// The rights that were asked for.
pub(super) const API_KEY_RIGHT_USE: Table = Table {
    name: "api_key_right_use",
    part: Some("keys/rights"),
    exported: &["key_id", "right_name", "last_day"],
    left_out: &[],
    erasure: Erasure::Deletes,
};

/// Who uses those that are being replaced.
pub(super) const API_KEY_CALLER: Table = Table {
    name: "api_key_caller",
    part: Some("keys/callers"),
    exported: &["key_id", "address", "agent", "first_at", "last_at", "uses"],
    left_out: &[],
    erasure: Erasure::Deletes,
};

/// What was written about them.
pub(super) const API_KEY_NOTICE: Table = Table {
    name: "api_key_notice",
    part: None,
    exported: &[],
    left_out: &[("key_id", LINK), ("kind", STATE), ("at", STATE)],
    erasure: Erasure::Deletes,
};

/// What their use cost.
pub(super) const API_KEY_SPEND: Table = Table {
    name: "api_key_spend",
    part: Some("keys/spending"),
    exported: &["family_id", "period", "spent_micro"],
    left_out: &[],
    erasure: Erasure::Deletes,
};

/// How long they may live.
pub(super) const API_KEY_POLICY: Table = Table {
    name: "api_key_policy",
    part: Some("workspaces/{workspace}/key_policy"),
    exported: &["max_life_days", "changed_at"],
    left_out: &[("workspace_id", LINK)],
    erasure: Erasure::Deletes,
};
