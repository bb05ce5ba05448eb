//! What a key is.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{AccountId, ApiKeyId, Role, Scopes, Secret, Timestamp, WorkspaceId, days, is_visible};

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
    /// The choices of the page, as value and words; the third is preselected.
    pub const PRESETS: [(&'static str, &'static str); 5] =
        [("30d", "30 days"), ("60d", "60 days"), ("90d", "90 days"), ("365d", "1 year"), ("never", "No expiration")];

    /// Reads `never` or a span such as `90d`, up to ten years. `None`: neither.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "never" {
            return Some(Self::Never);
        }
        crate::config::parse_duration(text).filter(|life| *life <= days(3653)).map(Self::After)
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// For people.
    pub name: KeyName,
    /// Scope names as chosen, checked against the table by the operation.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expiry: Expiry,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Active,
    /// Its time is over.
    Expired,
    /// Ended by somebody, for ever.
    Revoked,
}

impl KeyState {
    /// As shown and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
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
    /// Since when.
    pub created_at: Timestamp,
    /// Until when. `None`: for ever.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked. `None`: it was not.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute. `None`: never.
    pub last_used_at: Option<Timestamp>,
    /// How often it was used.
    pub uses: i64,
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
    pub owner: Arc<Owner>,
    /// Scope names, separated by spaces.
    pub scope: Arc<str>,
    /// The rights behind them, cut by the role.
    pub rights: Scopes,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when. `None`: for ever.
    pub expires_at: Option<Timestamp>,
}

impl std::ops::Deref for Verified {
    type Target = Owner;

    fn deref(&self) -> &Owner {
        &self.owner
    }
}

/// Who is behind the keys of one person in one workspace: active, and a member there.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The person the key acts for.
    pub account: AccountId,
    /// Their username.
    pub username: String,
    /// What to call them.
    pub display_name: String,
    /// Where they can be written to.
    pub email: String,
    /// The workspace it reaches.
    pub workspace: WorkspaceId,
    /// What the person is there.
    pub role: Role,
    /// The workspace's plan.
    pub plan: String,
    /// The region of its data.
    pub region: String,
}

/// A key that is not good: malformed, unknown, revoked, expired, or its owner is not active. Which of these is nobody's
/// business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotGood;
