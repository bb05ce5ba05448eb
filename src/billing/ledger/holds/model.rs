//! What a hold is. Pure.

use crate::base::{ApiKeyId, Credits, HoldId, LotId, Timestamp, WorkspaceId};

/// The state of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Its credit is reserved.
    Active,
    /// The usage has ended.
    Settled,
    /// The usage has not happened.
    Released,
    /// Nobody closed it in time.
    Expired,
}

impl HoldState {
    const ALL: [Self; 4] = [Self::Active, Self::Settled, Self::Released, Self::Expired];

    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Settled => "settled",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Reserved credit of a wallet, and of the budget of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    #[allow(missing_docs)]
    pub id: HoldId,
    /// The workspace whose credit is reserved.
    pub workspace: WorkspaceId,
    /// The family of keys whose budget is reserved too. `None`: of none.
    pub family: Option<ApiKeyId>,
    /// What was reserved at first.
    pub amount: Credits,
    /// What was charged to it, up to `amount`.
    pub captured: Credits,
    #[allow(missing_docs)]
    pub state: HoldState,
    /// When it expires, unless it is closed before.
    pub expires_at: Timestamp,
}

impl Hold {
    /// What it still reserves while it is active.
    pub fn left(&self) -> Credits {
        // `captured` is at most `amount`.
        self.amount.minus(self.captured).unwrap_or(Credits::ZERO)
    }

    /// Whether its time is over.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}

/// Credit to reserve.
#[derive(Clone, Copy, Debug)]
pub struct NewHold {
    #[allow(missing_docs)]
    pub id: HoldId,
    /// The workspace whose credit is reserved.
    pub workspace: WorkspaceId,
    /// The key whose budget is reserved too. `None`: of none.
    pub key: Option<ApiKeyId>,
    /// The amount, above zero.
    pub amount: Credits,
    /// When it expires, unless it is closed before.
    pub expires_at: Timestamp,
}

/// What a hold still reserves in one lot.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReservedPart {
    pub n: i64,
    pub lot: LotId,
    pub reserved: Credits,
}
