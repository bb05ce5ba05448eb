//! Why a key is refused.

use crate::base::RateLimit;

/// Why a key is refused for this request.
///
/// A program that sends the whole text of a key may learn what the owner did with it. A text that never was a key and a
/// key that does not exist any more give the same response, [`Refusal::Unknown`]. Introspection never gives a reason
/// (RFC 7662 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The text does not have the form or the checksum of a key.
    Malformed,
    /// There is no such key, it was revoked, or its owner is not active.
    Unknown,
    /// It was replaced, and the overlap with its successor is over. The response is that of [`Refusal::Unknown`].
    Replaced,
    /// It has expired.
    Expired,
    /// Its owner disabled it.
    Disabled,
    /// It was found in public, and waits for its owner.
    Quarantined,
    /// It has a list of networks, and the address is not in one of them or is unknown.
    Network,
    /// Its budget is spent.
    BudgetSpent,
    /// It is used more often than its rate limit allows.
    RateLimited {
        /// Requests a minute that are allowed.
        quota: u32,
        /// Seconds until the next request will be admitted, at least 1.
        retry_after_seconds: u32,
    },
}

impl Refusal {
    /// The code of the refusal, for programs with the key and for gateways. It never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_key",
            Self::Unknown | Self::Replaced => "invalid_key",
            Self::Expired => "key_expired",
            Self::Disabled => "key_disabled",
            Self::Quarantined => "key_quarantined",
            Self::Network => "network_not_allowed",
            Self::BudgetSpent => "budget_exhausted",
            Self::RateLimited { .. } => "rate_limited",
        }
    }

    /// The HTTP status: 401 when another key is needed, 403 when the network or the budget has to change, 429 when the
    /// program has to wait.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::Unknown | Self::Replaced | Self::Expired | Self::Disabled | Self::Quarantined => {
                401
            }
            Self::Network | Self::BudgetSpent => 403,
            Self::RateLimited { .. } => 429,
        }
    }

    /// The state of the rate limit that refused the request. `None`: it was refused for another reason.
    pub const fn rate_limit(self) -> Option<RateLimit> {
        match self {
            Self::RateLimited { quota, retry_after_seconds } => {
                Some(RateLimit { quota, remaining: 0, reset_seconds: retry_after_seconds })
            }
            _ => None,
        }
    }
}
