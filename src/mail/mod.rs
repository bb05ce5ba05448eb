//! **For:** mail to people, sent if and only if the change that causes it is committed.
//! **Words:** message (what a slice writes), mail (a message in the outbox), outbox.
//! **Tables:** `mail_outbox`.
//! **Never:** sends a mail inside a request; knows the content of a mail; logs a secret.
//! **Start reading:** [`enqueue`], then `jobs.rs`.

mod jobs;
#[cfg(test)]
mod listing;
mod message;
mod model;
mod ops;
mod store;
mod tables;

pub use jobs::deliver;
#[cfg(test)]
pub(crate) use listing::{SITE, check_listing};
pub use message::{Link, PlainMessage};
pub use model::{DELIVER, Mail, Message};
pub use ops::{enqueue, enqueue_transient, purge_old};
pub use store::{STATEMENTS, count_waiting, delete_of_account as forget, has_transient, list_recent as recent};
pub use tables::TABLES;
