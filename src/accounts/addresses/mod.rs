//! **For:** additional addresses: add, verify, make primary, remove; and the week in which a change can be undone.
//! **Words:** primary, change (of the primary address), revert link.
//! **Tables:** `account_email`, `email_change`, `email_code_count`.
//! **Never:** ends sessions or keys: the caller does (see `signin`).
//! **Start reading:** `model.rs`, then `ops.rs`.

mod model;
mod ops;
mod store;

pub use model::{AddressList, ListedEmail, OperatorAddress};
pub(in crate::accounts) use model::{RemovedEmail, RevertedTo};
pub use ops::{
    PrimaryChange, RevertedChange, add_email, list, remove_email, resend_email_code, revert_change, set_primary,
    verify_added,
};

pub(in crate::accounts) use ops::{remove_again, revert_again};
pub use store::{STATEMENTS, list_operators as operators};
pub(in crate::accounts) use store::{delete_of_account as forget, delete_old as purge_old};
