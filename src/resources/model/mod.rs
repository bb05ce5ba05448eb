//! Resources, their kinds and states. Pure.

mod activity;
mod items;
mod limits;
mod names;
mod trash_kind;

pub use activity::{ActivityAction, NewActivity};
pub use items::{Item, ItemFilter, ItemPage};
pub use limits::{
    CountKey, LEASE_DEFAULT, LEASE_KEPT, LEASE_MAX, LEASE_QUANTITY_MAX, Lease, LeaseState, LimitAnswer, NewLease,
    Reservable, Standing,
};
pub use names::{ExternalId, ResourceName, Slug};
pub use trash_kind::{NO_LIMIT, ResourceKind};

pub use crate::services::{Category, ResourceType};

use std::time::Duration;

use crate::base::{ResourceId, ServiceId, Timestamp, WorkspaceId, days};

/// How long something stays in the trash before it is deleted for good.
pub const TRASH_KEPT: Duration = days(30);
/// The largest size in bytes, and the largest version: what JSON parsers read exactly (RFC 8259 §6).
pub const NUMBER_MAX: i64 = (1 << 53) - 1;
/// Resources of a batch at most.
pub const BATCH_MAX: usize = 1000;
/// How many resources one transaction moves to the trash, restores or deletes together. Others wait for the writer meanwhile, for less
/// than 50 ms (1,000 rows took 45 ms of processor time, 250 take 11); what is left is moved by the next ones.
pub const CASCADE_STEP: u32 = 250;
/// How many resources may stand above each other.
pub const DEPTH_MAX: usize = 16;

/// Where a resource is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use.
    Active,
    /// In the trash: it can be restored, and still counts.
    Trashed,
    /// Its service was asked to delete it for good, and has not answered. It still counts.
    Purging,
    /// Deleted for good. It does not count, and never comes back.
    Purged,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::Trashed, Self::Purging, Self::Purged];

    /// The stored form, and the name of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Trashed => "trashed",
            Self::Purging => "purging",
            Self::Purged => "purged",
        }
    }

    /// Reads the form of [`State::as_str`]. `None`: there is no such state.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether there is something that can be read, changed, trashed or restored.
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Active | Self::Trashed)
    }
}

/// Something that a service keeps for a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Resource {
    pub id: ResourceId,
    pub service: ServiceId,
    /// The id that the service gave it.
    pub external_id: String,
    pub workspace: WorkspaceId,
    /// The name of its [`ResourceType`].
    pub kind: String,
    pub parent: Option<ResourceId>,
    pub name: String,
    /// Empty: none.
    pub slug: String,
    pub size_bytes: i64,
    pub version: i64,
    pub state: State,
    /// Since when it is in this state.
    pub state_at: Timestamp,
    /// When it leaves the trash for good. `None`: it is not in the trash.
    pub purge_after: Option<Timestamp>,
    /// It went into the trash together with this resource above it.
    pub cascade_root: Option<ResourceId>,
    /// Since when its service does not name it any more. `None`: it does.
    pub missing_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Resource {
    /// Whole days until it is deleted for good, rounded up. 0: it is not in the trash, or due.
    pub fn days_left(&self, now: Timestamp) -> u64 {
        let left = self.purge_after.map_or(Duration::ZERO, |end| end.since(now));
        left.as_secs().div_ceil(days(1).as_secs())
    }
}

/// A resource as its service describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResource {
    /// The id that the service gave it.
    pub external_id: ExternalId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The name of its type.
    pub kind: String,
    #[allow(missing_docs)]
    pub name: ResourceName,
    /// `None`: it has none.
    pub slug: Option<Slug>,
    /// The service's id of what is above it.
    pub parent: Option<ExternalId>,
    /// 0 to [`NUMBER_MAX`].
    pub size_bytes: i64,
    /// 1 to [`NUMBER_MAX`]. Each change has a higher one.
    pub version: i64,
}

/// What registering a resource did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It has another version.
    Updated,
    /// It was registered like this before.
    Unchanged,
}

impl Change {
    /// Whether it is new.
    pub fn is_created(self) -> bool {
        self == Self::Created
    }
}

/// What part of a batch was refused. `E` says why.
#[derive(Clone, Debug)]
pub struct Rejected<E> {
    /// The place in the batch, from 0.
    pub index: usize,
    #[allow(missing_docs)]
    pub error: E,
}

/// The result of a batch.
#[derive(Clone, Debug)]
pub struct BatchResult<E> {
    /// How many are new.
    pub created: usize,
    /// How many have another version.
    pub updated: usize,
    /// How many were registered like this before.
    pub unchanged: usize,
    /// The others.
    pub rejected: Vec<Rejected<E>>,
}

/// What is left of a cascade: a resource that has to follow what is above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    #[allow(missing_docs)]
    pub id: ResourceId,
    /// What it goes into the trash with, or comes back with.
    pub root: ResourceId,
    /// Where it goes.
    pub to: State,
}

/// What one transaction moved of several trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Rows that were moved. 0: nothing is left.
    pub moved: usize,
    /// The resources below which more may have to follow.
    pub unfinished: Vec<ResourceId>,
}

impl Part {
    /// Adds a tree of which so many rows were moved.
    pub(super) fn add(&mut self, id: ResourceId, moved: usize) {
        self.moved += moved;
        if moved >= CASCADE_STEP as usize {
            self.unfinished.push(id);
        }
    }

    /// Whether the transaction has done enough.
    pub(super) const fn is_full(&self) -> bool {
        self.moved >= CASCADE_STEP as usize
    }
}

