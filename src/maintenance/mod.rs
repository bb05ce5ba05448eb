//! **For:** the care of the database as a whole: bringing it to a newer schema, restore drills, copies of the keyring; and
//! telling operators when the certificate of the server ends.
//! **Words:** upgrade (all missing migrations together), trial (the upgrade on a copy, before the database is touched), drill
//! (the newest snapshot is restored and used in a folder of its own), escrow (a copy of the keyring in a safe place).
//! **Tables:** `restore_drill`, `keyring_escrow`.
//! **Never:** changes the database before the same change succeeded on a copy; changes it while an earlier version runs;
//! leaves a restored copy behind.
//! **Start reading:** [`upgrade`], then `drill.rs`.

mod certificate;
mod drill;
mod error;
pub mod jobs;
mod mails;
mod model;
mod ops;
mod progress;
mod rehearsal;
mod store;
mod upgrade;

pub use certificate::{ENDING_DAYS, EndingCertificate, ending_stage, tell_end_of_certificate};
pub use drill::drill;
pub use error::{DrillError, EscrowError, RehearsalError, UpgradeError};
pub use model::{Drill, DrillState, ESCROW_REMINDER, Escrow};
pub use ops::{drill_state, escrow, escrow_reminder, record_export, waive_export};
pub use rehearsal::{Rehearsed, rehearse};
pub use store::STATEMENTS;
pub use upgrade::{UpgradeBy, clean_up, upgrade};
