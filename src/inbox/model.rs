//! Commands, acknowledgements, webhooks and their deliveries: types and pure rules.

use std::time::Duration;

use serde_json::Value;

use crate::base::{AccountId, CommandId, ServiceId, Timestamp, WorkspaceId, days, hours, is_visible, minutes, seconds};
use crate::db::{Error, Tx};

/// What a service is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Delete a resource for good. Its bytes are counted until the acknowledgement.
    ResourcePurge,
    /// A resource is no longer in the trash.
    ResourceRestore,
    /// A resource is in the trash: stop using it.
    ResourceTrash,
    /// The workspace may use no more: stop what it runs.
    UsageStop,
    /// Write down everything about a person.
    DsrExport,
    /// Delete everything about a person.
    DsrErase,
    /// A workspace was deleted.
    WorkspaceDeleted,
    /// A key was revoked.
    KeyRevoked,
    /// Stop: the service is not connected any more. Its credentials have ended, so it cannot acknowledge.
    ServiceDisconnect,
    /// Nothing: an operator tries the connection.
    TestPing,
}

impl CommandKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::ResourcePurge,
        Self::ResourceRestore,
        Self::ResourceTrash,
        Self::UsageStop,
        Self::DsrExport,
        Self::DsrErase,
        Self::WorkspaceDeleted,
        Self::KeyRevoked,
        Self::ServiceDisconnect,
        Self::TestPing,
    ];

    /// The name, as it is stored and sent. A released name never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResourcePurge => "resource.purge",
            Self::ResourceRestore => "resource.restore",
            Self::ResourceTrash => "resource.trash",
            Self::UsageStop => "usage.stop",
            Self::DsrExport => "dsr.export",
            Self::DsrErase => "dsr.erase",
            Self::WorkspaceDeleted => "workspace.deleted",
            Self::KeyRevoked => "key.revoked",
            Self::ServiceDisconnect => "service.disconnect",
            Self::TestPing => "test.ping",
        }
    }

    /// Reads the name. `None`: there is no such kind.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A command to be sent.
#[derive(Clone, Debug)]
pub struct NewCommand {
    #[allow(missing_docs)]
    pub kind: CommandKind,
    /// The workspace that it is about.
    pub workspace: Option<WorkspaceId>,
    /// The person whom it is about. An erasure of the person deletes the command, except an open [`CommandKind::DsrErase`],
    /// which keeps its ids only.
    pub subject: Option<AccountId>,
    /// What the service needs besides, as a JSON object of at most 64 KiB.
    pub data: Value,
    /// Until when the service has to acknowledge; operators see it when it does not. `None`: it need not.
    pub deadline: Option<Timestamp>,
}

/// A command to a service.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Command {
    /// Also the id of the webhook, the same at each attempt.
    pub id: CommandId,
    /// The position in the inbox: the number of a later command is higher.
    pub seq: i64,
    pub service: ServiceId,
    pub kind: CommandKind,
    pub workspace: Option<WorkspaceId>,
    pub subject: Option<AccountId>,
    pub data: Value,
    pub created_at: Timestamp,
    pub deadline: Option<Timestamp>,
    /// `None`: it is open.
    pub end: Option<End>,
    /// How often it was sent as a webhook.
    pub attempts: u32,
    /// When it is sent as a webhook next. `None`: never.
    pub next_at: Option<Timestamp>,
    /// When the service took it as a webhook. It is open until it is acknowledged.
    pub delivered_at: Option<Timestamp>,
}

impl Command {
    /// Whether the service has not acknowledged in time.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.end.is_none() && self.deadline.is_some_and(|deadline| deadline < now)
    }

    /// Whether the service could not do it.
    pub fn is_failed(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.outcome == CommandOutcome::Acknowledged(AckOutcome::Failed))
    }

    /// Whether it can be sent again: an open one, or one that the service could not do. Not a deletion that failed: its resource
    /// is in the trash again, and may be restored; another command follows.
    pub fn can_retry(&self) -> bool {
        self.end.is_none() || (self.is_failed() && self.kind != CommandKind::ResourcePurge)
    }

    /// Whether it was acknowledged after its deadline.
    pub fn is_late(&self) -> bool {
        matches!((&self.end, self.deadline), (Some(end), Some(deadline)) if end.at > deadline)
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    #[allow(missing_docs)]
    pub at: Timestamp,
    #[allow(missing_docs)]
    pub outcome: CommandOutcome,
    /// What the service said. Empty: nothing.
    pub detail: String,
}

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// The service said so.
    Acknowledged(AckOutcome),
    /// It is no longer needed.
    Cancelled,
}

