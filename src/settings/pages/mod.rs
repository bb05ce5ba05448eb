//! The settings pages.

pub mod profile;
pub mod security;
