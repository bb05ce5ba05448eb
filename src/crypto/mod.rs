//! Secrets: the keyring, look-up digests, sealed fields, passwords, and files encrypted for people.

pub mod age_file;
mod escrow;
mod keyring;
mod known;
mod password_rules;
mod passwords;
mod permits;
pub mod seal;
mod strength;
pub mod tokens;

pub use keyring::{KeyIds, Keyring, KeyringError, TooOld};
pub use password_rules::{Password, PasswordFault};
pub use passwords::{HashCost, HashingBusy, NewPasswordError, PasswordCheck, PasswordPool};
pub use permits::Permit;
pub use strength::Strength;
