//! **For:** people: their accounts, names, addresses and passwords.
//! **Words:** account, username, e-mail (a row of its own, never a key), code, one-time link, operator.
//! **Tables:** `account`, `account_email`, `email_code`, `email_change`, `email_code_count`, `password`,
//! `one_time_link`, `retired_username`.
//! **Never:** knows sessions, keys or money; hashes a password (that is slow, see `signin`); gives the name of an
//! erased account to another one within a year.
//! **Start reading:** `model.rs`, then [`create`].

pub mod addresses;
mod confusables;
mod error;
mod events;
mod mails;
mod model;
pub mod names;
mod ops;
pub mod replay;
mod reserved;
mod store;
mod tables;

pub use error::AccountError;
pub use events::AccountEvent;
pub use model::{
    Account, AccountState, Bio, CODE_LIFE, Colour, Company, DisplayName, EMAILS_MAX, Email, EmailChange, LinkPurpose,
    NAME_HELD, NewAccount, Profile, RESEND_AFTER, REVERT_LIFE, UseCase, Username, UsernameFault,
};
pub use ops::{
    SentCode, create, erase, find_by_link, find_by_name, find_by_sign_in_name, find_link_about, is_email_taken,
    is_link_valid, is_operator, is_username_free, issue_link, issue_link_about, list, lock_keys, mail_all_verified,
    must_be_free, primary_email, purge_old, purge_pending, resend_code, send_code, sent_code, set_colour,
    set_display_name, set_password, sign_ups_in_the_way, suggest_username, update_profile, use_link, use_link_about,
    verify_by_operator, verify_email, void_claims, void_sign_up,
};
pub use reserved::is_reserved;
pub use store::{
    CODE_STATEMENTS, LINK_STATEMENTS, PASSWORD_STATEMENTS, STATEMENTS, count,
    delete_entry_links_of_all as end_entry_links, delete_open_claims as revoke_claims,
    delete_reset_links as revoke_links, find, find_by_email, find_by_username, find_keys_locked as keys_locked_at,
    find_password as password_hash, find_password_time as password_changed_at, has_operator, list_emails as emails,
    update_password_hash as renew_password_hash, update_state as set_state,
};
pub use tables::TABLES;
pub(crate) use tables::{ACCOUNT, ACCOUNT_EMAIL, EMAIL_CHANGE, PASSWORD};
