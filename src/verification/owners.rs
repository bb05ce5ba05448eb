//! Interned owners: all keys of a person in a workspace share one owner.
//!
//! As an entry of the key index, an owner is valid for as long as nothing about the person and the workspace changed
//! since it was read.

use std::sync::{PoisonError, RwLock};

use hashbrown::HashTable;

use super::key_index::OWNERS_MAX;
use super::model::Owner;
use crate::base::{AccountId, WorkspaceId};

/// Identifies an owner: a person in a workspace.
pub(super) type OwnerId = (AccountId, WorkspaceId);

/// Interns at most [`OWNERS_MAX`] owners. The number of an owner never changes its meaning. Keys whose owner does not
/// fit are read for each request.
#[derive(Default)]
pub(super) struct Owners(RwLock<OwnerTable>);

#[derive(Default)]
struct OwnerTable {
    slots: Vec<OwnerSlot>,
    /// The number of each owner, hashed by [`hash_of`].
    numbers: HashTable<u32>,
}

struct OwnerSlot {
    owner: Owner,
    /// The generation in which the owner was read. `None`: not read yet, so only its ids are known.
    generation: Option<u32>,
}

impl Owners {
    /// The number of an owner, which is added if it is new. `None`: there are too many.
    pub(super) fn intern(&self, id: OwnerId) -> Option<u32> {
        if let Some(number) = self.0.read().unwrap_or_else(PoisonError::into_inner).find(id) {
            return Some(number);
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).intern(id)
    }

    /// The person and workspace of a number. `None`: no owner has it.
    pub(super) fn id_of(&self, number: u32) -> Option<OwnerId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).slots.get(number as usize).map(OwnerSlot::id)
    }

    /// The owner with this number, if `is_valid` accepts the generation in which it was read.
    pub(super) fn get(&self, number: u32, is_valid: impl Fn(&Owner, u64) -> bool) -> Option<Owner> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let slot = table.slots.get(number as usize)?;
        is_valid(&slot.owner, u64::from(slot.generation?)).then(|| slot.owner.clone())
    }

    /// Stores an owner that was read in `generation`, if there is space for it.
    pub(super) fn insert(&self, owner: &Owner, generation: u64) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let number = table.intern((owner.account, owner.workspace));
        let (Some(number), Ok(generation)) = (number, u32::try_from(generation)) else { return };
        let slot = &mut table.slots[number as usize];
        // Two readers may finish in any order: the newer generation stays.
        if slot.generation.is_none_or(|older| older <= generation) {
            *slot = OwnerSlot { owner: owner.clone(), generation: Some(generation) };
        }
    }
}

impl OwnerTable {
    fn find(&self, id: OwnerId) -> Option<u32> {
        self.numbers.find(hash_of(id), |number| self.slots[*number as usize].id() == id).copied()
    }

    fn intern(&mut self, id: OwnerId) -> Option<u32> {
        if let Some(number) = self.find(id) {
            return Some(number);
        }
        let number = u32::try_from(self.slots.len()).ok().filter(|_| self.slots.len() < OWNERS_MAX)?;
        self.slots.push(OwnerSlot { owner: Owner::placeholder(id.0, id.1), generation: None });
        self.numbers.insert_unique(hash_of(id), number, |number| hash_of(self.slots[*number as usize].id()));
        Some(number)
    }
}

impl OwnerSlot {
    fn id(&self) -> OwnerId {
        (self.owner.account, self.owner.workspace)
    }
}

/// The random bits of the ids serve as the hash: ids are made here, and no caller can choose one.
fn hash_of((account, workspace): OwnerId) -> u64 {
    account.random_bits() ^ workspace.random_bits().rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::super::model::OwnerFields;
    use super::*;
    use crate::base::{Rng, Role, Timestamp};

    #[test]
    fn the_newer_generation_stays_and_an_owner_keeps_its_number() {
        let (owners, mut rng) = (Owners::default(), Rng::seeded(8));
        let now = Timestamp::from_millis(1_777_000_000_000);
        let ids: Vec<OwnerId> =
            (0..1_000).map(|_| (AccountId::new(now, &mut rng), WorkspaceId::new(now, &mut rng))).collect();
        let named = |(account, workspace): OwnerId, username: &str| {
            let fields = OwnerFields { username, display_name: "", email: "", plan: "free", region: "eu" };
            Owner::new(account, workspace, Role::Owner, &fields)
        };
        let numbers: Vec<_> = ids.iter().map(|id| owners.intern(*id).unwrap()).collect();
        owners.insert(&named(ids[7], "new"), 5);
        owners.insert(&named(ids[7], "old"), 4);

        assert_eq!((0..1_000).collect::<Vec<u32>>(), numbers);
        assert!(ids.iter().zip(&numbers).all(|(id, number)| owners.intern(*id) == Some(*number)));
        assert!(ids.iter().zip(&numbers).all(|(id, number)| owners.id_of(*number) == Some(*id)));
        let read = |number, generation: u64| {
            owners.get(number, |_, read_in| read_in == generation).map(|owner| owner.username())
        };
        assert_eq!(
            (read(7, 5).as_deref(), read(7, 4), read(6, 0), owners.id_of(1_000)),
            (Some("new"), None, None, None)
        );
        assert_eq!(size_of::<OwnerSlot>(), 96);
    }

    fn some_ids(count: usize) -> Vec<OwnerId> {
        let (now, mut rng) = (Timestamp::from_millis(1_777_000_000_000), Rng::seeded(9));
        (0..count).map(|_| (AccountId::new(now, &mut rng), WorkspaceId::new(now, &mut rng))).collect()
    }

    #[test]
    fn the_number_of_owners_is_limited() {
        let owners = Owners::default();
        let ids = some_ids(OWNERS_MAX + 1);
        let (last, others) = ids.split_last().unwrap();

        assert!(others.iter().all(|id| owners.intern(*id).is_some()));
        assert_eq!(owners.intern(*last), None);
        assert_eq!(owners.intern(others[OWNERS_MAX - 1]), Some(OWNERS_MAX as u32 - 1));
    }

    #[test]
    fn hashes_of_owners_are_spread() {
        let mut hashes: Vec<u64> = some_ids(1_000).into_iter().map(hash_of).collect();
        let ones: u32 = hashes.iter().map(|hash| hash.count_ones()).sum();
        hashes.sort_unstable();
        hashes.dedup();

        // The ids leave out two of 64 bits.
        assert!(hashes.len() == 1_000 && (31_000..33_000).contains(&ones), "{ones} ones in {}", hashes.len());
    }
}
