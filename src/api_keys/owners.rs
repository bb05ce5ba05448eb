//! Owners in memory, by number: all keys of a person in a workspace share theirs.
//!
//! As entries of the directory, an owner is believed for as long as nothing about person and workspace changed since the
//! reading.

use std::sync::{PoisonError, RwLock};

use hashbrown::HashTable;

use super::directory::OWNERS_MAX;
use super::model::Owner;
use crate::base::{AccountId, WorkspaceId};

/// Whose keys: a person in a workspace.
pub(super) type Who = (AccountId, WorkspaceId);

/// See the module. A number once given keeps its meaning. Keys of more owners than [`OWNERS_MAX`] are looked up for each request.
#[derive(Default)]
pub(super) struct Owners(RwLock<Numbered>);

#[derive(Default)]
struct Numbered {
    places: Vec<Place>,
    /// By person and workspace.
    numbers: HashTable<u32>,
}

struct Place {
    owner: Owner,
    /// The generation of the reading. `None`: only who it is, is known.
    read_in: Option<u32>,
}

impl Owners {
    /// The number of a person in a workspace. `None`: there are too many.
    pub(super) fn number_of(&self, who: Who) -> Option<u32> {
        if let Some(number) = self.0.read().unwrap_or_else(PoisonError::into_inner).find(who) {
            return Some(number);
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).number(who)
    }

    /// Whose number it is. `None`: nobody's.
    pub(super) fn who(&self, number: u32) -> Option<Who> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).places.get(number as usize).map(Place::who)
    }

    /// The owner of a number, if it `is_good` of the generation it was read in.
    pub(super) fn find(&self, number: u32, is_good: impl Fn(&Owner, u64) -> bool) -> Option<Owner> {
        let numbered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let place = numbered.places.get(number as usize)?;
        is_good(&place.owner, u64::from(place.read_in?)).then(|| place.owner.clone())
    }

    /// Keeps who was found in generation `tag`, as far as memory goes.
    pub(super) fn keep(&self, owner: &Owner, tag: u64) {
        let mut numbered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let number = numbered.number((owner.account, owner.workspace));
        let (Some(number), Ok(tag)) = (number, u32::try_from(tag)) else { return };
        let place = &mut numbered.places[number as usize];
        // Two readers may come in any order: the newer reading stays.
        if place.read_in.is_none_or(|older| older <= tag) {
            *place = Place { owner: owner.clone(), read_in: Some(tag) };
        }
    }
}

impl Numbered {
    fn find(&self, who: Who) -> Option<u32> {
        self.numbers.find(spread(who), |number| self.places[*number as usize].who() == who).copied()
    }

    fn number(&mut self, who: Who) -> Option<u32> {
        if let Some(number) = self.find(who) {
            return Some(number);
        }
        let number = u32::try_from(self.places.len()).ok().filter(|_| self.places.len() < OWNERS_MAX)?;
        self.places.push(Place { owner: Owner::unread(who.0, who.1), read_in: None });
        self.numbers.insert_unique(spread(who), number, |number| spread(self.places[*number as usize].who()));
        Some(number)
    }
}

impl Place {
    fn who(&self) -> Who {
        (self.owner.account, self.owner.workspace)
    }
}

/// Ids are made here by rng, and nobody outside can choose one.
fn spread((account, workspace): Who) -> u64 {
    account.spread() ^ workspace.spread().rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::super::model::OwnerWords;
    use super::*;
    use crate::base::{Rng, Role, Timestamp};

    #[test]
    fn the_newer_reading_stays_under_the_number_it_had() {
        let (owners, mut rng) = (Owners::default(), Rng::seeded(8));
        let now = Timestamp::from_millis(1_777_000_000_000);
        let people: Vec<Who> =
            (0..1_000).map(|_| (AccountId::new(now, &mut rng), WorkspaceId::new(now, &mut rng))).collect();
        let named = |(account, workspace): Who, username: &str| {
            let words = OwnerWords { username, display_name: "", email: "", plan: "free", region: "eu" };
            Owner::new(account, workspace, Role::Owner, &words)
        };
        let numbers: Vec<_> = people.iter().map(|who| owners.number_of(*who).unwrap()).collect();
        owners.keep(&named(people[7], "new"), 5);
        owners.keep(&named(people[7], "old"), 4);

        assert_eq!((0..1_000).collect::<Vec<u32>>(), numbers);
        assert!(people.iter().zip(&numbers).all(|(who, number)| owners.number_of(*who) == Some(*number)));
        assert!(people.iter().zip(&numbers).all(|(who, number)| owners.who(*number) == Some(*who)));
        let found = |number, tag: u64| owners.find(number, |_, read_in| read_in == tag).map(|owner| owner.username());
        assert_eq!(
            (found(7, 5).as_deref(), found(7, 4), found(6, 0), owners.who(1_000)),
            (Some("new"), None, None, None)
        );
        assert_eq!(size_of::<Place>(), 96);
    }
}
