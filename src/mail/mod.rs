//! **For:** mail to people, sent if and only if the change that causes it is committed.
//! **Words:** message (what a slice writes), mail (a message in the outbox), outbox.
//! **Tables:** `mail_outbox`.
//! **Never:** sends a mail inside a request; knows the content of a mail; logs a secret.
//! **Start reading:** [`enqueue`], then `flows.rs`.

mod flows;
mod jobs;
#[cfg(test)]
mod listing;
mod message;
mod model;
mod ops;
mod store;
mod tables;

pub use flows::{TestError, retry_after_start, send_due, send_test};
pub use jobs::deliver;
#[cfg(test)]
pub(crate) use listing::{SITE, check_listing};
pub use message::{Link, PlainMessage};
pub use model::{Backlog, DELIVER, DeliveryReport, Mail, MailStatus, Message};
pub use ops::{enqueue, enqueue_transient, notice, purge_old, retry};
pub use store::{
    STATEMENTS, backlog, delete_of_account as forget, has_transient, list_recent as recent, list_unsent as unsent,
};
pub use tables::TABLES;
