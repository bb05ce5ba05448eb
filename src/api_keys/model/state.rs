//! The states of a key.
//!
//! ```text
//!             rotate                retire
//!   active ──────────── retiring ──────────┐
//!     │ │                  │ │             │
//!     │ │ disable, enable  │ │ expose      ▼
//!     │ └──── disabled     │ └──┐       revoked      from every state: revoke
//!     │ expose    │ expose │    │          ▲
//!     └───────────┴────────┴─ quarantined ─┘         from every state: expired, when `expires_at` has passed
//!                               │
//!                               └ restore: back to the state before
//! ```

use crate::base::Timestamp;

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Active,
    /// It was rotated: it has a successor, and is good until the overlap ends.
    Retiring,
    /// Its owner disabled it, and can enable it again.
    Disabled,
    /// It was reported as found in public. Its owner decides whether it is restored or revoked.
    Quarantined,
    /// Its expiry has passed.
    Expired,
    /// It has ended and never comes back.
    Revoked,
}

/// The state of a key now: the stored state, changed by ends that have passed.
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
    /// Its owner disables it.
    Disable,
    /// Its owner enables it again.
    Enable,
    /// It is reported as found in public.
    Expose,
    /// Its owner takes it out of quarantine.
    Restore,
    /// Its owner, the operator or the system ends it.
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

    /// The name as stored, and as interfaces send it.
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

    /// Parses the name. `None`: it is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the key has ended for good.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Revoked)
    }

    /// Whether programs can use it.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Active | Self::Retiring)
    }

    /// The state after `event`. `before` is the state before the quarantine. `None`: the event is not possible in this
    /// state.
    ///
    /// A retiring key cannot be disabled: it ends soon, and can be revoked earlier. An expired key can still be
    /// revoked, which removes its digest.
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

/// Why a key was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    /// Its owner or the operator revoked it.
    Requested,
    /// The overlap with its successor was over.
    Rotated,
    /// It was found in public.
    Exposed,
}

impl RevokeReason {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "asked",
            Self::Rotated => "rotated",
            Self::Exposed => "exposed",
        }
    }

    /// Parses the name. `None`: it is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Requested, Self::Rotated, Self::Exposed].into_iter().find(|reason| reason.as_str() == text)
    }
}
