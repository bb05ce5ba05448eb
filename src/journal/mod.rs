//! **For:** a restored backup must not bring back what had ended: erased people, revoked keys, suspended accounts.
//! **Words:** journal, entry (of the table), line (of the file), erasure, revocation, reactivation, head, damage.
//! **Tables:** `journal`, `journal_check`.
//! **Never:** knows the other slices; contains personal data; answers a caller before the line is on the disk.
//! **Start reading:** [`Entry`], [`record`], then [`JournalFile`].

mod checks;
mod error;
mod file;
mod lines;
mod model;
mod ops;
mod store;
mod tables;
mod verify;

pub use checks::{Extent, Verification, keep_verified};
pub use error::JournalError;
pub use file::JournalFile;
pub use lines::write as line;
pub use model::{Entry, EntryKind, Head, NewEntry, VerifiedJournal};
pub use ops::{TableState, adopt, check_table, record};
pub use store::{STATEMENTS, find_head as head, find_last};
pub use tables::TABLES;
pub use verify::{is_begun_by, read, verify};
