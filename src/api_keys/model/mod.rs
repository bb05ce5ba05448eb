//! What a key is.

mod limits;
mod owner;
mod refusal;
mod state;

use std::net::IpAddr;
use std::time::Duration;

pub use limits::{Budget, LimitFault, Limits, NETWORKS_MAX, Period, RATE_MAX, parse_networks};
pub use owner::Owner;
pub(super) use owner::OwnerWords;
pub use refusal::Refusal;
pub use state::{Ended, KeyEvent, KeyState, state_now};

use crate::base::{AccountId, ApiKeyId, Scopes, Secret, SharedText, Timestamp, WorkspaceId, days, is_visible};

/// Live keys a workspace may have.
pub const KEYS_PER_WORKSPACE_MAX: i64 = 1000;

/// A name for people: 1 to 64 visible characters.
#[derive(Clone, Debug)]
pub struct KeyName(String);

impl KeyName {
    /// Reads a name. `None`: empty, too long, or with characters that do not print.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        let fits = (1..=64).contains(&name.chars().count()) && is_visible(name);
        fits.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When a new key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never, unless the site has a longest life.
    Never,
    /// After this long.
    After(Duration),
}

impl Expiry {
    /// The choices of the page, as value and words.
    pub const PRESETS: [(&'static str, &'static str); 5] =
        [("7d", "7 days"), ("30d", "30 days"), ("60d", "60 days"), ("90d", "90 days"), ("365d", "1 year")];

    /// Reads `never` or a span such as `90d`, up to [`LIFE_MAX`]. `None`: neither.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "never" {
            return Some(Self::Never);
        }
        crate::config::parse_duration(text).filter(|life| *life <= LIFE_MAX).map(Self::After)
    }

    /// Up to the end of a day written `2026-05-03`, in UTC. `None`: no day, not in the future, or beyond [`LIFE_MAX`].
    pub fn on_day(text: &str, now: Timestamp) -> Option<Self> {
        let is_day = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let end = Timestamp::parse(text).filter(|_| is_day)?.plus(days(1));
        let life = end.since(now);
        (!life.is_zero() && life <= LIFE_MAX).then_some(Self::After(life))
    }
}

/// Ten years: longer spans are told from never by nobody.
pub const LIFE_MAX: Duration = days(3653);
/// An overlap of a rotation that nobody asked for: a day to bring the new key out.
pub const OVERLAP_DEFAULT: Duration = days(1);
/// The longest overlap: longer, and two keys are a habit.
pub const OVERLAP_MAX: Duration = days(7);
/// A quarantined key that nobody restores ends after this.
pub const QUARANTINE: Duration = days(1);

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// For people.
    pub name: KeyName,
    /// Scope names as chosen, checked against the table by the operation.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expiry: Expiry,
    /// From where, how fast, for how much.
    pub limits: Limits,
}

