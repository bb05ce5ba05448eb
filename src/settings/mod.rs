//! **For:** the settings pages and account data that combine several modules: profile, security, the account summary and
//! public profiles.
//! **Words:** card (a section of a page with its own forms), refusal (a form that was refused, shown again in its card).
//! **Tables:** none of its own.
//! **Never:** decides what a person may do, or changes anything: the modules below do; they are called by the forms.
//! **Start reading:** [`read_profile`] and [`read_security`], then [`pages`] and [`api`].

pub mod api;
mod flashes;
mod model;
mod ops;
pub mod pages;

pub use flashes::SettingsFlash;
pub use model::{OwnProfile, ProfileForReader, SecuritySettings};
pub use ops::{profile_for_reader, read_profile, read_security};
