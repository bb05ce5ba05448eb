//! **For:** keys that programs carry: made once, checked a million times, replaced without a gap, dead at once when revoked.
//! **Words:** API key, key text (the secret), look-up digest, display (its first characters), refusal, overlap, line (a key
//! and its successors), quarantine.
//! **Tables:** `api_key`, `api_key_policy`; `api_key_use`, `api_key_use_day`, `api_key_right_use`, `api_key_caller`,
//! `api_key_notice`, `api_key_spend`.
//! **Never:** lets a key make, widen or revoke keys; keeps a text unless the site says so; asks the writer while checking one.
//! **Start reading:** `model/state.rs`, then [`create`] and [`Verifier::verify_at`].

pub mod api;
mod directory;
mod error;
mod gathered;
mod jobs;
mod mails;
mod model;
mod ops;
mod owners;
mod pace;
pub mod pages;
mod policies;
mod reports;
mod store;
mod text;
mod uses;
mod verifier;

pub use error::ApiKeyError;
pub use jobs::{END_DUE, REMIND, RESEAL, end_due, record_use, remind, reseal};
pub use model::{
    ApiKey, Asked, Budget, CreatedApiKey, DayOfUse, Door, Ended, Expiry, KeyCaller, KeyChange, KeyEvent, KeyName,
    KeyPolicy, KeyState, Limits, NewApiKey, OVERLAP_DEFAULT, OVERLAP_MAX, Owner, Pace, Period, Refusal, Verified,
    parse_networks,
};
pub use ops::{
    DAYS_SHOWN, Find, Health, Insight, change, count_live, create, days_of_use, disable, enable, expose, find, forget,
    health, insight, list, live, policy, restore, reveal, revoke, revoke_since, rotate, set_policy, spend,
};
pub use store::STATEMENTS;
pub use text::KeyText;
pub use uses::STATEMENTS as USE_STATEMENTS;
pub use verifier::Verifier;
