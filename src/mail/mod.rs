//! **For:** writing to people, exactly when the change that causes the mail is committed.
//! **Words:** letter (what a slice writes), outbox.
//! **Tables:** `mail_outbox`.
//! **Never:** sends inside a request; knows what a mail says; puts a secret into a log.
//! **Start reading:** [`enqueue`], then `jobs.rs`.

mod jobs;
mod letter;
mod model;
mod ops;
mod store;

pub use jobs::deliver;
pub use letter::{Link, PlainLetter};
pub use model::{DELIVER, Letter, Mail};
pub use ops::{enqueue, enqueue_farewell, forget, purge_old, recent};
pub use store::STATEMENTS;
