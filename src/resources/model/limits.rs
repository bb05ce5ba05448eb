//! Limits and leases.

use std::time::Duration;

use super::{Category, ResourceType};
use crate::base::{LeaseId, ServiceId, Timestamp, WorkspaceId, hours, minutes};
use crate::config::LimitKey;

/// The longest lease.
pub const LEASE_MAX: Duration = hours(24);
/// The lease of a service that does not say how long it needs.
pub const LEASE_DEFAULT: Duration = minutes(60);
/// Places of one lease at most.
pub const LEASE_QUANTITY_MAX: i64 = 1000;
/// How long a lease that ended is kept.
pub const LEASE_KEPT: Duration = crate::base::days(30);

/// What things are counted under: their limit, or their type if they have none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountKey {
    #[allow(missing_docs)]
    Limit(LimitKey),
    /// The name of the type.
    Type(String),
}

impl CountKey {
    /// The stored form.
    pub fn as_text(&self) -> String {
        match self {
            Self::Limit(key) => key.as_str().to_owned(),
            Self::Type(name) => format!("type:{name}"),
        }
    }
}

/// Something that a service can ask for and reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservable {
    /// Resources of this type.
    Resource(ResourceType),
    /// Trainings that run.
    Training,
    /// An image that is uploaded into a dataset.
    Image,
    /// A video that is uploaded into a dataset.
    Video,
}

impl Reservable {
    /// The names that are no types of resources.
    pub fn special(name: &str) -> Option<Self> {
        Some(match name {
            "training" => Self::Training,
            "image" => Self::Image,
            "video" => Self::Video,
            _ => return None,
        })
    }

    /// What it is counted under. `None`: only its bytes count.
    pub fn count_key(&self) -> Option<CountKey> {
        match self {
            Self::Resource(kind) => Some(match kind.limit {
                Some(limit) => CountKey::Limit(limit),
                None => CountKey::Type(kind.name.clone()),
            }),
            Self::Training => Some(CountKey::Limit(LimitKey::ConcurrentTrainings)),
            Self::Image | Self::Video => None,
        }
    }

    /// The limit of the bytes of one of them. `None`: there is none.
    pub const fn size_limit(&self) -> Option<LimitKey> {
        match self {
            Self::Resource(kind) => match kind.category {
                Some(Category::Datasets) => Some(LimitKey::DatasetUploadBytes),
                Some(Category::Models) => Some(LimitKey::ModelBytes),
                _ => None,
            },
            Self::Training => None,
            Self::Image => Some(LimitKey::ImageBytes),
            Self::Video => Some(LimitKey::VideoBytes),
        }
    }

    /// The category of its bytes.
    pub fn category(&self) -> Category {
        match self {
            Self::Resource(kind) => kind.category.unwrap_or(Category::Other),
            Self::Training => Category::Other,
            Self::Image | Self::Video => Category::Datasets,
        }
    }
}

/// A limit of a workspace, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    #[allow(missing_docs)]
    pub limit: LimitKey,
    /// `None`: no limit.
    pub max: Option<i64>,
    /// With the trash.
    pub used: i64,
    /// By leases that are open.
    pub reserved: i64,
}

impl Standing {
    /// Whether so many more would be too many.
    pub const fn refuses(&self, more: i64) -> bool {
        match self.max {
            // None of them is above 2^53.
            Some(max) => more > 0 && self.used + self.reserved + more > max,
            None => false,
        }
    }
}

/// The answer to the question whether something could be created. `E` says why not.
#[derive(Clone, Debug)]
pub struct LimitAnswer<E> {
    /// The code of the plan.
    pub plan: String,
    /// Every limit that was compared.
    pub standings: Vec<Standing>,
    /// `None`: it could be created.
    pub refusal: Option<E>,
}

/// A lease that a service asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLease {
    #[allow(missing_docs)]
    pub workspace: WorkspaceId,
    /// The name of a type, or of a special thing ([`Reservable::special`]).
    pub kind: String,
    /// 1 to 1,000.
    pub quantity: i64,
    /// Bytes of all of them together.
    pub size_bytes: i64,
    /// At most [`LEASE_MAX`].
    pub lasts: Duration,
}

/// A place in the quota that a service reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Lease {
    pub id: LeaseId,
    pub service: ServiceId,
    pub workspace: WorkspaceId,
    pub kind: String,
    pub quantity: i64,
    pub size_bytes: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: LeaseState,
}

/// Where a lease is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It reserves.
    Open,
    /// What it reserved was created.
    Committed,
    /// The service gave it back.
    Released,
    /// Its time is over.
    Expired,
}

impl LeaseState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Committed, Self::Released, Self::Expired];

    /// The stored form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// Reads the form of [`LeaseState::as_str`]. `None`: there is no such state.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_refuses_what_is_above_it_and_nothing_that_is_there_already() {
        let standing = |max| Standing { limit: LimitKey::Models, max, used: 2, reserved: 1 };

        assert!(standing(Some(3)).refuses(1) && !standing(Some(4)).refuses(1));
        assert!(!standing(Some(1)).refuses(0), "a lower limit takes nothing away");
        assert!(!standing(None).refuses(i64::MAX / 4));
    }
}
