//! The security page: password, two-step sign-in, passkeys, recovery codes, connected accounts, sessions.
//!
//! `page` shows the page; `cards` has what it shows, one file for each card; the other files have the forms of the cards
//! and the pages behind them.

mod cards;
mod codes;
mod identities;
mod page;
pub mod passkeys;
mod password;
pub mod recovery;
mod sessions;
pub mod two_step;

pub use identities::disconnect;
pub use page::security;
pub use password::{change_password, change_password_url};
pub use sessions::{end_others, end_session};
