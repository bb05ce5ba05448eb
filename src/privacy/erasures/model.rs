//! An erasure with what became of it: types and pure rules.

use crate::base::{AccountId, CommandId, RequestId, ServiceId, Timestamp, WorkspaceId, is_visible};
use crate::inbox::Retention;

/// What a service has said about an erasure, and what is known if it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAnswer {
    /// It was asked.
    Requested,
    /// It said that it began.
    InProgress,
    /// Its time is over.
    Overdue,
    /// It deleted everything.
    Completed,
    /// It deleted everything except for what a law lets it keep.
    Retained(Retention),
    /// It refuses. An operator has to act.
    Rejected(String),
    /// It could not. It is asked again a day later.
    Failed(String),
    /// It was disconnected before it answered. An operator has to attest.
    Disconnected,
    /// An operator attested that the data is gone.
    Attested,
}

impl ServiceAnswer {
    /// The word for programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::InProgress => "in_progress",
            Self::Overdue => "overdue",
            Self::Completed => "completed",
            Self::Retained(_) => "retained",
            Self::Rejected(_) => "rejected",
            Self::Failed(_) => "failed",
            Self::Disconnected => "disconnected",
            Self::Attested => "attested",
        }
    }

    /// What people read.
    pub fn sentence(&self) -> String {
        match self {
            Self::Requested => "was asked to delete everything".to_owned(),
            Self::InProgress => "is deleting".to_owned(),
            Self::Overdue => "has not answered in time".to_owned(),
            Self::Completed => "has deleted everything".to_owned(),
            Self::Retained(kept) => {
                format!(
                    "keeps some data for {}, until {}, and has deleted the rest",
                    kept.basis.label(),
                    kept.until.day()
                )
            }
            Self::Rejected(_) => "has refused, so the operator has to act".to_owned(),
            Self::Failed(_) => "could not delete yet, and is asked again".to_owned(),
            Self::Disconnected => "was disconnected before it answered, so the operator has to confirm".to_owned(),
            Self::Attested => "could not answer; the operator has confirmed that the data is gone".to_owned(),
        }
    }

    /// Whether the receipt need not wait for it.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Completed | Self::Retained(_) | Self::Attested)
    }

    /// Whether nothing happens until an operator acts.
    pub const fn needs_operator(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Disconnected)
    }

    /// What a law lets the service keep. `None`: it keeps nothing, or has not said so.
    pub const fn retention(&self) -> Option<Retention> {
        match self {
            Self::Retained(kept) => Some(*kept),
            _ => None,
        }
    }

    /// Why the service could not, for operators. `None`: it gave no reason.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected(reason) | Self::Failed(reason) => Some(reason.as_str()).filter(|reason| !reason.is_empty()),
            _ => None,
        }
    }
}

/// An erasure at one service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ErasureAtService {
    pub service: ServiceId,
    pub name: String,
    pub requested_at: Timestamp,
    /// `None`: it could not be asked.
    pub command: Option<CommandId>,
    /// Until when it has to answer next. `None`: it answered, or cannot.
    pub due_at: Option<Timestamp>,
    pub answer: ServiceAnswer,
    /// When it answered, or said that it began. `None`: it did not.
    pub answered_at: Option<Timestamp>,
}

/// Who was erased, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Erased {
    pub receipt: RequestId,
    pub account: AccountId,
    /// `None`: not known.
    pub workspace: Option<WorkspaceId>,
    pub erased_at: Timestamp,
}

/// An erasure, with everything that its receipt waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ErasureReport {
    pub erased: Erased,
    /// Whether the deleted rows are no longer in the write-ahead log.
    pub is_log_emptied: bool,
    /// Whether the published snapshot was made after the erasure.
    pub is_snapshot_replaced: bool,
    /// When it was. `None`: not yet, or not known.
    pub snapshot_replaced_at: Option<Timestamp>,
    /// When the last copy of the database from before the erasure is deleted. `None`: there was none.
    pub copies_until: Option<Timestamp>,
    /// Things that services have not confirmed as deleted.
    pub items: u32,
    /// By name.
    pub services: Vec<ErasureAtService>,
    /// `None`: it is not final.
    pub final_at: Option<Timestamp>,
}

