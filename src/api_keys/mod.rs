//! **For:** keys that programs carry: made once, checked a million times, dead at once when revoked.
//! **Words:** API key, key text (the secret), look-up digest, display (its first characters), verdict.
//! **Tables:** `api_key`, `api_key_use`.
//! **Never:** keeps a key's text; lets a key make, widen or revoke keys; asks the writer while checking one.
//! **Start reading:** `model.rs`, then [`create`] and [`Verifier::verify`].

pub mod api;
mod directory;
mod error;
mod jobs;
mod mails;
mod model;
mod ops;
pub mod pages;
mod store;
mod text;
mod verifier;

pub use error::ApiKeyError;
pub use jobs::{RECORD_USE, record_use};
pub use model::{ApiKey, CreatedApiKey, Expiry, KeyName, KeyState, NewApiKey, NotGood, Owner, Verified};
pub use ops::{count_live, create, find, forget, list, live, revoke, revoke_since};
pub use store::STATEMENTS;
pub use text::KeyText;
pub use verifier::Verifier;
