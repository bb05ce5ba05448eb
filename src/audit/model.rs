//! The types of the audit.

use serde_json::{Value, json};

use super::event_type::{EventKind, EventType, Outcome, Part};
use super::events::SiteEvent;
use crate::base::{AccountId, Cursor, Digest, Timestamp, WorkspaceId};
use crate::journal::{Entry, NewEntry};

/// An event to be recorded. Each module declares the types of its events in its `events.rs`.
///
/// `data` is evidence and is kept for ever: ids, counts, states. Personal data goes through [`Event::private`], where
/// it can be erased without breaking the chain.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) kind: &'static EventType,
    pub(super) outcome: Outcome,
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) subject: Option<AccountId>,
    pub(super) target: Option<String>,
    pub(super) data: Value,
    pub(super) private: Vec<(Part, Value)>,
    pub(super) journal: JournalPart,
}

/// What an event adds to its entry in the journal.
#[derive(Clone, Debug, Default)]
pub(super) struct JournalPart {
    /// The event says itself that it takes access away.
    pub ends_access: bool,
    /// What is needed to make the change again.
    pub detail: Option<String>,
    /// The receipt of an erasure.
    pub receipt: Option<String>,
    /// The entry exists already.
    pub is_made_again: bool,
}

impl Event {
    /// An event of this type.
    pub fn new(kind: impl EventKind) -> Self {
        Self {
            kind: kind.event_type(),
            outcome: Outcome::Success,
            workspace: None,
            subject: None,
            target: None,
            data: json!({}),
            private: Vec::new(),
            journal: JournalPart::default(),
        }
    }

    /// Sets the outcome. Default: [`Outcome::Success`].
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Sets the workspace in which it happened.
    pub fn workspace(mut self, workspace: WorkspaceId) -> Self {
        self.workspace = Some(workspace);
        self
    }

    /// Sets the person to whom the private parts belong. Default: the actor's account.
    pub fn subject(mut self, account: AccountId) -> Self {
        self.subject = Some(account);
        self
    }

    /// Sets the id of the thing that was changed.
    pub fn target(mut self, id: impl std::fmt::Display) -> Self {
        self.target = Some(id.to_string());
        self
    }

    /// Sets the evidence. It must not contain personal data.
    pub fn data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Says that this event takes access away, for a type that only sometimes does ([`EventType::may_end_access`]).
    pub fn ends_access(mut self) -> Self {
        self.journal.ends_access = true;
        self
    }

    /// Sets what the journal needs, besides the target, to make the change again in a restored backup. Opaque values
    /// only: the journal is not encrypted and is never erased.
    pub fn detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.journal.detail = Some(detail.to_string());
        self
    }

    /// Makes it the erasure of its target, with this receipt.
    pub fn erasure(mut self, receipt: impl std::fmt::Display) -> Self {
        self.journal.receipt = Some(receipt.to_string());
        self
    }

    /// Says that the change is made again, in a restored backup: its entry in the journal exists.
    pub fn made_again(mut self) -> Self {
        self.journal.is_made_again = true;
        self
    }

    /// The entry of the journal. `None`: the event changes no access.
    pub(super) fn journal_entry(&self) -> Option<NewEntry> {
        let kind = self.kind.entry_kind(self.outcome, self.journal.ends_access)?;
        if self.journal.is_made_again {
            return None;
        }
        let account = self.subject.map(|account| account.to_string());
        let target = self.target.clone().or_else(|| account.clone())?;
        Some(match &self.journal.receipt {
            Some(receipt) => NewEntry::Erasure { account: target, receipt: receipt.clone() },
            None => {
                NewEntry::Access { kind, event: self.kind.name, target, account, detail: self.journal.detail.clone() }
            }
        })
    }

    /// Adds personal data. It is stored separately and sealed with the key of its subject. The type of the event must
    /// declare the part ([`EventType::with`]).
    pub fn private(mut self, part: Part, value: Value) -> Self {
        debug_assert!(
            self.kind.private.contains(&part),
            "the event {} carries the personal part {part:?}, which its type does not declare: add it with `.with(..)`",
            self.kind.name,
        );
        self.private.push((part, value));
        self
    }
}

