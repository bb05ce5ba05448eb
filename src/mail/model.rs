//! What a mail is.

use crate::base::{AccountId, EmailAddress, MailId};

/// The name of the job that delivers.
pub const DELIVER: &str = "mail.deliver";

/// What a slice writes: a subject and the same message as text and as HTML.
pub trait Message {
    /// One line.
    fn subject(&self) -> String;
    /// The message for people and programs that read text.
    fn text(&self) -> String;
    /// The same message as HTML.
    fn html(&self) -> String;
}

/// A mail in the outbox.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its id, also its Message-ID: a repeated delivery is recognisable.
    pub id: MailId,
    /// Whose data it is. `None`: nobody's account.
    pub account: Option<AccountId>,
    /// To whom.
    pub recipient: EmailAddress,
    /// One line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: String,
    /// Tries so far.
    pub attempts: u32,
}