impl CommandOutcome {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged(outcome) => outcome.as_str(),
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word. `None`: it is another one.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "cancelled" { Some(Self::Cancelled) } else { AckOutcome::parse(text).map(Self::Acknowledged) }
    }
}

/// What a service says about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckOutcome {
    /// It did what it was asked to.
    Done,
    /// It could not.
    Failed,
}

impl AckOutcome {
    /// Every outcome.
    pub const ALL: [Self; 2] = [Self::Done, Self::Failed];

    /// The word that is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Reads the word. `None`: it is another one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// The longest text about an acknowledgement, in characters.
pub const DETAIL_MAX: usize = 1_000;

/// The answer of a service to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    #[allow(missing_docs)]
    pub outcome: AckOutcome,
    /// At most [`DETAIL_MAX`] visible characters, in one line. May be empty.
    pub detail: String,
}

impl Acknowledgement {
    /// `None`: the text is too long, or has characters that cannot be seen.
    pub fn new(outcome: AckOutcome, detail: &str) -> Option<Self> {
        let detail = detail.trim();
        let is_fine = detail.chars().count() <= DETAIL_MAX && is_visible(detail);
        is_fine.then(|| Self { outcome, detail: detail.to_owned() })
    }
}

/// An acknowledged command, as the first and every repeated acknowledgement answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Acknowledged {
    pub id: CommandId,
    pub outcome: AckOutcome,
    pub at: Timestamp,
    /// Whether the deadline was over.
    pub is_late: bool,
}

/// What a slice does when a service acknowledges its commands. It runs in the transaction of the acknowledgement, once for
/// each command.
#[derive(Clone, Copy)]
pub struct AckHandler {
    #[allow(missing_docs)]
    pub kind: CommandKind,
    #[allow(missing_docs)]
    pub handle: fn(&mut Tx<'_>, &Command, &Acknowledgement) -> Result<(), Error>,
}

/// Which commands a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommandFilter {
    /// All that are stored.
    #[default]
    All,
    /// Not acknowledged yet.
    Open,
    /// Not acknowledged in time.
    Overdue,
    /// The service said that it could not.
    Failed,
}

impl CommandFilter {
    /// The word in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::Failed => "failed",
        }
    }

    /// Reads the word; another one is [`CommandFilter::All`].
    pub fn parse(text: &str) -> Self {
        [Self::Open, Self::Overdue, Self::Failed].into_iter().find(|filter| filter.as_str() == text).unwrap_or_default()
    }
}

/// What operators have to look after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// Open commands whose deadline is over.
    pub overdue: u32,
    /// The earliest of these deadlines.
    pub since: Option<Timestamp>,
    /// Commands that services could not do, of the last 30 days.
    pub failed: u32,
    /// Open commands, overdue or not.
    pub open: u32,
}

impl Overdue {
    /// What operators see on their pages. `None`: nothing is overdue and nothing failed.
    pub fn notice(&self) -> Option<Vec<String>> {
        let mut sentences = Vec::new();
        if let Some(since) = self.since {
            let commands = count_of(self.overdue, "command to a service was", "commands to services were");
            sentences
                .push(format!("{commands} not acknowledged in time; the oldest was due on {}.", since.day_and_time()));
        }
        if self.failed > 0 {
            let commands = count_of(self.failed, "command was", "commands were");
            sentences.push(format!("{commands} answered with failed by a service."));
        }
        if sentences.is_empty() {
            return None;
        }
        sentences.push(
            "To see them, open the operator console, or run this on the server: domicile inbox list --state overdue (or failed)"
                .to_owned(),
        );
        Some(sentences)
    }
}

