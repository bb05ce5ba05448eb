//! API keys: types and pure rules.

mod acts;
mod expiry;
mod exposure;
mod limits;
mod rotation;
mod state;
mod usage;

use std::time::Duration;

pub use acts::KeyActs;
pub use expiry::{Expiry, ExpiryOffer, LIFE_MAX, NEVER, ON_DAY};
pub use exposure::{Exposure, exposure_place};
pub use limits::{Budget, LimitFault, Limits, NETWORKS_MAX, Period, RATE_MAX, parse_networks, stored_networks};
pub use rotation::{OVERLAP_DEFAULT, OVERLAP_MAX, RotationPreview, SuccessorLife, parse_overlap};
pub use state::{KeyEvent, KeyState, RevokeReason, state_now};
pub use usage::{KeyUsage, LookupDigest, UsageBatch, UsageDetail};

use crate::base::{AccountId, ApiKeyId, Secret, Timestamp, WorkspaceId, days, is_visible, visible_lines};

/// Live keys that a workspace can have at most.
pub const KEYS_PER_WORKSPACE_MAX: i64 = 1000;

/// The name of a key, for people: 1 to 64 visible characters.
#[derive(Clone, Debug)]
pub struct KeyName(String);

impl KeyName {
    /// Parses a name, without spaces at both ends. `None`: it is empty, too long, or has characters that do not print.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        let fits = (1..=64).contains(&name.chars().count()) && is_visible(name);
        fits.then(|| Self(name.to_owned()))
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters of a [`KeyNote`] at most.
pub const NOTE_CHARS_MAX: usize = 500;

/// What the owner wrote about a key: at most 500 visible characters on one or more lines. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyNote(String);

impl KeyNote {
    /// Parses a note, without spaces at both ends; line ends become `\n`. `None`: it is too long, or has characters that
    /// do not print.
    pub fn parse(text: &str) -> Option<Self> {
        visible_lines(text).filter(|note| note.chars().count() <= NOTE_CHARS_MAX).map(Self)
    }

    #[allow(missing_docs)]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A quarantined key is revoked after this time, unless its owner restores it.
pub const QUARANTINE: Duration = days(1);

/// The parameters of a new key.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewApiKey {
    pub name: KeyName,
    pub note: KeyNote,
    /// Scope names as chosen. The operation checks them against the table.
    pub scopes: Vec<String>,
    pub expiry: Expiry,
    pub limits: Limits,
}

/// A key with all its facts, except its text.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// The only workspace that it reaches.
    pub workspace: WorkspaceId,
    /// The person it acts for.
    pub account: AccountId,
    pub name: String,
    /// What its owner wrote about it. Empty: nothing.
    pub note: String,
    /// The first characters of its text, as lists show them.
    pub display: String,
    /// Scope names, separated by spaces.
    pub scopes: String,
    /// The state now, with ends that have passed taken into account.
    pub state: KeyState,
    /// When the stored state was set. Ends by time are in `expires_at` and `retire_at`.
    pub state_at: Timestamp,
    /// The state to which a quarantined key returns when it is restored.
    pub state_before: Option<KeyState>,
    /// `None`: it is not revoked.
    pub revoke_reason: Option<RevokeReason>,
    pub created_at: Timestamp,
    /// `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When the overlap with its successor ends. `None`: it has no successor.
    pub retire_at: Option<Timestamp>,
    /// `None`: it is not revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that it replaced. `None`: it replaced none.
    pub predecessor: Option<ApiKeyId>,
    /// The first key of its family. A family is a chain of rotations and shares one budget.
    pub family: ApiKeyId,
    pub limits: Limits,
    /// The budget is spent, and the key is refused until this time. `None`: a part of the budget is left.
    pub spent_until: Option<Timestamp>,
    /// Whether its text is stored, sealed, for its owner.
    pub is_kept: bool,
    /// The last use, to the minute. `None`: it was never used.
    pub last_used_at: Option<Timestamp>,
    /// The number of its uses.
    pub uses: i64,
    /// The address of the last use. Empty: unknown.
    pub last_address: String,
    /// The program of the last use, by its `User-Agent`. Empty: unknown.
    pub last_agent: String,
}

/// What an owner can change about a live key. Scopes, end and text never change.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct KeyChange {
    pub name: KeyName,
    pub note: KeyNote,
    pub limits: Limits,
}

/// A new key with its text, which is shown once.
#[allow(missing_docs)]
pub struct CreatedApiKey {
    pub key: ApiKey,
    pub secret: Secret<String>,
    /// When the overlap of the key that it replaces ends. `None`: it replaces none.
    pub predecessor_ends_at: Option<Timestamp>,
}

/// The entry point at which a key comes in. Uses are counted by channel. The column of the database is called `door`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A program calls a route under `/api/` with the key.
    Api,
    /// A service introspects the key.
    Introspect,
    /// A gateway asks about a request that carries the key.
    ForwardAuth,
    /// The key is exchanged for a token.
    Token,
}

impl Channel {
    /// Every channel, in the order of [`Channel::index`].
    pub const ALL: [Self; 4] = [Self::Api, Self::Introspect, Self::ForwardAuth, Self::Token];

    /// Its index in an array of counters, from 0 to 3.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Introspect => "introspect",
            Self::ForwardAuth => "forward_auth",
            Self::Token => "token",
        }
    }

    /// Whether the key's rate limit applies. It does not apply to introspection, because how often a service asks says
    /// nothing about how often the key is used.
    pub const fn is_rate_limited(self) -> bool {
        !matches!(self, Self::Introspect)
    }
}

/// The rules of a workspace for its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The maximum lifetime of a new key, in days.
    pub max_life_days: u32,
}

/// The uses of a key on one day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyUse {
    /// The number of days since 1 January 1970.
    pub day: i64,
    /// Requests through all channels.
    pub uses: i64,
}

/// A program that called with a key that is being replaced, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct KeyCaller {
    /// The network address. Empty: unknown.
    pub address: String,
    /// The `User-Agent` of the program. Empty: unknown.
    pub agent: String,
    pub last_at: Timestamp,
    pub uses: i64,
}
