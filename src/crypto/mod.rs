//! Secrets: the keyring, look-up digests, sealed fields, passwords, and files sealed to people.

pub mod age_file;
mod keyring;
mod known;
mod password_rules;
mod passwords;
pub mod seal;
mod strength;
pub mod tokens;
mod turns;

pub use keyring::{KeyIds, Keyring, KeyringError, TooOld};
pub use password_rules::{Password, PasswordFault};
pub use passwords::{Checked, HashCost, HashingBusy, PasswordPool};
pub use strength::Strength;
pub use turns::Turn;
