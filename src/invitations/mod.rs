//! **For:** inviting people: an operator invites an address, and the person who follows the link in the mail can sign
//! up.
//! **Words:** invitation, address, link (its secret is mailed or printed once, only a digest is stored).
//! **Tables:** `invitation`.
//! **Never:** creates an account (see `signin`); keeps a used invitation; tells an anonymous visitor who is invited.
//! **Start reading:** [`issue`].

mod error;
mod events;
mod mails;
mod model;
mod ops;
pub mod replay;
mod store;
mod tables;

pub use error::InvitationError;
pub use events::InvitationEvent;
pub use model::{Invitation, LIFE};
pub use ops::{find, issue, mail_link, purge_old, take, withdraw};
pub use store::{STATEMENTS, delete_by_address as forget, list};
pub use tables::TABLES;