impl ErasureReport {
    /// Whether nothing is left to do.
    pub fn is_complete(&self) -> bool {
        self.is_log_emptied
            && self.is_snapshot_replaced
            && self.items == 0
            && self.services.iter().all(|one| one.answer.is_settled())
    }

    /// Whether nothing happens until an operator acts.
    pub fn needs_operator(&self) -> bool {
        self.final_at.is_none() && self.services.iter().any(|one| one.answer.needs_operator())
    }

    /// How many services the receipt need not wait for.
    pub fn settled(&self) -> usize {
        self.services.iter().filter(|one| one.answer.is_settled()).count()
    }

    /// The word for programs.
    pub fn state(&self) -> &'static str {
        if self.final_at.is_some() {
            "final"
        } else if self.needs_operator() {
            "needs_operator"
        } else {
            "open"
        }
    }

    /// See [`ErasureReport::final_at`].
    pub const fn is_final(&self) -> bool {
        self.final_at.is_some()
    }

    /// What of the person remains until when, as a sentence. `None`: no copy of the database remains.
    pub fn remaining(&self, now: Timestamp) -> Option<String> {
        let until = self.copies_until.filter(|until| now < *until)?;
        Some(format!(
            "Encrypted copies of the database from before an upgrade or a restore still contain the data. The last of them is \
             deleted on {}.",
            until.day()
        ))
    }

    /// What the receipt waits for, as sentences.
    pub fn open_items(&self) -> Vec<String> {
        if self.is_final() {
            return Vec::new();
        }
        let open = self.services.iter().filter(|one| !one.answer.is_settled());
        let services = open.map(|one| format!("{}: {}.", one.name, one.answer.sentence()));
        services.chain(self.open_besides_services()).collect()
    }

    /// What the receipt waits for, besides the answers of services.
    pub fn open_besides_services(&self) -> Vec<String> {
        let mut items = Vec::new();
        if !self.is_log_emptied {
            items.push(
                "The write-ahead log of the database may still contain the person. It is emptied within minutes."
                    .to_owned(),
            );
        }
        if !self.is_snapshot_replaced {
            items.push(
                "The file for backup jobs may still contain the person. It is replaced within minutes.".to_owned(),
            );
        }
        match self.items {
            0 => {}
            1 => items.push("1 item is not confirmed as deleted by its service.".to_owned()),
            count => items.push(format!("{count} items are not confirmed as deleted by their services.")),
        }
        items
    }
}

/// Which erasures a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErasureFilter {
    /// All.
    #[default]
    All,
    /// Those whose receipt is not final.
    Open,
}

impl ErasureFilter {
    /// The word in addresses and arguments.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Open => "open",
        }
    }

    /// Whether it lets only those pass whose receipt is not final.
    pub fn is_open(self) -> bool {
        self == Self::Open
    }

    /// Reads the word; another one is [`ErasureFilter::All`].
    pub fn parse(text: &str) -> Self {
        if text == Self::Open.as_str() { Self::Open } else { Self::All }
    }
}

/// The longest statement of an operator, in characters.
const STATEMENT_MAX: usize = 1_000;

/// What an operator attests, in their own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement(String);

impl Statement {
    /// `None`: it is empty, too long, or has characters that cannot be seen.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_fine = (1..=STATEMENT_MAX).contains(&text.chars().count()) && is_visible(text);
        is_fine.then(|| Self(text.to_owned()))
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A row of `erasure`.
#[derive(Clone, Debug)]
pub(super) struct ErasureRow {
    pub erased: Erased,
    pub snapshot_replaced_at: Option<Timestamp>,
    pub copies_until: Option<Timestamp>,
    pub final_at: Option<Timestamp>,
}

/// A row of `erasure_service`.
#[derive(Clone, Debug)]
pub(super) struct ServiceRow {
    pub service: ServiceId,
    pub requested_at: Timestamp,
    pub command: Option<CommandId>,
    /// With when. `None`: it has not answered.
    pub answer: Option<(ServiceAnswer, Timestamp)>,
}
