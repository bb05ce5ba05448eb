//! The life of a key.
//!
//! ```text
//!             rotate                retire
//!   active ──────────── retiring ──────────┐
//!     │ │                  │ │             │
//!     │ │ disable, enable  │ │ expose      ▼
//!     │ └──── disabled     │ └──┐       revoked      from everywhere: revoke
//!     │ expose    │ expose │    │          ▲
//!     └───────────┴────────┴─ quarantined ─┘         from everywhere: expired, when its time is over
//!                               │
//!                               └ restore: back to where it was
//! ```

use crate::base::Timestamp;

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Active,
    /// It has a successor, and is good until the overlap ends.
    Retiring,
    /// Its owner stopped it, and can start it again.
    Disabled,
    /// Somebody found it where it should not be; its owner decides.
    Quarantined,
    /// Its time is over.
    Expired,
    /// Ended, for ever.
    Revoked,
}

/// The state of a key now: what somebody decided, and what the time made of it.
pub fn state_now(
    stored: KeyState,
    expires_at: Option<Timestamp>,
    retire_at: Option<Timestamp>,
    now: Timestamp,
) -> KeyState {
    let is_past = |end: Option<Timestamp>| end.is_some_and(|end| end <= now);
    match stored {
        KeyState::Revoked => KeyState::Revoked,
        KeyState::Retiring if is_past(retire_at) => KeyState::Revoked,
        _ if is_past(expires_at) => KeyState::Expired,
        stored => stored,
    }
}

/// What can happen to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// It gets a successor.
    Rotate,
    /// The overlap with its successor ends.
    Retire,
    /// Its owner stops it.
    Disable,
    /// Its owner starts it again.
    Enable,
    /// Somebody reports where it was found.
    Expose,
    /// Its owner says that it is safe after all.
    Restore,
    /// Somebody ends it.
    Revoke,
}

impl KeyEvent {
    /// Every event.
    pub const ALL: [Self; 7] =
        [Self::Rotate, Self::Retire, Self::Disable, Self::Enable, Self::Expose, Self::Restore, Self::Revoke];
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::Retiring, Self::Disabled, Self::Quarantined, Self::Expired, Self::Revoked];

    /// As stored, sent and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Disabled => "disabled",
            Self::Quarantined => "quarantined",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether there is no way back to life.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Revoked)
    }

    /// Whether programs get in with it.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Active | Self::Retiring)
    }

    /// The state after `event`; `before` is where a quarantined key was. `None`: this cannot happen to such a key.
    ///
    /// A key that retires is not disabled: it ends soon, and who does not want to wait revokes it. One that has expired can
    /// still be revoked, which takes its digest away.
    pub const fn after(self, event: KeyEvent, before: Option<Self>) -> Option<Self> {
        match (self, event) {
            (Self::Active, KeyEvent::Rotate) => Some(Self::Retiring),
            (Self::Active, KeyEvent::Disable) => Some(Self::Disabled),
            (Self::Disabled, KeyEvent::Enable) => Some(Self::Active),
            (Self::Active | Self::Retiring | Self::Disabled, KeyEvent::Expose) => Some(Self::Quarantined),
            (Self::Quarantined, KeyEvent::Restore) => before,
            (Self::Retiring, KeyEvent::Retire) => Some(Self::Revoked),
            (Self::Active | Self::Retiring | Self::Disabled | Self::Quarantined | Self::Expired, KeyEvent::Revoke) => {
                Some(Self::Revoked)
            }
            _ => None,
        }
    }
}

/// Why a revoked key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Asked,
    /// The overlap with its successor was over.
    Rotated,
    /// It was found where it should not be.
    Exposed,
}

impl Ended {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Rotated => "rotated",
            Self::Exposed => "exposed",
        }
    }

    /// Reads the written form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Asked, Self::Rotated, Self::Exposed].into_iter().find(|ended| ended.as_str() == text)
    }
}
