//! **For:** API keys of programs: created once, verified a million times, rotated without an interruption, refused at
//! once after they are revoked.
//! **Words:** API key, key text (the secret), look-up digest, display (its first characters), refusal, overlap, family
//! (a key and its successors), quarantine.
//! **Tables:** `api_key`, `api_key_policy`; `api_key_use`, `api_key_use_day`, `api_key_right_use`, `api_key_caller`,
//! `api_key_notice`, `api_key_spend`.
//! **Never:** lets a key create, change or revoke keys; stores a key text unless the site allows it; waits for the
//! writer while it verifies a key.
//! **Start reading:** `model/state.rs`, then [`create`] and [`Verifier::verify_request`].

pub mod api;
mod error;
mod events;
mod flashes;
mod jobs;
mod key_index;
mod mails;
mod model;
mod ops;
mod owners;
pub mod pages;
mod policies;
mod rate_limit;
mod reports;
mod store;
mod text;
mod usage_buffer;
mod uses;
mod verifier;

pub use error::ApiKeyError;
pub use events::ApiKeyEvent;
pub use flashes::KeyFlash;
pub use jobs::{END_DUE, REMIND, RESEAL, end_due, record_use, remind, reseal};
pub use model::{
    ApiKey, Budget, Channel, CreatedApiKey, DailyUse, Expiry, KeyCaller, KeyChange, KeyEvent, KeyName, KeyPolicy,
    KeyState, Limits, NewApiKey, OVERLAP_DEFAULT, OVERLAP_MAX, Owner, Period, RateLimit, Refusal, RevokeReason,
    VerifiedKey, VerifyRequest, parse_networks,
};
pub use ops::{
    DAYS_SHOWN, ExposureReport, Health, Insight, change, count_live, create, daily_uses, disable, enable, expose, find,
    forget, health, insight, list, list_live, policy, restore, reveal, revoke, revoke_since, rotate, set_policy, spend,
};
pub use store::STATEMENTS;
pub use text::KeyText;
pub use uses::STATEMENTS as USE_STATEMENTS;
pub use verifier::Verifier;