/// What a disconnected service keeps for a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Leftover {
    pub service: ServiceId,
    /// The name of the service.
    pub name: String,
    pub items: u64,
    pub size_bytes: i64,
}

/// A full sync that is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedSync {
    /// Its number, which its service gave it.
    pub generation: i64,
    /// SHA-256 of its last batch, and the answer to that. `None`: it was finished before they were stored.
    pub last: Option<([u8; 32], String)>,
}

/// Something in the trash, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashItem {
    #[allow(missing_docs)]
    pub resource: Resource,
    /// What is above it. `None`: nothing.
    pub parent: Option<ParentName>,
    /// How many went into the trash together with it.
    pub cascaded: u64,
    /// Its bytes, with those of what went with it.
    pub size_bytes: i64,
}

/// What stands above a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ParentName {
    pub id: ResourceId,
    pub kind: String,
    pub name: String,
    pub slug: String,
    pub state: State,
}

/// Which part of the trash a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrashFilter {
    /// Only these types. Empty: all.
    pub kinds: Vec<String>,
    /// Only names that contain this, in whatever case. Empty: all.
    pub search: String,
    /// How many items to leave out, the newest first.
    pub offset: u32,
    /// Items of a page.
    pub limit: u32,
}

/// A page of the trash.
#[derive(Clone, Debug)]
pub struct TrashPage {
    /// The newest first. What went into the trash together with another resource is not listed for itself.
    pub items: Vec<TrashItem>,
    /// How many items all pages have.
    pub total: u64,
}

/// A type of what is in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashKind {
    /// As services send it: `model`.
    pub name: String,
    /// As people read it, in lower case: `model`.
    pub label: String,
}

/// What is in the trash of one count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashSum {
    /// The limit it counts for, or its type.
    pub key: String,
    /// With what went into the trash together with another.
    pub items: u64,
    /// Without.
    pub listed: u64,
    #[allow(missing_docs)]
    pub size_bytes: i64,
}

/// What a workspace uses.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Bytes of everything that is not deleted for good, the trash included.
    pub used_bytes: i64,
    /// Bytes that services reserved.
    pub reserved_bytes: i64,
    /// `None`: no limit.
    pub limit_bytes: Option<i64>,
    /// Every category, also the empty ones.
    pub categories: Vec<CategoryUse>,
    /// What is limited by number.
    pub counts: Vec<Standing>,
    /// The largest items, the largest first.
    pub largest: Vec<LargeItem>,
}

impl Storage {
    /// How much is used, in percent, rounded up: 100 or more is too much. `None`: no limit.
    pub fn percent(&self) -> Option<i64> {
        let limit = self.limit_bytes?;
        let of = |used: i64| (i128::from(used) * 100 + i128::from(limit) - 1) / i128::from(limit.max(1));
        Some(if limit == 0 {
            i64::from(self.used_bytes > 0) * 100
        } else {
            i64::try_from(of(self.used_bytes)).unwrap_or(i64::MAX)
        })
    }

    /// How full it is, in words for a page: below 70 %, below 90 %, and above (the reference's colours).
    pub fn fill(&self) -> Fill {
        match self.percent() {
            Some(90..) => Fill::High,
            Some(70..) => Fill::Medium,
            _ => Fill::Low,
        }
    }
}

/// The shares of the storage, in percent, that an owner gets a mail about.
const NOTICE_PERCENTS: [i64; 3] = [100, 90, 80];

/// The highest of the shares that get a mail that is reached. 0: none, or there is no limit.
pub(super) fn notice_percent(used_bytes: i64, limit_bytes: Option<i64>) -> i64 {
    let Some(limit) = limit_bytes else { return 0 };
    let is_reached =
        |percent: &i64| used_bytes > 0 && i128::from(used_bytes) * 100 >= i128::from(limit) * i128::from(*percent);
    NOTICE_PERCENTS.into_iter().find(is_reached).unwrap_or(0)
}

/// How full the storage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Below 70 %, or without a limit.
    Low,
    /// 70 % or more.
    Medium,
    /// 90 % or more.
    High,
}

/// The bytes of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CategoryUse {
    pub category: Category,
    pub size_bytes: i64,
    pub items: i64,
    pub reserved_bytes: i64,
}

/// One of the largest items.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct LargeItem {
    pub resource: Resource,
    pub parent: Option<ParentName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(used: i64, limit: Option<i64>) -> Storage {
        Storage {
            used_bytes: used,
            reserved_bytes: 0,
            limit_bytes: limit,
            categories: Vec::new(),
            counts: Vec::new(),
            largest: Vec::new(),
        }
    }

    #[test]
    fn the_colours_change_at_70_and_90_percent() {
        let fill = |used, limit| storage(used, limit).fill();

        assert_eq!(
            [0, 69, 70, 89, 90, 100, 200].map(|used| fill(used, Some(100))),
            [Fill::Low, Fill::Low, Fill::Medium, Fill::Medium, Fill::High, Fill::High, Fill::High]
        );
        assert_eq!([fill(NUMBER_MAX, None), fill(0, Some(0)), fill(1, Some(0))], [Fill::Low, Fill::Low, Fill::High]);
        assert_eq!(storage(NUMBER_MAX, Some(NUMBER_MAX)).percent(), Some(100));
        assert_eq!(storage(1, Some(1000)).percent(), Some(1), "something is never nothing");
    }

    #[test]
    fn stored_words_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        for category in Category::ALL {
            assert_eq!(Category::parse(category.as_str()), Some(category));
        }
    }
}
