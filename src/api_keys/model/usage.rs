//! What verification records about the use of keys, until it is written.

use std::net::IpAddr;

use super::{Channel, KeyCaller};
use crate::base::{ApiKeyId, Scopes};

/// HMAC-SHA-256 of a key's text under a pepper: what a key is found by.
pub type LookupDigest = [u8; 32];

/// The use of a key since the last drain.
#[derive(Debug)]
pub struct KeyUsage {
    /// The last use, in milliseconds since 1970.
    pub at: i64,
    /// Requests by channel, in the order of [`Channel::ALL`].
    pub by_channel: [u16; 4],
    /// Boxed, because most keys have no detail: this keeps the struct small.
    pub detail: Option<Box<UsageDetail>>,
}

impl KeyUsage {
    /// The channels with at least one use, and their uses.
    pub fn uses_by_channel(&self) -> impl Iterator<Item = (Channel, i64)> {
        let counts = Channel::ALL.into_iter().zip(self.by_channel);
        counts.filter(|(_, uses)| *uses > 0).map(|(channel, uses)| (channel, i64::from(uses)))
    }
}

/// From where a key was used, by which program, and for which rights.
#[derive(Debug, Default)]
pub struct UsageDetail {
    /// `None`: unknown.
    pub address: Option<IpAddr>,
    /// The `User-Agent` of the program. Empty: unknown.
    pub agent: String,
    /// The rights that requests needed.
    pub rights: Scopes,
}

/// Everything that was recorded between two drains.
#[derive(Default)]
pub struct UsageBatch {
    /// Uses of good keys.
    pub uses: Vec<(ApiKeyId, KeyUsage)>,
    /// Callers of keys that are being replaced.
    pub callers: Vec<(ApiKeyId, KeyCaller)>,
    /// Callers of keys that were replaced.
    pub late: Vec<(ApiKeyId, KeyCaller)>,
    /// Keys that were found under another pepper, with their digest under the pepper in use.
    pub stale: Vec<(ApiKeyId, LookupDigest)>,
}

impl UsageBatch {
    /// Splits off the last `max` items of each kind. `None`: nothing is left.
    pub fn next_batch(&mut self, max: usize) -> Option<Self> {
        let batch = Self {
            uses: split_last(&mut self.uses, max),
            callers: split_last(&mut self.callers, max),
            late: split_last(&mut self.late, max),
            stale: split_last(&mut self.stale, max),
        };
        let is_empty =
            batch.uses.is_empty() && batch.callers.is_empty() && batch.late.is_empty() && batch.stale.is_empty();
        (!is_empty).then_some(batch)
    }
}

fn split_last<T>(all: &mut Vec<T>, max: usize) -> Vec<T> {
    all.split_off(all.len().saturating_sub(max))
}
