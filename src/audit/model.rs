//! What an event is.

use serde_json::{Value, json};

use super::chain::Digest;
use crate::base::{AccountId, Cursor, Timestamp, WorkspaceId};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened.
    Success,
    /// It was tried and did not work: a wrong password.
    Failure,
    /// It was not allowed.
    Denied,
}

impl Outcome {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// Groups of personal data that may have to go at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Network address and program.
    Network,
    /// E-mail addresses and names of people.
    Contact,
    /// What somebody typed: names of keys, reasons.
    Text,
}

impl Part {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Contact => "contact",
            Self::Text => "text",
        }
    }
}

/// An event to be recorded. Each slice names its own.
///
/// `data` is evidence and stays for ever: ids, counts, states. Whatever is about a person goes through
/// [`Event::private`], where it can be erased without breaking the chain.
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) subject: Option<AccountId>,
    pub(super) target: Option<String>,
    pub(super) data: Value,
    pub(super) private: Vec<(Part, Value)>,
}

impl Event {
    /// An event by its dotted name, `api_key.created` (domain 3.3).
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            outcome: Outcome::Success,
            workspace: None,
            subject: None,
            target: None,
            data: json!({}),
            private: Vec::new(),
        }
    }

    /// It did not succeed.
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The workspace it happened in.
    pub fn workspace(mut self, workspace: WorkspaceId) -> Self {
        self.workspace = Some(workspace);
        self
    }

    /// The person whose data the private parts are, where that is not the actor.
    pub fn subject(mut self, account: AccountId) -> Self {
        self.subject = Some(account);
        self
    }

    /// What it was done to.
    pub fn target(mut self, id: impl std::fmt::Display) -> Self {
        self.target = Some(id.to_string());
        self
    }

    /// Evidence: nothing personal.
    pub fn data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Something personal, kept apart and sealed with the subject's key.
    pub fn private(mut self, part: Part, value: Value) -> Self {
        self.private.push((part, value));
        self
    }
}

/// An event as read back, with what is still readable of its private parts.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// Its id, for support.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Its dotted name.
    pub name: String,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// The kind of actor.
    pub actor_kind: String,
    /// The actor's opaque id. `None`: strangers, the operator, the appliance.
    pub actor_id: Option<String>,
    /// What it was done to.
    pub target: Option<String>,
    /// The evidence, JSON.
    pub data: Value,
    /// The private parts that were not erased, by name.
    pub private: serde_json::Map<String, Value>,
}

impl Recorded {
    /// A text inside a private part. `None`: erased, or never there.
    pub fn private_text(&self, part: Part, member: &str) -> Option<&str> {
        self.private.get(part.as_str())?.get(member)?.as_str()
    }
}

/// Which events a list shows, newest first.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only before this event.
    pub before: Option<Cursor>,
    /// Rows at most.
    pub limit: u32,
}

/// The result of checking the whole chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Events checked.
    pub events: i64,
    /// Private parts whose commitment was checked.
    pub private_parts: i64,
    /// The last leaf: compare it with a head kept elsewhere.
    pub head: Digest,
}
