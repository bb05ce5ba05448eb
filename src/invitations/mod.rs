//! **For:** letting somebody in by name: an operator writes to an address, and whoever reads its mail may sign up.
//! **Words:** invitation, address, link (its secret is mailed or printed once, only a digest is kept).
//! **Tables:** `invitation`.
//! **Never:** makes an account (see `signin`); keeps an invitation that was taken; tells a stranger who is invited.
//! **Start reading:** [`issue`].

mod error;
mod mails;
mod model;
mod ops;
mod store;

pub use error::InvitationError;
pub use model::{Invitation, LIFE};
pub use ops::{find, forget, issue, list, mail_link, purge_old, take, withdraw};
pub use store::STATEMENTS;
