//! The tables of api_keys: each column once, with its tags.

use crate::db::{Cell, Erasure, LINK, SECRET, STATE, Table, exported, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[
    API_KEY,
    API_KEY_USE,
    API_KEY_USE_DAY,
    API_KEY_RIGHT_USE,
    API_KEY_CALLER,
    API_KEY_NOTICE,
    API_KEY_SPEND,
    API_KEY_RESERVATION,
    API_KEY_POLICY,
];

table! {
    /// API keys.
    pub(crate) API_KEY: "api_key" { part: Some("keys/keys"), erasure: Erasure::Deletes }
    id = exported(Cell::Text);
    workspace_id = exported(Cell::Text).named("workspace");
    name = exported(Cell::Text).personal("tells keys apart");
    note = exported(Cell::Text).personal("reminds the owner what the key is for");
    display = exported(Cell::Text);
    scopes = exported(Cell::Words);
    state = exported(Cell::Text);
    state_at = exported(Cell::Time).ends();
    ended_as = exported(Cell::Text).set_later();
    created_at = exported(Cell::Time).ends();
    expires_at = exported(Cell::Time).ends_with("created_at");
    retire_at = exported(Cell::Time).set_later().ends();
    revoked_at = exported(Cell::Time).set_later();
    predecessor_id = exported(Cell::Text).named("predecessor");
    networks = exported(Cell::Words).personal("limits where the key works");
    rate_per_minute = exported(Cell::Number);
    budget_micro = exported(Cell::Credits).named("budget");
    budget_period = exported(Cell::Text);
    spent_until = exported(Cell::Time).ends();
    account_id = left_out(LINK);
    lookup = left_out(SECRET);
    pepper_id = left_out(STATE);
    sealed = left_out(SECRET);
    state_before = left_out(STATE).set_later();
    family_id = left_out("the first key of the family, which the predecessors lead to");
}

table! {
    /// The last use of each key.
    pub(crate) API_KEY_USE: "api_key_use" { part: Some("keys/keys"), erasure: Erasure::Deletes }
    last_used_at = exported(Cell::Time).ends();
    uses = exported(Cell::Number);
    last_address = exported(Cell::Text).personal("lets people notice the use of a stolen key");
    last_agent = exported(Cell::Text).personal("lets people notice the use of a stolen key");
    key_id = left_out(LINK);
}

table! {
    /// The uses of each key by day and channel.
    pub(crate) API_KEY_USE_DAY: "api_key_use_day" {
        part: Some("keys/days"),
        kept: "400 days",
        erasure: Erasure::Deletes,
    }
    key_id = exported(Cell::Text).named("key");
    day = exported(Cell::Day);
    door = exported(Cell::Text);
    uses = exported(Cell::Number);
}

table! {
    /// When each scope of a key was last used.
    pub(crate) API_KEY_RIGHT_USE: "api_key_right_use" { part: Some("keys/rights"), erasure: Erasure::Deletes }
    key_id = exported(Cell::Text).named("key");
    right_name = exported(Cell::Text).named("right");
    last_day = exported(Cell::Day);
}

table! {
    /// Who uses keys that are being replaced.
    pub(crate) API_KEY_CALLER: "api_key_caller" { part: Some("keys/callers"), erasure: Erasure::Deletes }
    key_id = exported(Cell::Text).named("key");
    address = exported(Cell::Text).personal("finds programs that still use a key that is being replaced");
    agent = exported(Cell::Text).personal("finds programs that still use a key that is being replaced");
    first_at = exported(Cell::Time).ends();
    last_at = exported(Cell::Time).ends();
    uses = exported(Cell::Number);
}

table! {
    /// Mails that were sent about keys.
    pub(crate) API_KEY_NOTICE: "api_key_notice" { part: None, erasure: Erasure::Deletes }
    key_id = left_out(LINK);
    kind = left_out(STATE);
    at = left_out(STATE).ends();
}

table! {
    /// What the use of keys cost, by family.
    pub(crate) API_KEY_SPEND: "api_key_spend" { part: Some("keys/spending"), erasure: Erasure::Deletes }
    family_id = exported(Cell::Text).named("first_key");
    period = exported(Cell::Text);
    spent_micro = exported(Cell::Credits).named("spent");
}

table! {
    /// What is reserved of the budgets of keys, by family.
    pub(crate) API_KEY_RESERVATION: "api_key_reservation" { part: None, erasure: Erasure::Deletes }
    family_id = left_out(LINK);
    reserved_micro = left_out(STATE);
}

table! {
    /// The maximum lifetime of new keys in a workspace.
    pub(crate) API_KEY_POLICY: "api_key_policy" {
        part: Some("workspaces/{workspace}/key_policy"),
        erasure: Erasure::Deletes,
    }
    max_life_days = exported(Cell::Number);
    changed_at = exported(Cell::Time);
    workspace_id = left_out(LINK);
}