/// A key as listed: everything but its text.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Opaque, for ever.
    pub id: ApiKeyId,
    /// The one workspace it reaches.
    pub workspace: WorkspaceId,
    /// The person it acts for.
    pub account: AccountId,
    /// For people.
    pub name: String,
    /// Its first characters.
    pub display: String,
    /// Scope names, separated by spaces.
    pub scopes: String,
    /// Where in its life, now.
    pub state: KeyState,
    /// Since when somebody decided so; an end by itself is in `expires_at` and `retire_at`.
    pub state_at: Timestamp,
    /// Where a quarantined key goes back to.
    pub state_before: Option<KeyState>,
    /// Why a revoked key ended. `None`: it did not.
    pub ended: Option<Ended>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when. `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// When the overlap with its successor ends. `None`: it has none.
    pub retire_at: Option<Timestamp>,
    /// When it was revoked. `None`: it was not.
    pub revoked_at: Option<Timestamp>,
    /// The key it replaced. `None`: none.
    pub predecessor: Option<ApiKeyId>,
    /// The first of its line.
    pub family: ApiKeyId,
    /// From where, how fast, for how much.
    pub limits: Limits,
    /// Its budget is spent, and it is refused until then. `None`: it is not.
    pub spent_until: Option<Timestamp>,
    /// Whether its text is kept, sealed, for its owner.
    pub is_kept: bool,
    /// When it was last used, to the minute. `None`: never.
    pub last_used_at: Option<Timestamp>,
    /// How often it was used.
    pub uses: i64,
    /// Whence it was last used, as far as that was known.
    pub last_address: String,
    /// By which program, as it calls itself.
    pub last_agent: String,
}

impl ApiKey {
    /// When programs are refused by the passing of time alone. `None`: never.
    pub fn good_until(&self) -> Option<Timestamp> {
        [self.expires_at, self.retire_at].into_iter().flatten().min()
    }
}

/// What an owner may change about a key that lives: never its scopes, its end or its text.
#[derive(Clone, Debug)]
pub struct KeyChange {
    /// For people.
    pub name: KeyName,
    /// From where, how fast, for how much.
    pub limits: Limits,
}

/// A key that was just made, with its text: shown once.
pub struct CreatedApiKey {
    /// The key.
    pub key: ApiKey,
    /// Its text.
    pub secret: Secret<String>,
}

/// A key that is good, and all that a verifier wants to know of it. What it shares with the other keys of its owner is
/// in [`Owner`] and read as if it stood here.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The key.
    pub key: ApiKeyId,
    /// Whose it is.
    pub owner: Owner,
    /// Scope names, separated by spaces.
    pub scope: SharedText,
    /// The rights behind them, cut by the role.
    pub rights: Scopes,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when: its own end, or that of the overlap with its successor. `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// What is left of its rate after this request. `None`: it has none, or this door does not count.
    pub pace: Option<Pace>,
    /// Where this use is noted. `None`: nowhere.
    pub(in crate::api_keys) noted: Option<Noted>,
}

/// A place where the use of a key is noted until it is written down. What stands there says whose use it is: after a writing
/// it may be another's, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::api_keys) struct Noted(pub u16);

/// What is left of a rate, in the words of draft-ietf-httpapi-ratelimit-headers-11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Requests a minute.
    pub quota: u32,
    /// Requests that would be let in now.
    pub remaining: u32,
    /// Seconds until all of the quota is there again.
    pub reset_seconds: u32,
}

/// Where a key is shown: what counts against its rate, and how its use is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The key holder's own routes.
    Api,
    /// A service asks about it.
    Introspect,
    /// A gateway asks about a request that carries it.
    ForwardAuth,
    /// It is exchanged for a token.
    Token,
}

impl Door {
    /// Every door, in the order of [`Door::place`].
    pub const ALL: [Self; 4] = [Self::Api, Self::Introspect, Self::ForwardAuth, Self::Token];

    /// Its place in a row of counters.
    pub const fn place(self) -> usize {
        self as usize
    }

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Introspect => "introspect",
            Self::ForwardAuth => "forward_auth",
            Self::Token => "token",
        }
    }

    /// Whether a request here is one of the key's own. A service may ask as often as it likes: that says nothing about how
    /// often the key was used.
    pub const fn is_paced(self) -> bool {
        !matches!(self, Self::Introspect)
    }
}

/// A question about a key.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Where.
    pub door: Door,
    /// Whence the key came: the program's address, never the gateway's. `None`: nobody said, so a key with a list of networks
    /// is refused.
    pub address: Option<IpAddr>,
    /// What the program calls itself. Empty: nothing.
    pub agent: &'a str,
    /// The rights that are asked for: remembered as used. Whether the key has them, the caller decides.
    pub wanted: Scopes,
}

impl Asked<'_> {
    /// At a door, about nothing in particular, from nowhere known.
    pub const fn at(door: Door) -> Self {
        Self { door, address: None, agent: "", wanted: Scopes::NONE }
    }
}

/// What an owner decided about the keys of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Days a new key may live at most.
    pub max_life_days: u32,
}

/// Uses of a key on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayOfUse {
    /// Its number since 1970.
    pub day: i64,
    /// Requests, at all doors.
    pub uses: i64,
}

/// Somebody who called with a key that is being replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCaller {
    /// The network address. Empty: not known.
    pub address: String,
    /// The program, as it calls itself.
    pub agent: String,
    /// When last.
    pub last_at: Timestamp,
    /// How often.
    pub uses: i64,
}

impl std::ops::Deref for Verified {
    type Target = Owner;

    fn deref(&self) -> &Owner {
        &self.owner
    }
}
