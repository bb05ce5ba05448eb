//! What keys may do, in memory, by number: a million keys have some dozen different sets of scopes and limits.
//!
//! A number once given keeps its meaning, so nothing is locked or counted to look one up: all workers do so for each request.

use std::hash::{BuildHasher, RandomState};
use std::sync::{OnceLock, PoisonError, RwLock};

use hashbrown::HashTable;
use ipnet::IpNet;

use super::directory::POLICIES_MAX;
use crate::base::{Scopes, SharedText};

/// Policies whose memory is taken together.
const PIECE: usize = 256;

/// What many keys may do: the names of their scopes, the rights behind them before any role cuts them, and the limits.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Policy {
    pub scope: SharedText,
    pub rights: Scopes,
    /// Empty: from anywhere.
    pub networks: Vec<IpNet>,
    /// Requests a minute, of the key itself or of the site.
    pub rate: Option<u32>,
    /// Its end is that of an overlap.
    pub is_retiring: bool,
}

impl Policy {
    /// Whether a request from there is let in.
    pub(super) fn lets_in_from(&self, address: Option<std::net::IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| {
                let address = address.to_canonical();
                self.networks.iter().any(|network| network.contains(&address))
            })
    }
}

type Piece = Box<[OnceLock<Policy>]>;

/// See the module. [`POLICIES_MAX`] at most, some 20 MiB; keys with others than these are looked up for each request.
pub(super) struct Policies {
    pieces: Box<[OnceLock<Piece>]>,
    numbers: RwLock<HashTable<u16>>,
    hashing: RandomState,
}

impl Policies {
    /// None yet.
    pub(super) fn new() -> Self {
        let pieces = (0..POLICIES_MAX / PIECE).map(|_| OnceLock::new()).collect();
        Self { pieces, numbers: RwLock::default(), hashing: RandomState::new() }
    }

    /// The policy of a number. `None`: nobody's.
    pub(super) fn get(&self, number: u16) -> Option<&Policy> {
        let number = usize::from(number);
        self.pieces[number / PIECE].get()?[number % PIECE].get()
    }

    /// The number of a policy. `None`: there are too many.
    pub(super) fn number_of(&self, policy: Policy) -> Option<u16> {
        let hash = self.hashing.hash_one(&policy);
        let is_it = |number: &u16| self.get(*number) == Some(&policy);
        if let Some(number) = self.numbers.read().unwrap_or_else(PoisonError::into_inner).find(hash, is_it) {
            return Some(*number);
        }
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.find(hash, is_it) {
            return Some(*number);
        }
        let number = u16::try_from(numbers.len()).ok()?;
        let (piece, place) = (usize::from(number) / PIECE, usize::from(number) % PIECE);
        let piece = self.pieces[piece].get_or_init(|| (0..PIECE).map(|_| OnceLock::new()).collect());
        // Whoever writes numbers is alone, and this one is new.
        let _ = piece[place].set(policy);
        numbers.insert_unique(hash, number, |number| self.get(*number).map_or(0, |known| self.hashing.hash_one(known)));
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_keeps_its_number_and_there_are_so_many_at_most() {
        let policies = Policies::new();
        let policy = |rate: u32| Policy {
            scope: "read".into(),
            rights: Scopes::NONE,
            networks: Vec::new(),
            rate: Some(rate),
            is_retiring: false,
        };
        let all = || 0..POLICIES_MAX as u32;

        assert!(all().all(|rate| policies.number_of(policy(rate)).map(u32::from) == Some(rate)));
        assert_eq!(policies.number_of(policy(POLICIES_MAX as u32)), None);
        assert!(all().all(|rate| policies.number_of(policy(rate)).map(u32::from) == Some(rate)));
        assert!(all().all(|rate| policies.get(rate as u16).unwrap().rate == Some(rate)));
        assert!(Policies::new().get(7).is_none());
    }
}
