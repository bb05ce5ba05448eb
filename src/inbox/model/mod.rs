//! Commands, acknowledgements, webhooks and their deliveries: types and pure rules.

mod webhooks;

use std::time::Duration;

use serde_json::Value;

use crate::base::{AccountId, CommandId, ServiceId, Timestamp, WorkspaceId, days, is_visible};
use crate::db::{Error, Tx};

pub(super) use webhooks::{CallResult, next_attempt, pause};
pub use webhooks::{Delivery, WebhookEndpoint, WebhookState};

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

    /// How long a service has in all that said that it began. `None`: it says only whether it did it.
    pub const fn completed_within(self) -> Option<Duration> {
        match self {
            Self::DsrErase => Some(days(14)),
            _ => None,
        }
    }

    /// Whether a service can answer a command of this kind with this outcome.
    pub const fn allows(self, outcome: AckOutcome) -> bool {
        match outcome {
            AckOutcome::Done | AckOutcome::Failed => true,
            AckOutcome::InProgress => self.completed_within().is_some(),
            AckOutcome::Retained | AckOutcome::Rejected => matches!(self, Self::DsrErase),
        }
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
    /// When the service said that it began. `None`: it did not.
    pub accepted_at: Option<Timestamp>,
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

    /// Whether the service could not do it, or refused to.
    pub fn is_failed(&self) -> bool {
        let failed = [AckOutcome::Failed, AckOutcome::Rejected].map(CommandOutcome::Acknowledged);
        self.end.as_ref().is_some_and(|end| failed.contains(&end.outcome))
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
    /// It began, and will say when it has done it. The command stays open.
    InProgress,
    /// It did it, except for what a law lets it keep ([`Retention`]).
    Retained,
    /// It refuses, and the detail says why.
    Rejected,
    /// It could not.
    Failed,
}

impl AckOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Done, Self::InProgress, Self::Retained, Self::Rejected, Self::Failed];

    /// The word that is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::InProgress => "in_progress",
            Self::Retained => "retained",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    /// Reads the word. `None`: it is another one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// Why a service may keep something about a person who is erased: the exceptions of GDPR Art. 17(3). A closed list, because a
/// receipt keeps it, and a text could be about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionBasis {
    /// A law requires it, such as that on invoices (b).
    LegalObligation,
    /// It is needed for a claim at court (e).
    LegalClaims,
    /// Public health (c).
    PublicHealth,
    /// An archive in the public interest, research or statistics (d).
    Archiving,
    /// Freedom of expression and information (a).
    FreeExpression,
}

impl RetentionBasis {
    /// Every basis.
    pub const ALL: [Self; 5] =
        [Self::LegalObligation, Self::LegalClaims, Self::PublicHealth, Self::Archiving, Self::FreeExpression];

    /// The word that is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LegalObligation => "legal_obligation",
            Self::LegalClaims => "legal_claims",
            Self::PublicHealth => "public_health",
            Self::Archiving => "archiving",
            Self::FreeExpression => "free_expression",
        }
    }

    /// Reads the word. `None`: it is another one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.as_str() == text)
    }

    /// The duty, for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::LegalObligation => "a legal obligation (GDPR Art. 17(3)(b))",
            Self::LegalClaims => "legal claims (GDPR Art. 17(3)(e))",
            Self::PublicHealth => "public health (GDPR Art. 17(3)(c))",
            Self::Archiving => "archiving, research or statistics (GDPR Art. 17(3)(d))",
            Self::FreeExpression => "freedom of expression and information (GDPR Art. 17(3)(a))",
        }
    }
}

/// What a service keeps of a person who is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    #[allow(missing_docs)]
    pub basis: RetentionBasis,
    /// When the service deletes it.
    pub until: Timestamp,
}

/// How far in the future the end of a retention can be: longer than any law asks for.
pub const RETENTION_MAX: Duration = days(100 * 365);

/// The longest text about an acknowledgement, in characters.
pub const DETAIL_MAX: usize = 1_000;

/// The answer of a service to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    #[allow(missing_docs)]
    pub outcome: AckOutcome,
    /// At most [`DETAIL_MAX`] visible characters, in one line. May be empty.
    pub detail: String,
    /// With [`AckOutcome::Retained`] only.
    pub retention: Option<Retention>,
}

impl Acknowledgement {
    /// `None`: the text is too long, or has characters that cannot be seen.
    pub fn new(outcome: AckOutcome, detail: &str) -> Option<Self> {
        let detail = detail.trim();
        let is_fine = detail.chars().count() <= DETAIL_MAX && is_visible(detail);
        is_fine.then(|| Self { outcome, detail: detail.to_owned(), retention: None })
    }

    /// The same one, with what the service keeps.
    pub fn retaining(self, retention: Option<Retention>) -> Self {
        Self { retention, ..self }
    }

    /// Whether it says what is kept and until when if something is, and only then.
    pub(in crate::inbox) fn has_right_retention(&self, now: Timestamp) -> bool {
        match &self.retention {
            Some(kept) => {
                let is_retained = matches!(self.outcome, AckOutcome::Retained);
                is_retained && (now..=now.plus(RETENTION_MAX)).contains(&kept.until)
            }
            None => !matches!(self.outcome, AckOutcome::Retained),
        }
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
/// each command, also when the service said before that it began.
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
    /// The service said that it could not, or refused.
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
    /// Commands that services could not do or refused, of the last 30 days.
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
            sentences.push(format!("{commands} answered with failed or rejected by a service."));
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

/// How long an ended command is stored.
pub(in crate::inbox) const KEPT_FOR: Duration = days(30);
