//! Why a key does not open a door.

/// A key that is not good here and now.
///
/// Whoever shows the whole text of a key may be told what its owner did with it: that a text is none of ours, or of a key
/// that is gone, is one answer, [`Refusal::Unknown`]. Introspection tells nobody anything (RFC 7662 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has not the form or the checksum of a key.
    Malformed,
    /// There is no such key, it was revoked, or its owner is not active.
    Unknown,
    /// It was replaced, and the overlap with its successor is over. Told as [`Refusal::Unknown`].
    Replaced,
    /// Its time is over.
    Expired,
    /// Its owner stopped it.
    Disabled,
    /// It was found where it should not be.
    Quarantined,
    /// It may not be used from this address, or from an unknown one.
    Network,
    /// What may be charged for it is charged.
    BudgetSpent,
    /// Too many requests.
    TooFast {
        /// Requests a minute that are let in.
        quota: u32,
        /// Seconds until the next one is let in, at least 1.
        retry_after_seconds: u32,
    },
}

impl Refusal {
    /// Stable, for programs that hold the key or stand before them.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_key",
            Self::Unknown | Self::Replaced => "invalid_key",
            Self::Expired => "key_expired",
            Self::Disabled => "key_disabled",
            Self::Quarantined => "key_quarantined",
            Self::Network => "network_not_allowed",
            Self::BudgetSpent => "budget_exhausted",
            Self::TooFast { .. } => "rate_limited",
        }
    }

    /// The HTTP status that says it: 401 where another key is needed, 403 where another place or time, 429 where patience.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Unknown | Self::Replaced | Self::Expired | Self::Disabled | Self::Quarantined => {
                401
            }
            Self::Network | Self::BudgetSpent => 403,
            Self::TooFast { .. } => 429,
        }
    }
}