/// A recorded event, with the private parts that were not erased.
#[derive(Clone, Debug)]
pub struct RecordedEvent {
    /// Its number in the chain, from 1.
    pub seq: i64,
    /// Its public id, which a person can name to support.
    pub id: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// Its dotted name, for example `api_key.created`.
    pub name: String,
    /// How the action ended.
    pub outcome: Outcome,
    /// The kind of actor, for example `service`.
    pub actor_kind: String,
    /// The actor's opaque id. `None`: an anonymous caller, the operator or the system.
    pub actor_id: Option<String>,
    /// The id of the thing that was changed. `None`: the event has none.
    pub target: Option<String>,
    /// The evidence: JSON without personal data.
    pub data: Value,
    /// The private parts that were not erased, by the name of the [`Part`].
    pub private: serde_json::Map<String, Value>,
}

impl RecordedEvent {
    /// The text of a member of a private part. `None`: it was erased, or never existed.
    pub fn private_text(&self, part: Part, member: &str) -> Option<&str> {
        self.private.get(part.as_str())?.get(member)?.as_str()
    }
}

/// Which events [`list`](super::list) returns, newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only events before this one. `None`: from the newest.
    pub before: Option<Cursor>,
    /// Only events of this time or later. `None`: also the oldest.
    pub from: Option<Timestamp>,
    /// Only events before this time. `None`: also the newest.
    pub until: Option<Timestamp>,
    /// The maximum number of events.
    pub limit: u32,
}

/// The last event of an audit, as it was known at another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHead {
    /// The number of the event.
    pub seq: i64,
    /// Its leaf.
    pub head: Digest,
}

/// What a restore began: the audit continues after the last event of the restored snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// From 2; the epoch that `init` began is the first one and has no record.
    pub number: i64,
    /// When the restore was done.
    pub opened_at: Timestamp,
    /// When the restored snapshot was made.
    pub snapshot_made_at: Timestamp,
    /// The last event of the snapshot. 0: it had none.
    pub audit_seq: i64,
    /// The leaf of that event.
    pub audit_head: Digest,
    /// The last line of the journal that was applied. 0: there was none.
    pub journal_seq: i64,
    /// The last event of the data that was replaced. `None`: there was no such data, or it could not be read.
    pub known: Option<KnownHead>,
    /// Whether the operator restored without a complete journal.
    pub has_accepted_missing_journal: bool,
}

/// Before the number of a restore, where the journal notes what a line is about.
const JOURNAL_PREFIX: &str = "epoch_";

impl Epoch {
    /// What the journal calls this restore.
    pub(super) fn journal_target(&self) -> String {
        format!("{JOURNAL_PREFIX}{}", self.number)
    }

    /// The number of the restore that a line of the journal notes. `None`: the line is about something else.
    pub fn number_in_journal(entry: &Entry) -> Option<i64> {
        let is_restore = entry.event.as_deref() == Some(SiteEvent::BackupRestored.event_type().name);
        is_restore.then(|| entry.target.strip_prefix(JOURNAL_PREFIX)?.parse().ok()).flatten()
    }

    /// What the journal notes of this restore: from which event and snapshot on, and what was lost.
    pub(super) fn journal_detail(&self) -> String {
        let lost = self.lost_events().map_or(0, |(first, last)| last - first + 1);
        format!("{} {} {} {lost}", self.audit_seq, hex::encode(self.audit_head), self.snapshot_made_at.millis())
    }

    /// The numbers of the first and the last event that the restored database lacks. `None`: none is known to be lost.
    pub fn lost_events(&self) -> Option<(i64, i64)> {
        let last = self.known.as_ref()?.seq;
        (last > self.audit_seq).then_some((self.audit_seq + 1, last))
    }
}

/// The result of verifying the whole chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSummary {
    /// The number of events, which is also the number of the last one.
    pub events: i64,
    /// The number of private parts that match their commitment.
    pub private_parts: i64,
    /// The last leaf. Compare it with a head that was stored elsewhere.
    pub head: Digest,
    /// The restores, the oldest first.
    pub epochs: Vec<Epoch>,
}
