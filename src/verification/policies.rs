//! Interned policies: what keys may do. A million keys have some dozen different sets of scopes and limits.
//!
//! The number of a policy never changes its meaning, so a look-up by number needs no lock and no counter. All workers
//! look one up for each request.

use std::hash::{BuildHasher, RandomState};
use std::sync::{OnceLock, PoisonError, RwLock};

use hashbrown::HashTable;

use super::key_index::POLICIES_MAX;
use super::model::Policy;

/// Policies that are allocated together.
const CHUNK: usize = 256;

type Chunk = Box<[OnceLock<Policy>]>;

/// Interns at most [`POLICIES_MAX`] policies, some 20 MiB. A key whose policy does not fit is read for each request.
pub(super) struct Policies {
    chunks: Box<[OnceLock<Chunk>]>,
    numbers: RwLock<HashTable<u16>>,
    hasher: RandomState,
}

impl Policies {
    pub(super) fn new() -> Self {
        let chunks = (0..POLICIES_MAX / CHUNK).map(|_| OnceLock::new()).collect();
        Self { chunks, numbers: RwLock::default(), hasher: RandomState::new() }
    }

    /// The policy with this number. `None`: no policy has it.
    pub(super) fn get(&self, number: u16) -> Option<&Policy> {
        let number = usize::from(number);
        self.chunks[number / CHUNK].get()?[number % CHUNK].get()
    }

    /// The number of a policy, which is added if it is new. `None`: there are too many.
    pub(super) fn intern(&self, policy: Policy) -> Option<u16> {
        let hash = self.hasher.hash_one(&policy);
        let is_same = |number: &u16| self.get(*number) == Some(&policy);
        if let Some(number) = self.numbers.read().unwrap_or_else(PoisonError::into_inner).find(hash, is_same) {
            return Some(*number);
        }
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.find(hash, is_same) {
            return Some(*number);
        }
        let number = u16::try_from(numbers.len()).ok()?;
        let (chunk, index) = (usize::from(number) / CHUNK, usize::from(number) % CHUNK);
        let chunk = self.chunks[chunk].get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        // Only the holder of the write lock adds a number, and this number is new, so the cell is empty.
        let _ = chunk[index].set(policy);
        numbers.insert_unique(hash, number, |number| self.get(*number).map_or(0, |known| self.hasher.hash_one(known)));
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Scopes;

    #[test]
    fn a_policy_keeps_its_number_and_the_number_of_policies_is_limited() {
        let policies = Policies::new();
        let policy = |rate: u32| Policy {
            scope: "read".into(),
            rights: Scopes::NONE,
            networks: Vec::new(),
            rate: Some(rate),
            is_retiring: false,
        };
        let all = || 0..POLICIES_MAX as u32;

        assert!(all().all(|rate| policies.intern(policy(rate)).map(u32::from) == Some(rate)));
        assert_eq!(policies.intern(policy(POLICIES_MAX as u32)), None);
        assert!(all().all(|rate| policies.intern(policy(rate)).map(u32::from) == Some(rate)));
        assert!(all().all(|rate| policies.get(rate as u16).unwrap().rate == Some(rate)));
        assert!(Policies::new().get(7).is_none());
    }
}