fn count_of(count: u32, one: &str, many: &str) -> String {
    if count == 1 { format!("One {one}") } else { format!("{count} {many}") }
}

/// Where a service receives webhooks.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct WebhookEndpoint {
    pub service: ServiceId,
    /// `None`: the service reads its inbox.
    pub url: Option<String>,
    pub state: WebhookState,
    pub changed_at: Timestamp,
    /// Until when the previous secret signs too. `None`: there is none.
    pub previous_ends_at: Option<Timestamp>,
    /// Calls that failed one after the other.
    pub failures: u32,
    /// Until when it is not called. `None`: it may be called.
    pub paused_until: Option<Timestamp>,
}

/// Whether webhooks are sent, and arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// There is no address.
    None,
    /// The last one was taken, or none was sent yet.
    Working,
    /// None was taken since then.
    Failing(Timestamp),
    /// The service answered 410 then. No webhook is sent until an address is set.
    Gone(Timestamp),
}

impl WebhookState {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Working => "working",
            Self::Failing(_) => "failing",
            Self::Gone(_) => "gone",
        }
    }

    /// The words for operators.
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "Reads its inbox",
            Self::Working => "Working",
            Self::Failing(_) => "Failing",
            Self::Gone(_) => "Switched off by the service",
        }
    }

    /// Since when no webhook was taken, or none is sent any more.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Self::None | Self::Working => None,
            Self::Failing(at) | Self::Gone(at) => Some(at),
        }
    }
}

/// One attempt to send a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Delivery {
    pub at: Timestamp,
    pub duration: Duration,
    /// The HTTP status. `None`: there was no answer.
    pub status: Option<u16>,
    /// The beginning of the answer, without what a page must not show.
    pub answer: String,
    /// Why there was no answer, or why it does not count. `None`: the webhook was taken.
    pub failure: Option<String>,
}

/// How one call of a webhook went.
#[derive(Clone, Debug)]
pub(super) struct CallResult {
    #[allow(missing_docs)]
    pub delivery: Delivery,
    /// How long the service asked us to wait (RFC 9110 §10.2.3). `None`: it did not say.
    pub retry_after: Option<Duration>,
}

/// The waits between the attempts to send a webhook (Standard Webhooks 1.0). The first attempt is made at once.
const RETRIES: [Duration; 9] =
    [seconds(5), minutes(5), minutes(30), hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)];

/// When to send a webhook again after so many failed attempts. `None`: no more; the command stays in the inbox.
pub(super) fn next_attempt(now: Timestamp, attempts: u32) -> Option<Timestamp> {
    let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
    RETRIES.get(index).map(|wait| now.plus(*wait))
}

/// The longest pause that a service can ask for: a command has to be acknowledged within days.
const RETRY_AFTER_MAX: Duration = days(1);

/// How long a service is not called after so many failed calls one after the other: as long as the attempt of one command would wait,
/// and at most a day. All of its commands share the pause, so a dead service gets one call at its end, however many wait.
/// `asked`: what the service asked for, which counts instead: at least the first pause, at most a day.
pub(super) fn pause(failures: u32, asked: Option<Duration>) -> Duration {
    let last = RETRIES.len() - 1;
    let own = RETRIES[usize::try_from(failures).unwrap_or(last).clamp(1, last + 1) - 1];
    asked.map_or(own, |asked| asked.clamp(RETRIES[0], RETRY_AFTER_MAX))
}

/// How long an ended command is stored.
pub(super) const KEPT_FOR: Duration = days(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_day_and_a_service_can_ask_for_another_one_within_bounds() {
        assert_eq!(
            [0, 1, 2, 9, 10, u32::MAX].map(|failures| pause(failures, None)),
            [seconds(5), seconds(5), minutes(5), hours(24), hours(24), hours(24)]
        );
        let asked = [Duration::ZERO, seconds(60), days(30)].map(|asked| pause(4, Some(asked)));
        assert_eq!(asked, [seconds(5), seconds(60), days(1)]);
    }
}
