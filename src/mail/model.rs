//! The types of the outbox.

use crate::base::{AccountId, EmailAddress, MailId};

/// The name of the job that sends mails.
pub const DELIVER: &str = "mail.deliver";

/// What a slice writes: a subject and the same message as text and as HTML.
pub trait Message {
    /// The subject, one line.
    fn subject(&self) -> String;
    /// The message as plain text.
    fn text(&self) -> String;
    /// The same message as HTML.
    fn html(&self) -> String;
}

/// A mail in the outbox.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Mail {
    /// Also the Message-ID, so that a repeated delivery can be recognised.
    pub id: MailId,
    /// The account whose data it is. `None`: the mail belongs to no account.
    pub account: Option<AccountId>,
    pub recipient: EmailAddress,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Attempts to send it so far.
    pub attempts: u32,
}
