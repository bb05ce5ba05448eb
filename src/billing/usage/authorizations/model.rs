//! What a service may charge, and how its authorizations work. Pure.

use std::time::Duration;

use super::super::model::Meter;
use crate::base::{ApiKeyId, Credits, HoldId, Quantity, ServiceId, Timestamp, WorkspaceId, hours};
use crate::config::UsageCategory;

/// Usage that has not happened yet.
#[derive(Clone, Debug)]
pub struct UsageRequest {
    /// The workspace that pays.
    pub workspace: WorkspaceId,
    /// What is going to be used.
    pub sku: String,
    #[allow(missing_docs)]
    pub quantity: Quantity,
    /// The API key of the usage, whose budget counts too. `None`: none.
    pub key: Option<ApiKeyId>,
}

/// What usage would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The price of the quantity, with the margin of the service.
    pub amount: Credits,
    /// What the workspace can spend now, and the key if one is named. Below zero: its debt.
    pub available: Credits,
}

/// How the authorizations of a service work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    #[allow(missing_docs)]
    pub mode: Mode,
    /// How much more than the price is authorized, in percent of it: 0 to 100.
    pub margin_percent: u8,
    /// How long credit is reserved: a minute to a year.
    pub hold_for: Duration,
}

/// What an authorization does with the credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It reserves it.
    Hold,
    /// It only checks that it is there.
    Check,
}

impl Mode {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Check => "check",
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hold, Self::Check].into_iter().find(|mode| mode.as_str() == text)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { mode: Mode::Hold, margin_percent: 0, hold_for: hours(24) }
    }
}

/// What of a policy changes. `None`: it stays as it is.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct PolicyChange {
    pub mode: Option<Mode>,
    pub margin_percent: Option<u8>,
    pub hold_for: Option<Duration>,
}

impl Policy {
    /// With the change.
    #[must_use]
    pub fn with(self, change: PolicyChange) -> Self {
        Self {
            mode: change.mode.unwrap_or(self.mode),
            margin_percent: change.margin_percent.unwrap_or(self.margin_percent),
            hold_for: change.hold_for.unwrap_or(self.hold_for),
        }
    }

    /// The price with the margin, rounded up. `None`: beyond the largest amount.
    pub fn with_margin(&self, price: Credits) -> Option<Credits> {
        let hundredths = i128::from(price.micro()) * i128::from(100 + u32::from(self.margin_percent));
        Credits::from_micro(i64::try_from((hundredths + 99) / 100).ok()?)
    }
}

/// The state of an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationState {
    /// Usage is reported for it.
    Open,
    /// The usage has ended.
    Settled,
    /// The usage has not happened.
    Released,
}

impl AuthorizationState {
    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Released => "released",
        }
    }

    /// Parses the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Settled, Self::Released].into_iter().find(|state| state.as_str() == text)
    }
}

/// What a service may charge a workspace for one thing.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Also the id of its hold, if it has one.
    pub id: HoldId,
    #[allow(missing_docs)]
    pub service: ServiceId,
    /// The workspace that pays.
    pub workspace: WorkspaceId,
    /// The API key of the usage. `None`: none.
    pub key: Option<ApiKeyId>,
    /// What is used.
    pub sku: String,
    /// The unit that a quantity counts.
    pub unit: String,
    #[allow(missing_docs)]
    pub category: UsageCategory,
    #[allow(missing_docs)]
    pub quantity: Quantity,
    /// Credits per unit, whatever the price list says later.
    pub price: Credits,
    /// What is authorized.
    pub amount: Credits,
    /// What its usage has cost so far.
    pub meter: Meter,
    #[allow(missing_docs)]
    pub state: AuthorizationState,
    /// When its hold expires. Usage is charged after that too.
    pub expires_at: Timestamp,
}

/// The end of an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The workspace that pays.
    pub workspace: WorkspaceId,
    #[allow(missing_docs)]
    pub state: AuthorizationState,
    /// What its usage has cost.
    pub charged: Credits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_rounded_up() {
        let policy = |margin_percent| Policy { margin_percent, ..Policy::default() };
        let with =
            |percent, micro| policy(percent).with_margin(Credits::from_micro(micro).unwrap()).map(Credits::micro);

        assert_eq!([with(0, 7), with(20, 5), with(20, 1), with(100, 3)], [Some(7), Some(6), Some(2), Some(6)]);
        assert_eq!(with(1, Credits::MAX.micro()), None);
    }
}
