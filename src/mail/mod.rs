//! **For:** writing to people, exactly when the change that causes the mail is committed.
//! **Words:** message (what a slice writes), outbox.
//! **Tables:** `mail_outbox`.
//! **Never:** sends inside a request; knows what a mail says; puts a secret into a log.
//! **Start reading:** [`enqueue`], then `jobs.rs`.

mod jobs;
mod message;
mod model;
mod ops;
mod store;

pub use jobs::deliver;
pub use message::{Link, PlainMessage};
pub use model::{DELIVER, Mail, Message};
pub use ops::{enqueue, enqueue_transient, forget, purge_old, recent};
pub use store::STATEMENTS;
