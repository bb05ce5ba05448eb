//! The types of the outbox.

use std::time::Duration;

use crate::base::{AccountId, EmailAddress, MailId, Timestamp, minutes};
use crate::config::SiteInfo;
use crate::outbound::MailFailure;

/// The name of the job that sends mails.
pub const DELIVER: &str = "mail.deliver";

/// What a slice writes: a subject and the same message as text and as HTML.
pub trait Message {
    /// The subject, one line.
    fn subject(&self) -> String;
    /// The message as plain text.
    fn text(&self, site: &SiteInfo) -> String;
    /// The same message as HTML.
    fn html(&self, site: &SiteInfo) -> String;
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
    pub queued_at: Timestamp,
    /// Attempts to send it so far.
    pub attempts: u32,
}

/// How long mail may wait before operators see it on their pages.
const QUIET_FOR: Duration = minutes(10);

/// A mail that waits, or was given up.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct MailStatus {
    pub id: MailId,
    pub recipient: EmailAddress,
    pub subject: String,
    pub queued_at: Timestamp,
    /// Attempts to send it so far.
    pub attempts: u32,
    /// `None`: the mail was given up.
    pub next_at: Option<Timestamp>,
    /// Why the last attempt failed. `None`: there was none, or a version before this column made it.
    pub failure: Option<MailFailure>,
    /// What the relay said. It may name the recipient.
    pub detail: Option<String>,
}

/// The mails that wait.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// How many they are.
    pub waiting: u32,
    /// When the oldest was queued. `None`: none waits.
    pub oldest: Option<Timestamp>,
    /// Why the newest failure happened.
    pub failure: Option<MailFailure>,
}

/// What a round of sending did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    #[allow(missing_docs)]
    pub sent: u32,
    /// Mails that are never sent.
    pub given_up: usize,
    /// Why a mail waits now. `None`: none failed.
    pub failure: Option<MailFailure>,
}

impl Backlog {
    /// How long the oldest mail has waited.
    pub fn oldest_age(&self, now: Timestamp) -> Duration {
        self.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }

    /// What operators see on their pages. `None`: nothing waits for long.
    pub fn notice(&self, now: Timestamp) -> Option<Vec<String>> {
        let oldest = self.oldest.filter(|oldest| now.since(*oldest) > QUIET_FOR)?;
        let waiting = match self.waiting {
            1 => "One mail has".to_owned(),
            count => format!("{count} mails have"),
        };
        let mut sentences = vec![format!("{waiting} not been sent; the oldest waits since {}.", oldest.day_and_time())];
        if let Some(failure) = self.failure {
            sentences.push(format!("{} {}", failure.sentence(), failure.cure()));
        }
        sentences.push("To see what waits and why, run this on the server: domicile mail list".to_owned());
        Some(sentences)
    }
}
