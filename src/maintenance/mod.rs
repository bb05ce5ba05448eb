//! **For:** the care of the database as a whole: bringing it to a newer schema.
//! **Words:** upgrade (all missing migrations together), trial (the upgrade on a copy, before the database is touched).
//! **Tables:** none.
//! **Never:** changes the database before the same change succeeded on a copy; changes it while an earlier version runs.
//! **Start reading:** [`upgrade`].

mod error;
mod progress;
mod upgrade;

pub use error::UpgradeError;
pub use upgrade::{UpgradeBy, clean_up, upgrade};
