//! **For:** people: who they are here, and where they can be written to.
//! **Words:** account, username, e-mail (a row of its own, never a key), code, one-time link, operator.
//! **Tables:** `account`, `account_email`, `email_code`, `password`, `one_time_link`, `retired_username`.
//! **Never:** knows sessions, keys or money; hashes a password (that is slow, see `signin`); gives a left name away.
//! **Start reading:** `model.rs`, then [`create`].

mod error;
mod mails;
mod model;
mod ops;
pub mod pages;
mod reserved;
mod store;

pub use error::AccountError;
pub use model::{
    Account, AccountState, CODE_LIFE, DisplayName, Email, LinkPurpose, NewAccount, Profile, RESEND_AFTER, Username,
};
pub use ops::{
    CodeAnswer, count, create, emails, erase, find, find_by_email, find_by_link, find_by_name, find_by_proved_name,
    has_operator, is_email_taken, is_username_free, issue_link, list, password_changed_at, password_hash,
    primary_email, purge_old, purge_pending, renew_password_hash, resend_code, revoke_claims, revoke_links, send_code,
    set_password, set_state, update_profile, use_link, verify_by_operator, verify_email,
};
pub use reserved::is_reserved;
pub use store::STATEMENTS;
