//! **For:** API keys of programs: created once, rotated without an interruption, ended at once when they are revoked.
//! **Words:** API key, key text (the secret), look-up digest, display (its first characters), overlap, family (a key
//! and its successors), quarantine.
//! **Tables:** `api_key`, `api_key_policy`; `api_key_use`, `api_key_use_day`, `api_key_right_use`, `api_key_caller`,
//! `api_key_notice`, `api_key_spend`, `api_key_reservation`.
//! **Never:** lets a key create, change or revoke keys; stores a key text unless the site allows it.
//! **Start reading:** `model/state.rs`, then [`create`] and [`rotate`]. Verification is in `verification`.

pub mod api;
mod error;
mod events;
mod flashes;
mod jobs;
mod mails;
mod model;
mod ops;
pub mod pages;
pub mod replay;
mod store;
mod tables;
mod text;
mod uses;

pub use error::ApiKeyError;
pub use events::ApiKeyEvent;
pub use flashes::KeyFlash;
pub use jobs::{END_DUE, REMIND, RESEAL, end_due, remind, reseal};
pub use model::{
    ApiKey, Budget, Channel, CreatedApiKey, DailyUse, Expiry, ExpiryOffer, KeyActs, KeyCaller, KeyChange, KeyEvent,
    KeyName, KeyNote, KeyPolicy, KeyState, KeyUsage, Limits, LookupDigest, NewApiKey, OVERLAP_DEFAULT, OVERLAP_MAX,
    Period, RevokeReason, RotationPreview, SuccessorLife, UsageBatch, UsageDetail, exposure_place, parse_networks,
    parse_overlap, state_now, stored_networks,
};
pub use ops::{
    BudgetReservation, DAYS_SHOWN, ExposureReport, Health, Insight, KeyBudget, MonthlyBudget, budget_room, change,
    create, daily_uses, disable, enable, expiry_offer, expose, find, find_budget, forget, health, insight,
    is_same_family, list, list_live, monthly_budgets, record_usage, reduce_scopes, release_budget, reserve_budget,
    restore, reveal, revoke, revoke_since, rotate, rotation_preview, set_policy, spend, unspend,
};
pub use store::{STATEMENTS, count_all_live, count_live, find_policy as policy};
pub use tables::TABLES;
pub(crate) use tables::{
    API_KEY, API_KEY_CALLER, API_KEY_POLICY, API_KEY_RIGHT_USE, API_KEY_SPEND, API_KEY_USE, API_KEY_USE_DAY,
};
pub use text::KeyText;
pub use uses::STATEMENTS as USE_STATEMENTS;
